// Single changes of a YAML text: what is not changed stays as it was written, comments, order, spacing and unknown keys included.
//
// A value that takes the place of a value is spliced into the text. What needs a new line, or takes one away, goes through the
// document model, which keeps comments and order, but writes its own spacing.
import {
  Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
} from "yaml";
import { TranshipError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";

/** `value` undefined: the key is removed. */
export interface Change {
  /** "services[web].stop.timeout", "environment[A.B]", "volumes[+]". */
  key: string;
  value: unknown;
}

/** KEY=VALUE: the value is YAML, so that `80` is a number, `[a, b]` a list and `"80"` a text. E_USAGE. */
export function parseChange(text: string): Change {
  const cut = /^((?:[^=[]|\[[^\]]*\])+)=/.exec(text);
  if (cut?.[1] === undefined) throw usage(`not of the form KEY=VALUE: ${JSON.stringify(text)}`);
  const written = text.slice(cut[0].length);
  const document = parseDocument(written);
  const error = document.errors[0];
  if (error !== undefined) throw usage(`${cut[1]}: ${error.message.split("\n")[0]}`);
  return { key: cut[1].trim(), value: written.trim() === "" ? "" : document.toJS({ maxAliasCount: 100 }) };
}

/** The text with the changes, in order. E_USAGE names a key that leads nowhere. */
export function changeText(text: string, changes: readonly Change[]): string {
  let now = text;
  for (const { key, value } of changes) now = changeOne(now, key, value);
  return now;
}

type Step = string | number | "+";

function changeOne(text: string, key: string, value: unknown): string {
  const document = parseDocument(text);
  const error = document.errors[0];
  if (error !== undefined) throw usage(error.message.split("\n")[0] ?? "");
  const path = resolve(document, key, value === undefined);
  const old = document.getIn(path, true);
  if (value !== undefined && isNode(old)) {
    const spliced = splice(text, old, path, value);
    if (spliced !== undefined) return spliced;
  }
  if (value === undefined) document.deleteIn(path);
  else document.setIn(path, newNode(document, path, value));
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** A short list or map stands in one line where its surroundings do. */
function newNode(document: Document.Parsed, path: readonly Step[], value: unknown): Node {
  const node = document.createNode(value);
  const parent = document.getIn(path.slice(0, -1), true);
  if (isCollection(node) && (path.length === 1 ? false : !isCollection(parent) || parent.flow === true))
    node.flow = true;
  return node;
}

/** The text with the new value where the old one stood; undefined where that does not read back as the change that was meant. */
function splice(text: string, old: Node, path: readonly Step[], value: unknown): string | undefined {
  if (isAlias(old) || old.range == null || ("anchor" in old && old.anchor !== undefined)) return undefined;
  if (isScalar(old) && (old.type === "BLOCK_FOLDED" || old.type === "BLOCK_LITERAL")) return undefined;
  if (isCollection(old) && old.flow !== true) return undefined;
  const written = new Document(value).toString({
    lineWidth: 0,
    collectionStyle: "flow",
    flowCollectionPadding: false,
  });
  const flow = written.trimEnd();
  if (flow.includes("\n")) return undefined;
  const spliced = text.slice(0, old.range[0]) + flow + text.slice(old.range[1]);
  const wanted = parseDocument(text);
  wanted.setIn(path, value);
  const read = parseDocument(spliced);
  if (read.errors.length > 0) return undefined;
  const same = JSON.stringify(read.toJS()) === JSON.stringify(wanted.toJS());
  return same ? spliced : undefined;
}

/** Words of a key; elements of a list are named by number, by what they are called, or `+` for one more. */
function words(key: string): { word: string; bracket: boolean }[] {
  const found: { word: string; bracket: boolean }[] = [];
  let rest = key;
  while (rest !== "") {
    const match =
      /^\[([^\]]+)\]/.exec(rest) ?? (found.length === 0 ? /^([^.[\]]+)/ : /^\.([^.[\]]+)/).exec(rest);
    if (match?.[1] === undefined) throw usage(`not a key: ${JSON.stringify(key)}`);
    found.push({ word: match[1], bracket: match[0].startsWith("[") });
    rest = rest.slice(match[0].length);
  }
  if (found.length === 0) throw usage("a key is empty");
  return found;
}

function resolve(document: Document.Parsed, key: string, removed: boolean): Step[] {
  const path: Step[] = [];
  const all = words(key);
  for (const [index, { word }] of all.entries()) {
    const node = path.length === 0 ? document.contents : document.getIn(path, true);
    const last = index === all.length - 1;
    if (isSeq(node)) path.push(element(node, word, key, removed || !last));
    else if (node === undefined || node === null || isMap(node) || (isScalar(node) && node.value === null)) {
      if (removed && !(isMap(node) && node.has(word))) throw noKey(key, word, node);
      // A list that is not there yet begins with its first element.
      path.push(word === "+" ? 0 : word);
    } else throw usage(`${key}: ${wordsOf(path)} holds a single value`);
  }
  return path;
}

function element(node: { items: unknown[] }, word: string, key: string, mustBeThere: boolean): number {
  if (word === "+" && !mustBeThere) return node.items.length;
  const names = node.items.map((item) => {
    if (!isMap(item)) return isScalar(item) ? String(item.value) : "";
    const name = ["name", "path", "port", "from", "program"].find((one) => item.has(one));
    return name === undefined ? "" : String(item.get(name));
  });
  const named = names.indexOf(word);
  if (named >= 0) return named;
  const index = /^\d+$/.test(word) ? Number(word) : -1;
  if (index >= 0 && index < node.items.length) return index;
  const meant = nearest(word, names);
  throw usage(
    `${key}: there is no ${JSON.stringify(word)} in that list`,
    meant === undefined
      ? `there are: ${names.map((name, i) => name || String(i)).join(", ") || "none"}; [+] adds one`
      : `did you mean [${meant}]?`,
  );
}

function noKey(key: string, word: string, node: unknown): TranshipError {
  const known = isMap(node)
    ? node.items.map((pair) => (isScalar(pair.key) ? String(pair.key.value) : ""))
    : [];
  const meant = nearest(word, known);
  return usage(
    `${key}: there is no ${JSON.stringify(word)} to remove`,
    meant === undefined ? `there are: ${known.join(", ") || "none"}` : `did you mean ${meant}?`,
  );
}

function wordsOf(path: readonly Step[]): string {
  return path.map((step) => (typeof step === "number" ? `[${step}]` : step)).join(".");
}

function usage(
  message: string,
  hint = "write for example --set services[web].stop.timeout=30s",
): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
