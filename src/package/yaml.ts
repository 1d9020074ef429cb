// Descriptor <-> YAML text. Reading tells every problem with its line.
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, stringify } from "yaml";
import type { z } from "zod";
import { TranshipError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { Descriptor } from "./descriptor.ts";
import { unknownKeys } from "./keys.ts";
import { descriptorSchema } from "./schema.ts";

export interface Problem {
  /** 1-based; undefined where the problem has no place in the text. */
  line: number | undefined;
  /** "services[0].program". */
  where: string;
  message: string;
  /** "did you mean services?" */
  hint?: string;
}

export interface ReadDocument<T> {
  value: T | undefined;
  /** The text is not valid. */
  problems: Problem[];
  /** Keys that the schema has no word for: kept, but nothing obeys them. */
  unknown: Problem[];
}

const maxDescriptorBytes = 4 << 20;

/** Reads any of our YAML documents against a schema; problems are a return value. */
export function readDocument<T>(
  text: string,
  schema: z.ZodType<T>,
  maxBytes = maxDescriptorBytes * 8,
): ReadDocument<T> {
  const nothing = (problems: Problem[]): ReadDocument<T> => ({ value: undefined, problems, unknown: [] });
  const whole = (message: string): ReadDocument<T> => nothing([{ line: undefined, where: "", message }]);
  if (text.length > maxBytes) return whole(`larger than ${maxBytes} bytes`);
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, { lineCounter: lines });
  } catch (error) {
    return whole(error instanceof RangeError ? "nested too deep" : (error as Error).message);
  }
  if (document.errors.length > 0) {
    return nothing(
      document.errors.map((error) => ({
        line: lines.linePos(error.pos[0]).line,
        where: "",
        message: error.message.startsWith("Maximum call stack")
          ? "nested too deep"
          : (error.message.split("\n")[0] ?? ""),
      })),
    );
  }
  let plain: unknown;
  try {
    plain = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return whole((error as Error).message);
  }
  const lineOf = (path: readonly PropertyKey[], key = false): number | undefined => {
    const range = rangeAt(document, path, key);
    return range === undefined ? undefined : lines.linePos(range[0]).line;
  };
  const strangers = unknownKeys(schema, plain);
  const unknown = strangers.map(({ path, meant }) => ({
    line: lineOf(path, true),
    where: wherePath(path),
    message: "is no key that Tranship knows",
    ...(meant === undefined ? {} : { hint: `did you mean ${meant}?` }),
  }));
  const result = schema.safeParse(plain);
  if (result.success) return { value: result.data, problems: [], unknown };
  const problems = result.error.issues.map((issue) => ({
    line: lineOf(issue.path),
    where: wherePath(issue.path),
    message: messageOf(issue, plain),
    ...hintOf(
      issue,
      plain,
      strangers.map(({ path }) => path),
    ),
  }));
  return { value: undefined, problems, unknown };
}

/** Finds the line of a place in a valid text: of the nearest thing that exists on the way there. */
export function lineFinder(text: string): (path: readonly PropertyKey[]) => number | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  return (path) => {
    const range = rangeAt(document, path, false);
    return range === undefined ? undefined : lines.linePos(range[0]).line;
  };
}

function valueAt(plain: unknown, path: readonly PropertyKey[]): unknown {
  let value = plain;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
  return value;
}

function messageOf(issue: z.core.$ZodIssue, plain: unknown): string {
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  const missing = issue.code === "invalid_type" || issue.code === "invalid_value";
  return missing && valueAt(plain, issue.path) === undefined ? "is missing" : issue.message;
}

/** What was probably meant: for words of a fixed list, and for a key that is missing where one is misspelled; issues of our own bring theirs along. */
function hintOf(
  issue: z.core.$ZodIssue,
  plain: unknown,
  unknown: readonly (readonly PropertyKey[])[],
): { hint?: string } {
  if (issue.code === "custom") return issue.params?.hint === undefined ? {} : { hint: issue.params.hint };
  const value = valueAt(plain, issue.path);
  if (value === undefined) {
    const parent = wherePath(issue.path.slice(0, -1));
    const beside = unknown.filter((path) => wherePath(path.slice(0, -1)) === parent);
    const written = nearest(
      String(issue.path.at(-1)),
      beside.map((path) => String(path.at(-1))),
    );
    return written === undefined ? {} : { hint: `did you mean it by ${written}?` };
  }
  if (issue.code === "invalid_type" && issue.expected === "string" && /^(number|boolean)$/.test(typeof value))
    return { hint: "put it in quotes" };
  if (issue.code !== "invalid_value") return {};
  const meant = typeof value === "string" ? nearest(value, issue.values.map(String)) : undefined;
  return meant === undefined ? {} : { hint: `did you mean ${meant}?` };
}

/** Where the nearest node stands that exists on the way to `path`; with `key`, the key that leads to it. */
function rangeAt(
  document: Document.Parsed,
  path: readonly PropertyKey[],
  key: boolean,
): readonly [number, number, number] | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent)
      ? parent.items.find((one) => isScalar(one.key) && String(one.key.value) === String(path[length - 1]))
      : undefined;
    const node = key && isScalar(pair?.key) ? pair.key : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range;
    if (isScalar(pair?.key) && pair.key.range) return pair.key.range;
  }
  return document.contents?.range ?? undefined;
}

/** "services[0].program", "environment.LANG". */
export function wherePath(path: readonly PropertyKey[]): string {
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
  const line = problem.line === undefined ? "" : `line ${problem.line}: `;
  const where = problem.where === "" ? "" : `${problem.where}: `;
  return `${line}${where}${problem.message}${problem.hint === undefined ? "" : ` (${problem.hint})`}`;
}

/** Deterministic: the same value gives the same bytes. */
export function printDescriptor(descriptor: Descriptor): string {
  return stringify(descriptor, { lineWidth: 0, aliasDuplicateObjects: false });
}
