// Descriptor <-> YAML text. Reading tells every problem with its line.
import { LineCounter, parseDocument, stringify } from "yaml";
import type { z } from "zod";
import { TranshipError } from "../base/errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { descriptorSchema } from "./schema.ts";

export interface Problem {
  /** 1-based; undefined where the problem has no place in the text. */
  line: number | undefined;
  /** "services[0].program". */
  where: string;
  message: string;
}

const maxDescriptorBytes = 4 << 20;

/** Reads any of our YAML documents against a schema; problems are a return value. */
export function readDocument<T>(
  text: string,
  schema: z.ZodType<T>,
  maxBytes = maxDescriptorBytes * 8,
): { value: T | undefined; problems: Problem[] } {
  if (text.length > maxBytes) {
    return {
      value: undefined,
      problems: [{ line: undefined, where: "", message: `larger than ${maxBytes} bytes` }],
    };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, maxAliasCount: 100 } as Parameters<
    typeof parseDocument
  >[1]);
  if (document.errors.length > 0) {
    return {
      value: undefined,
      problems: document.errors.map((error) => ({
        line: lines.linePos(error.pos[0]).line,
        where: "",
        message: error.message.split("\n")[0] ?? "",
      })),
    };
  }
  let plain: unknown;
  try {
    plain = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return {
      value: undefined,
      problems: [{ line: undefined, where: "", message: (error as Error).message }],
    };
  }
  const result = schema.safeParse(plain);
  if (result.success) return { value: result.data, problems: [] };
  const problems = result.error.issues.map((issue) => {
    const node = nodeAt(document, issue.path);
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    return {
      line: range === undefined ? undefined : lines.linePos(range[0]).line,
      where: wherePath(issue.path),
      message: issue.message,
    };
  });
  return { value: undefined, problems };
}

/** The nearest node that exists on the way to `path`. */
function nodeAt(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): unknown {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (node !== undefined && node !== null) return node;
  }
  return document.contents ?? undefined;
}

function wherePath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
}

/** E_DESCRIPTOR_INVALID lists every problem with its line. `name` is what the text is called in the message. */
export function parseDescriptor(text: string, name: string): Descriptor {
  const { value, problems } = readDocument(text, descriptorSchema);
  if (value !== undefined) return value;
  throw new TranshipError("E_DESCRIPTOR_INVALID", `${name}: ${problems.map(describe).join("; ")}`, {
    hint: "docs/reference/package.md lists the keys of a descriptor",
    details: { problems },
  });
}

export function describe(problem: Problem): string {
  return `${problem.line === undefined ? "" : `line ${problem.line}: `}${problem.where === "" ? "" : `${problem.where}: `}${problem.message}`;
}

/** Deterministic: the same value gives the same bytes. */
export function printDescriptor(descriptor: Descriptor): string {
  return stringify(descriptor, { lineWidth: 0, aliasDuplicateObjects: false });
}
