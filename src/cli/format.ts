// --format: json, or a template of the subset of Go's that docker users know: fields, json, range, join, index, len.
import { TranshipError } from "../base/errors.ts";

/** One value. */
export function printValue(value: unknown, format: string): string {
  if (format === "json") return printJson(value);
  return renderTemplate(format, value);
}

/**
 * A listing: json is one document, a template is applied to each row; behind the word table it is one with titles. `id`: the title of
 * the field ID.
 */
export function printRows(rows: readonly unknown[], format: string, id = "ID"): string {
  if (format === "json") return printJson(rows);
  const [, template] = /^table\s+(.*)$/s.exec(format) ?? [];
  // Read once, also where there is no row: what is wrong with it is told.
  const nodes = parseTemplate(template ?? format);
  const lines = rows.map((row) => evaluate(nodes, row));
  if (template === undefined) return lines.map((line) => `${line}\n`).join("");
  const titles = nodes.map((node) => titleOf(node, id)).join("");
  return printTable(
    titles.split("\t"),
    lines.map((line) => line.split("\t")),
  );
}

/** Docker's titles that are not the field's name. */
const otherTitles: Readonly<Record<string, string>> = {
  runningfor: "CREATED", createdsince: "CREATED", cpuperc: "CPU %", memperc: "MEM %", memusage: "MEM USAGE / LIMIT",
  netio: "NET I/O", blockio: "BLOCK I/O", pids: "PIDS",
}; // biome-ignore format: a table

function titleOf(node: Node, id: string): string {
  if (node.kind === "text") return node.text;
  const path = node.kind === "value" ? node.call.find((word) => word.startsWith(".")) : node.path;
  const name = path?.split(".").at(-1) ?? "";
  if (name.toLowerCase() === "id") return id;
  return otherTitles[name.toLowerCase()] ?? name.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase();
}

/** JSON leaves DEL and the C1 controls as they are; terminals do not. */
function printJson(value: unknown): string {
  return JSON.stringify(value, jsonValue, 2).replace(
    /[\x7f-\x9f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Columns padded to the widest cell, two or three spaces apart, as docker prints them. */
export function printTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headers.map((header, column) =>
    Math.max(header.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
      .join("")
      .trimEnd();
  return [headers, ...rows].map((cells) => `${line(cells)}\n`).join("");
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Map ? Object.fromEntries(value) : value;
}

type Node =
  | { kind: "text"; text: string }
  | { kind: "value"; call: string[] }
  | { kind: "range"; path: string; body: Node[] }
  | { kind: "if"; path: string; body: Node[]; otherwise: Node[] };

export function renderTemplate(template: string, value: unknown): string {
  return evaluate(parseTemplate(template), value);
}

/** E_USAGE for what is no template. */
export function checkTemplate(template: string): void {
  parseTemplate(template);
}

function parseTemplate(template: string): Node[] {
  const tokens = template
    .replaceAll("\\t", "\t")
    .replaceAll("\\n", "\n")
    .split(/(\{\{.*?\}\})/);
  const { nodes, rest } = parseNodes(tokens, 0);
  if (rest < tokens.length) throw bad(`{{${words(tokens[rest] ?? "").join(" ")}}} without its beginning`);
  return nodes;
}

function words(token: string): string[] {
  return [
    ...token
      .slice(2, -2)
      .replace(/^-|-$/g, "")
      .trim()
      .matchAll(/"(?:[^"\\]|\\.)*"|\S+/g),
  ].map((match) => match[0]);
}

/** Until {{end}} or {{else}}, whose index is `rest`, or the end of the tokens. */
function parseNodes(tokens: readonly string[], from: number): { nodes: Node[]; rest: number } {
  const nodes: Node[] = [];
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    if (token.includes("{{") && !token.endsWith("}}")) throw bad(`${JSON.stringify(token)} has no }}`);
    if (!token.startsWith("{{")) {
      if (token !== "") nodes.push({ kind: "text", text: token });
      continue;
    }
    const call = words(token);
    const [first = "", path = "."] = call;
    if (first === "end" || first === "else") return { nodes, rest: at };
    if (first !== "range" && first !== "if") {
      nodes.push({ kind: "value", call });
      continue;
    }
    const body = parseNodes(tokens, at + 1);
    const isElse = words(tokens[body.rest] ?? "{{}}")[0] === "else";
    const otherwise = isElse ? parseNodes(tokens, body.rest + 1) : { nodes: [], rest: body.rest };
    if (otherwise.rest >= tokens.length) throw bad(`{{${first}}} without {{end}}`);
    nodes.push(
      first === "range"
        ? { kind: "range", path, body: body.nodes }
        : { kind: "if", path, body: body.nodes, otherwise: otherwise.nodes },
    );
    at = otherwise.rest;
  }
  return { nodes, rest: tokens.length };
}

function evaluate(nodes: readonly Node[], value: unknown): string {
  return nodes
    .map((node) => {
      if (node.kind === "text") return node.text;
      if (node.kind === "value") return show(evaluateCall(node.call, value));
      const found = field(node.path, value);
      if (node.kind === "if") return evaluate(truthy(found) ? node.body : node.otherwise, value);
      const items = Array.isArray(found)
        ? found
        : typeof found === "object" && found !== null
          ? Object.values(found)
          : [];
      return items.map((item) => evaluate(node.body, item)).join("");
    })
    .join("");
}

function evaluateCall(call: readonly string[], value: unknown): unknown {
  const [first = "", ...args] = call;
  const argument = (index: number): unknown => {
    const word = args[index] ?? ".";
    return word.startsWith('"') ? JSON.parse(word) : field(word, value);
  };
  switch (first) {
    case "json":
      return JSON.stringify(argument(0), jsonValue);
    case "join":
      return (argument(0) as unknown[]).map(show).join(String(argument(1)));
    case "index":
      return args.slice(1).reduce(itemOf, argument(0));
    case "len":
      return lengthOf(argument(0));
    case "upper":
      return show(argument(0)).toUpperCase();
    case "lower":
      return show(argument(0)).toLowerCase();
    default:
      if (!first.startsWith(".")) throw bad(`unknown word ${JSON.stringify(first)}`);
      return field(first, value);
  }
}

/** "name" of an object, or the number of an item; nothing where there is none, as in Go's maps. */
function itemOf(found: unknown, word: string): unknown {
  if (typeof found !== "object" || found === null) return undefined;
  const key = word.startsWith('"') ? String(JSON.parse(word)) : word;
  if (found instanceof Map) return found.get(key);
  return Object.hasOwn(found, key) ? (found as Record<string, unknown>)[key] : undefined;
}

function lengthOf(value: unknown): number {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
}

/** ".A.B": keys are found whatever their case, so that docker's .ID fits our id. */
function field(path: string, value: unknown): unknown {
  let found = value;
  for (const name of path.split(".").filter((part) => part !== "")) {
    if (typeof found !== "object" || found === null) throw bad(`there is no field ${path}`);
    if (found instanceof Map) {
      found = found.get(name);
      continue;
    }
    const key =
      Object.keys(found).find((one) => one === name) ??
      Object.keys(found).find((one) => one.toLowerCase() === name.toLowerCase());
    if (key === undefined)
      throw bad(`there is no field ${path}; there are: ${Object.keys(found).join(", ")}`);
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

function truthy(value: unknown): boolean {
  return (
    value !== undefined &&
    value !== null &&
    value !== false &&
    value !== "" &&
    value !== 0 &&
    !(Array.isArray(value) && value.length === 0)
  );
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value, jsonValue) : String(value);
}

function bad(what: string): TranshipError {
  return new TranshipError("E_USAGE", `--format: ${what}`, {
    hint: "a template is like '{{.Name}}' or '{{json .}}'; or give json or table",
  });
}

/** --filter KEY=VALUE on listings: every filter must fit; a value fits where the field contains it. */
export function filterRows<T extends object>(rows: readonly T[], filters: readonly string[]): T[] {
  const wanted = filters.map((filter) => {
    const at = filter.indexOf("=");
    if (at < 1) throw new TranshipError("E_USAGE", `--filter ${filter} is not of the form KEY=VALUE`);
    return { key: filter.slice(0, at).toLowerCase(), value: filter.slice(at + 1).toLowerCase() };
  });
  const fits = (row: T, one: { key: string; value: string }): boolean => {
    const field = Object.entries(row).find(([name]) => name.toLowerCase() === one.key);
    if (field === undefined) {
      throw new TranshipError("E_USAGE", `--filter: there is no field ${one.key}`, {
        hint: `there are: ${Object.keys(row).join(", ")}`,
      });
    }
    return show(field[1]).toLowerCase().includes(one.value);
  };
  return rows.filter((row) => wanted.every((one) => fits(row, one)));
}
