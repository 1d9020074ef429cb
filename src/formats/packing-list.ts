// The packing list: what was put into a package, object by object, and what was looked for and not there. It lies in the package
// itself (/.tranship/packing-list), so that whoever changes, squashes or rebuilds the image takes it along.
//
// Text, one line an object in byte order, fields between tabs, paths and targets escaped (escape.ts), attributes of an
// object on lines of their own below it. docs/internals/packing-list.md describes each field.
import { TranshipError } from "../base/errors.ts";
import type { ByteString, EntryKind } from "./entry.ts";
import { escapeBytes, unescapeBytes } from "./escape.ts";

export interface PackedObject {
  path: ByteString;
  kind: EntryKind;
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since the epoch. */
  mtime: bigint;
  /** Bytes of content; of files only. */
  size: number;
  /** Bytes of data of a file with holes; undefined where it has none. */
  data: number | undefined;
  /** Of the data of a file: the first 32 hex digits of its sha256. "" for other kinds. */
  digest: string;
  /** Symbolic links only. */
  target: ByteString;
  rdevMajor: number;
  rdevMinor: number;
  /** Names in order, with the first 32 hex digits of the sha256 of each value. */
  xattrs: ReadonlyArray<readonly [name: string, digest: string]>;
}

/** Another name of an object that is in the list. */
export interface PackedName {
  path: ByteString;
  hardlinkTo: ByteString;
}

export interface PackingList {
  objects: PackedObject[];
  names: PackedName[];
  /** Looked for in vain while the application was watched, and not on the source. */
  absent: ByteString[];
}

/** Inside a package. */
export const packingListPath = "/.tranship/packing-list";

const title = "tranship-packing-list 1";

const letters: readonly (readonly [string, EntryKind])[] = [
  ["f", "file"],
  ["d", "directory"],
  ["l", "symlink"],
  ["p", "fifo"],
  ["s", "socket"],
  ["c", "character"],
  ["b", "block"],
];
const letterOf = new Map(letters.map(([letter, kind]) => [kind, letter]));
const kindOf = new Map(letters);

/** The same list gives the same text, in whatever order its parts came. */
export function printPackingList(list: PackingList): string {
  const lines = new Map<ByteString, string>();
  for (const one of list.objects) lines.set(one.path, objectLines(one));
  for (const one of list.names) lines.set(one.path, nameLine(one));
  return [...packingListText(lines, list.absent)].join("");
}

/** The text from the lines of each path, as printed below, in pieces that end with a line. */
export function* packingListText(
  lines: { keys(): Iterable<ByteString>; get(path: ByteString): string | undefined },
  absent: readonly ByteString[],
): Generator<string, void, void> {
  let piece = `${title}\n`;
  const gone = new Set(absent);
  for (const path of [...lines.keys(), ...absent].sort()) {
    const line = lines.get(path);
    if (line !== undefined) piece += `${line}\n`;
    else if (gone.delete(path)) piece += `-\t${escapeBytes(path)}\n`;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}

const pieceLength = 1 << 20;

export function nameLine({ path, hardlinkTo }: PackedName): string {
  return `h\t${escapeBytes(hardlinkTo)}\t${escapeBytes(path)}`;
}

export function objectLines(one: PackedObject): string {
  const fields = [
    letterOf.get(one.kind) ?? "f",
    one.mode.toString(8).padStart(4, "0"),
    String(one.uid),
    String(one.gid),
    String(one.mtime),
    ...ownFields(one),
    escapeBytes(one.path),
  ];
  const xattrs = one.xattrs.map(([name, digest]) => `x\t${escapeBytes(name)}\t${digest}`);
  return [fields.join("\t"), ...xattrs].join("\n");
}

function ownFields(one: PackedObject): string[] {
  if (one.kind === "file")
    return [String(one.size), one.data === undefined ? "-" : String(one.data), one.digest];
  if (one.kind === "symlink") return [escapeBytes(one.target)];
  if (one.kind === "character" || one.kind === "block") return [`${one.rdevMajor}:${one.rdevMinor}`];
  return [];
}

/** E_PROTOCOL with the number of the line where the text is no packing list. */
export function parsePackingList(text: string): PackingList {
  const list: PackingList = { objects: [], names: [], absent: [] };
  const reader = new PackingListReader();
  for (const line of [...reader.push(text), ...reader.finish()]) {
    if ("object" in line) list.objects.push(line.object);
    else if ("name" in line) list.names.push(line.name);
    else list.absent.push(line.absent);
  }
  return list;
}

export type PackingListLine = { object: PackedObject } | { name: PackedName } | { absent: ByteString };

/** Longer than any path, its target and what stands between them. */
const longestLine = 1 << 20;

/** Reads a list in pieces. E_PROTOCOL with the number of the line where the text is no packing list. */
export class PackingListReader {
  #rest = "";
  #line = 0;
  /** The last object, whose attributes may follow. */
  #open: { object: PackedObject; xattrs: (readonly [string, string])[] } | undefined;

  /** What is whole by now: an object when the next line has come. */
  *push(text: string): Generator<PackingListLine, void, void> {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) yield* this.#next(line);
    if (this.#rest.length > longestLine)
      throw broken(this.#line + 1, `is longer than ${longestLine} characters`);
  }

  *finish(): Generator<PackingListLine, void, void> {
    if (this.#line === 0) throw broken(1, `does not begin with "${title}"`);
    if (this.#rest !== "") throw broken(this.#line + 1, "is cut off");
    yield* this.#close();
  }

  *#next(line: string): Generator<PackingListLine, void, void> {
    const at = ++this.#line;
    if (at === 1) {
      if (line !== title) throw broken(1, `does not begin with "${title}"`);
      return;
    }
    const fields = line.split("\t");
    const problem = (why: string) => broken(at, why);
    if (fields[0] === "x") {
      if (this.#open === undefined || fields.length !== 3) throw problem("is an attribute of nothing");
      this.#open.xattrs.push([unescapeBytes(fields[1] ?? ""), hex(fields[2], problem)]);
      return;
    }
    yield* this.#close();
    const path = absolute(fields.at(-1), problem);
    if (fields[0] === "-" && fields.length === 2) yield { absent: path };
    else if (fields[0] === "h" && fields.length === 3)
      yield { name: { path, hardlinkTo: absolute(fields[1], problem) } };
    else {
      const xattrs: [string, string][] = [];
      this.#open = { object: { ...objectOf(fields, problem), path, xattrs }, xattrs };
    }
  }

  *#close(): Generator<PackingListLine, void, void> {
    if (this.#open !== undefined) yield { object: this.#open.object };
    this.#open = undefined;
  }
}

type Problem = (why: string) => TranshipError;

function objectOf(fields: readonly string[], problem: Problem): Omit<PackedObject, "path" | "xattrs"> {
  const [letter = "", mode = "", uid, gid, mtime = ""] = fields;
  const kind = kindOf.get(letter);
  if (kind === undefined) throw problem(`begins with ${JSON.stringify(letter.slice(0, 20))}`);
  const own = fields.slice(5, -1);
  const wanted = kind === "file" ? 3 : kind === "symlink" || kind === "character" || kind === "block" ? 1 : 0;
  if (own.length !== wanted || fields.length < 6) throw problem(`has ${fields.length} fields`);
  if (!/^[0-7]{4}$/.test(mode)) throw problem("has no mode of four octal digits");
  if (!/^-?\d{1,19}$/.test(mtime)) throw problem("has no time");
  const device = kind === "character" || kind === "block" ? /^(\d{1,10}):(\d{1,10})$/.exec(own[0] ?? "") : [];
  if (device === null) throw problem("has no device number");
  return {
    kind,
    mode: Number.parseInt(mode, 8),
    uid: number(uid, problem),
    gid: number(gid, problem),
    mtime: BigInt(mtime),
    size: kind === "file" ? number(own[0], problem) : 0,
    data: kind !== "file" || own[1] === "-" ? undefined : number(own[1], problem),
    digest: kind === "file" ? hex(own[2], problem) : "",
    target: kind === "symlink" ? unescapeBytes(own[0] ?? "") : "",
    rdevMajor: Number(device[1] ?? 0),
    rdevMinor: Number(device[2] ?? 0),
  };
}

function number(text: string | undefined, problem: Problem): number {
  const value = Number(text);
  if (text === undefined || !/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
    throw problem(`has ${JSON.stringify(text?.slice(0, 20))} in the place of a number`);
  return value;
}

function hex(text: string | undefined, problem: Problem): string {
  if (text === undefined || !/^[0-9a-f]{32}$/.test(text)) throw problem("has no digest of 32 hex digits");
  return text;
}

function absolute(text: string | undefined, problem: Problem): ByteString {
  if (text?.startsWith("/") !== true) throw problem("names no absolute path");
  return unescapeBytes(text);
}

function broken(line: number, why: string): TranshipError {
  return new TranshipError("E_PROTOCOL", `the packing list, line ${line}: ${why}`, {
    hint: "it was damaged, or a newer Tranship made the package",
  });
}
