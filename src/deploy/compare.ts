// Two sides of a parity test -> comparisons. Pure: values in, values out.
import type { Descriptor } from "../package/descriptor.ts";
import type { Side, WrittenFile } from "./parity.ts";

export interface Comparison {
  kind: "exit status" | "output" | "result" | "port" | "file";
  /** "GET / on port 80", "entry.html", "/var/spool/shop/years.txt". */
  name: string;
  same: boolean;
  /** Short values for the table. */
  original: string;
  packaged: string;
  /** First differing lines, where text differs. */
  difference: string[];
}

export interface CompareOptions {
  masks: readonly RegExp[];
  descriptor: Descriptor;
}

const shownLines = 6;

/** An answer of the server that it cannot answer. */
const serverError = /^HTTP\/[\d.]+ 5\d\d/;

/** Without an original: what the package did is held against success. */
export function compareSides(
  original: Side | undefined,
  packaged: Side,
  options: CompareOptions,
): Comparison[] {
  const comparisons: Comparison[] = [];
  for (const [port, probe] of packaged.probes) {
    const other = original?.probes.get(port);
    const describe = (one: typeof probe | undefined) =>
      one === undefined ? "not probed" : one.open ? one.status || "open" : "closed";
    const same =
      other === undefined
        ? probe.open && !serverError.test(probe.status)
        : other.open === probe.open && other.status === probe.status;
    comparisons.push({
      kind: "port",
      name: `port ${port}`,
      same,
      original: original === undefined ? "" : describe(other),
      packaged: describe(probe),
      difference: [],
    });
    if (other !== undefined && probe.open)
      comparisons.push(
        textComparison("port", `GET / on port ${port}`, [other.body, probe.body], options.masks),
      );
  }
  if (packaged.status !== undefined) {
    const expected = original?.status ?? 0;
    comparisons.push({
      kind: "exit status",
      name: "exercise",
      same: packaged.status === expected,
      original: original === undefined ? "" : String(original.status),
      packaged: String(packaged.status),
      difference: [],
    });
  }
  comparisons.push(...endComparisons(original, packaged, options.masks));
  if (original === undefined) return comparisons;
  if (packaged.status !== undefined)
    comparisons.push(
      textComparison("output", "output of the exercise", [original.output, packaged.output], options.masks),
    );
  for (const name of union(original.results, packaged.results))
    comparisons.push(resultComparison(name, original, packaged, options.masks));
  for (const name of union(original.written, packaged.written))
    comparisons.push(fileComparison(name, original.written.get(name), packaged.written.get(name)));
  return comparisons;
}

/** How the application itself ended, where nothing else was asked of it. */
function endComparisons(original: Side | undefined, packaged: Side, masks: readonly RegExp[]): Comparison[] {
  const before = original?.end;
  const after = packaged.end;
  const asked = packaged.probes.size > 0 || packaged.status !== undefined;
  if (asked && before === undefined && after === undefined) return [];
  const describe = (end: typeof after) => (end === undefined ? "runs on" : String(end.status));
  const status: Comparison = {
    kind: "exit status",
    name: "application",
    same: original === undefined ? (after?.status ?? 0) === 0 : after?.status === before?.status,
    original: original === undefined ? "" : describe(before),
    packaged: describe(after),
    difference: [],
  };
  if (before === undefined || after === undefined) return [status];
  return [
    status,
    textComparison("output", "output of the application", [before.output, after.output], masks),
  ];
}

function union(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].sort();
}

export function masked(text: string, masks: readonly RegExp[]): string {
  return masks.reduce((words, mask) => words.replace(mask, "[masked]"), text);
}

function textComparison(
  kind: Comparison["kind"],
  name: string,
  texts: readonly [string, string],
  masks: readonly RegExp[],
): Comparison {
  const [original, packaged] = texts.map((text) => masked(text, masks)) as [string, string];
  const same = original === packaged;
  return {
    kind,
    name,
    same,
    original: `${original.length} characters`,
    packaged: `${packaged.length} characters`,
    difference: same ? [] : firstDifference(original, packaged),
  };
}

/** The first lines in which two texts differ, "-" the original's and "+" the package's. */
export function firstDifference(original: string, packaged: string): string[] {
  const before = original.split("\n");
  const after = packaged.split("\n");
  const lines: string[] = [];
  for (let index = 0; index < Math.max(before.length, after.length) && lines.length < shownLines; index++) {
    if (before[index] === after[index]) continue;
    if (before[index] !== undefined) lines.push(`-${index + 1}: ${(before[index] ?? "").slice(0, 200)}`);
    if (after[index] !== undefined) lines.push(`+${index + 1}: ${(after[index] ?? "").slice(0, 200)}`);
  }
  return lines;
}

function resultComparison(
  name: string,
  original: Side,
  packaged: Side,
  masks: readonly RegExp[],
): Comparison {
  const before = original.results.get(name);
  const after = packaged.results.get(name);
  if (before === undefined || after === undefined) {
    return {
      kind: "result",
      name,
      same: false,
      original: before === undefined ? "absent" : "there",
      packaged: after === undefined ? "absent" : "there",
      difference: [],
    };
  }
  const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  return {
    ...textComparison("result", name, [text(before), text(after)], masks),
    original: `${before.length} bytes`,
    packaged: `${after.length} bytes`,
  };
}

function fileComparison(
  name: string,
  original: WrittenFile | undefined,
  packaged: WrittenFile | undefined,
): Comparison {
  const describe = (file: WrittenFile | undefined) =>
    file === undefined ? "not written" : file.digest === undefined ? "written" : `${file.size} bytes`;
  const same = original !== undefined && packaged !== undefined && original.digest === packaged.digest;
  return {
    kind: "file",
    name,
    same,
    original: describe(original),
    packaged: describe(packaged),
    difference: [],
  };
}
