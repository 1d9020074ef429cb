// The two JSON files of an EMP folder without loss: a change splices the one value; order, spacing and unknown keys stay.
import { TranshipError } from "../../base/errors.ts";
import { strictJsonProblem } from "../json-strict.ts";
import type { EmpFinding, EmpMetadata } from "./files.ts";
import { placeOf } from "./xml-tree.ts";

interface Member {
  key: string;
  start: number;
  value: Span;
}

/** A value with its place; members of objects, elements of lists. */
interface Span {
  kind: "object" | "list" | "scalar";
  start: number;
  end: number;
  members: Member[];
  items: Span[];
  scalar: unknown;
}

const metadataKeys: readonly (readonly [keyof EmpMetadata, string])[] = [
  ["packageId", "PackageId"],
  ["icon", "Icon"],
  ["name", "Name"],
  ["version", "Version"],
  ["publisher", "Publisher"],
  ["awsProfileName", "AWSProfileName"],
];
const findingKeys: readonly (readonly [keyof EmpFinding, string])[] = [
  ["level", "Level"],
  ["category", "Category"],
  ["message", "Message"],
];

export function readMetadata(text: string, name: string): EmpMetadata {
  const top = parse(text, name);
  if (top.kind !== "object") throw invalid(text, top.start, name, "holds no object");
  return record(top, metadataKeys) as EmpMetadata;
}

export function writeMetadata(text: string, name: string, value: EmpMetadata): string {
  const top = parse(text, name);
  return apply(text, update(text, top, value));
}

export function readReport(text: string, name: string): EmpFinding[] {
  return findings(parse(text, name), text, name).map((one) => record(one, findingKeys));
}

export function printMetadata(value: EmpMetadata): string {
  return `${objectText(value, metadataKeys, "\r\n  ", "\r\n")}\r\n`;
}

export function printReport(value: readonly EmpFinding[]): string {
  if (value.length === 0) return "[]\r\n";
  return `[\r\n${value.map((one) => `  ${objectText(one, findingKeys)}`).join(",\r\n")}\r\n]\r\n`;
}

function findings(top: Span, text: string, name: string): Span[] {
  if (top.kind !== "list") throw invalid(text, top.start, name, "holds no list");
  const other = top.items.find((one) => one.kind !== "object");
  if (other !== undefined) throw invalid(text, other.start, name, "holds a finding that is no object");
  return top.items;
}

function record(span: Span, keys: readonly (readonly [string, string])[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [own, key] of keys) {
    const value = memberOf(span, key)?.value;
    if (value?.kind === "scalar" && value.scalar !== null) found[own] = String(value.scalar);
  }
  return found;
}

function memberOf(span: Span, key: string): Member | undefined {
  const exact = span.members.find((one) => one.key === key);
  return exact ?? span.members.find((one) => one.key.toLowerCase() === key.toLowerCase());
}

interface Splice {
  start: number;
  end: number;
  text: string;
}

function update(text: string, span: Span, value: EmpMetadata): Splice[] {
  const now = record(span, metadataKeys) as EmpMetadata;
  const splices: Splice[] = [];
  const added: string[] = [];
  for (const [own, key] of metadataKeys) {
    if (value[own] === now[own]) continue;
    const place = memberOf(span, key)?.value;
    const written = value[own] === undefined ? "null" : JSON.stringify(value[own]);
    if (place === undefined) added.push(`${JSON.stringify(key)}: ${written}`);
    else splices.push({ start: place.start, end: place.end, text: written });
  }
  if (added.length === 0) return splices;
  const last = span.members.at(-1);
  const before = last === undefined ? "" : layoutBefore(text, last);
  const at = last?.value.end ?? span.start + 1;
  const joined = added.map((one) => before + one).join(",");
  return [...splices, { start: at, end: at, text: last === undefined ? joined : `,${joined}` }];
}

/** White space before a member, so that one more looks like it. */
function layoutBefore(text: string, member: Member): string {
  return /\s*$/.exec(text.slice(Math.max(0, member.start - 200), member.start))?.[0] ?? "";
}

function apply(text: string, splices: readonly Splice[]): string {
  let result = "";
  let at = 0;
  for (const { start, end, text: added } of [...splices].sort((a, b) => a.start - b.start || a.end - b.end)) {
    result += text.slice(at, start) + added;
    at = end;
  }
  return result + text.slice(at);
}

function objectText(
  value: object,
  keys: readonly (readonly [string, string])[],
  before = "",
  behind = "",
): string {
  const given = value as Record<string, string | undefined>;
  const members = keys
    .filter(([own]) => given[own] !== undefined)
    .map(([own, key]) => `${before}${JSON.stringify(key)}: ${JSON.stringify(given[own])}`);
  return `{${members.join(before === "" ? ", " : ",")}${members.length > 0 ? behind : ""}}`;
}

/** The text is read twice: by JSON.parse, which says what is wrong, and here for the places. */
function parse(text: string, name: string): Span {
  const body = text.startsWith("\ufeff") ? text.slice(1) : text;
  try {
    JSON.parse(body);
  } catch (cause) {
    const at = Number(/position (\d+)/.exec(String(cause))?.[1] ?? 0);
    throw invalid(text, at, name, "is no JSON there");
  }
  const problem = strictJsonProblem(body);
  if (problem !== undefined) throw new TranshipError("E_EMP_INVALID", `${name} ${problem}`);
  return new Places(text).read();
}

class Places {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.startsWith("\ufeff")) this.#at = 1;
  }

  read(): Span {
    this.#space();
    const start = this.#at;
    const char = this.#text[start];
    const span: Span = { kind: "scalar", start, end: start, members: [], items: [], scalar: undefined };
    if (char === "{" || char === "[") {
      span.kind = char === "{" ? "object" : "list";
      this.#at++;
      for (this.#space(); !"}]".includes(this.#text[this.#at] ?? "]"); this.#space()) {
        if (this.#text[this.#at] === ",") this.#at++;
        else if (char === "{") span.members.push(this.#member());
        else span.items.push(this.read());
      }
      this.#at++;
    } else span.scalar = this.#scalar();
    span.end = this.#at;
    return span;
  }

  #member(): Member {
    const start = this.#at;
    const key = String(this.#scalar());
    this.#space();
    this.#at++; // the colon
    return { key, start, value: this.read() };
  }

  #scalar(): unknown {
    const rest = /"[^"\\]*(?:\\.[^"\\]*)*"|[^\s,:\]}]+/y;
    rest.lastIndex = this.#at;
    const raw = rest.exec(this.#text)?.[0] ?? "null";
    this.#at += raw.length;
    return JSON.parse(raw);
  }

  #space(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }
}

function invalid(text: string, at: number, name: string, what: string): TranshipError {
  const { line, column } = placeOf(text, at);
  return new TranshipError("E_EMP_INVALID", `${name}: line ${line}, column ${column}: ${what}`, {
    hint: "correct the file there; nothing was taken from the folder",
    details: { file: name, line, column },
  });
}
