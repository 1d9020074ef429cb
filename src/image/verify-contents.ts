// Holds the files of an image against the packing list that lies in it: whatever rebuilt, squashed or extended the package, what
// was packed has to be there unchanged, and what the application looked for in vain has to be absent still.
//
// The layers are laid over each other as they will be when the package runs: only what is on top counts.
import { isTranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import {
  type PackedObject,
  type PackingList,
  packingListPath,
  parsePackingList,
} from "../formats/packing-list.ts";
import { Digester } from "./digest.ts";
import type { LayerEvent } from "./layer-reader.ts";
import { packedObject } from "./packed-object.ts";

export interface ContentsFinding {
  severity: "error" | "warning";
  /** One sentence with the value concerned. */
  message: string;
  path: ByteString;
}

/** A list of a million objects has some 200 MB. */
const maxListBytes = 256 << 20;
/** More are counted. */
const maxFindings = 1000;
const maxLinks = 40;

/** What is now at a path. Several names of one object share it. */
interface Placed {
  entry: Entry;
  object: PackedObject;
}

/** A name in the merged tree. Nested, so that a directory goes at once, however much is below it. */
interface Node {
  /** undefined: a directory that only the names below it tell of. */
  placed: Placed | undefined;
  children: Map<ByteString, Node>;
}

export class PackageContents {
  readonly #root: Node = { placed: undefined, children: new Map() };
  #current: { placed: Placed; digester: Digester } | undefined;
  /** The packing list, piece by piece, and the object that it is the content of. */
  #list: { placed: Placed; text: Uint8Array[] } | undefined;

  /** Events of all layers, the lowest first. */
  add(event: LayerEvent): void {
    if (event.type === "entry") this.#entry(event.entry, event.hardlinkTo);
    else if (event.type === "data") this.#data(event.bytes);
    else if (event.type === "end") this.#end();
    else if (event.type === "opaque") this.#find(event.path)?.children.clear();
    else this.#find(parentOf(event.path))?.children.delete(nameOf(event.path));
  }

  #entry(entry: Entry, hardlinkTo: ByteString | undefined): void {
    this.#current = undefined;
    const linked = hardlinkTo === undefined ? undefined : this.#find(hardlinkTo)?.placed;
    const placed = linked ?? { entry, object: packedObject(entry, undefined) };
    const node = this.#make(entry.path);
    node.placed = placed;
    if (entry.kind !== "directory") node.children.clear();
    if (entry.kind !== "file" || linked !== undefined) return;
    if (entry.path === packingListPath) this.#list = { placed, text: [] };
    this.#current = { placed, digester: new Digester() };
  }

  #data(bytes: Uint8Array): void {
    if (this.#current === undefined) return;
    const { placed, digester } = this.#current;
    digester.update(bytes);
    if (this.#list?.placed === placed && placed.entry.size <= maxListBytes)
      this.#list.text.push(Uint8Array.from(bytes));
  }

  #end(): void {
    if (this.#current === undefined) return;
    const { placed, digester } = this.#current;
    placed.object = packedObject(placed.entry, digester.digest());
    this.#current = undefined;
  }

  #find(path: ByteString): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const part of partsOf(path)) node = node?.children.get(part);
    return node;
  }

  /** What is no directory on the way gives way to one, as it does when the layer is unpacked over it. */
  #make(path: ByteString): Node {
    let node = this.#root;
    for (const part of partsOf(path)) {
      if (node.placed !== undefined && node.placed.entry.kind !== "directory") node.placed = undefined;
      let child = node.children.get(part);
      if (child === undefined) {
        child = { placed: undefined, children: new Map() };
        node.children.set(part, child);
      }
      node = child;
    }
    return node;
  }

  /** undefined: the image has no packing list. A list that cannot be read is an error. */
  findings(): ContentsFinding[] | undefined {
    if (this.#list === undefined || this.#find(packingListPath)?.placed !== this.#list.placed)
      return undefined;
    let list: PackingList;
    try {
      list = parsePackingList(Buffer.concat(this.#list.text).toString("utf8"));
    } catch (error) {
      if (!isTranshipError(error)) throw error;
      return [{ severity: "error", message: error.message, path: packingListPath }];
    }
    const found = [...this.#packed(list), ...this.#names(list), ...this.#absent(list)];
    if (found.length <= maxFindings) return found;
    const more = `${found.length - maxFindings} more objects are not as they were packed`;
    return [...found.slice(0, maxFindings), { severity: "error", message: more, path: "/" }];
  }

  *#packed(list: PackingList): Generator<ContentsFinding> {
    for (const packed of list.objects) {
      const placed = this.#find(packed.path)?.placed;
      if (placed === undefined) yield finding(packed.path, "was packed and is gone");
      else yield* differences(packed, placed.object);
    }
  }

  *#names(list: PackingList): Generator<ContentsFinding> {
    for (const { path, hardlinkTo } of list.names) {
      const placed = this.#find(path)?.placed;
      if (placed === undefined) yield finding(path, "was packed and is gone");
      else if (placed !== this.#find(hardlinkTo)?.placed)
        yield finding(path, `was another name of ${escapeBytes(hardlinkTo)} and is a file of its own`);
    }
  }

  *#absent(list: PackingList): Generator<ContentsFinding> {
    for (const path of list.absent) {
      const now = this.#resolveParent(path);
      if (now !== undefined && this.#find(now) !== undefined)
        yield finding(path, "was looked for and absent while the application was watched, and is there now");
    }
  }

  /** The path with the links of its directories followed inside the package; undefined where they lead nowhere. */
  #resolveParent(path: ByteString): ByteString | undefined {
    let parts = partsOf(path);
    let at: ByteString = "";
    for (let links = 0, index = 0; index < parts.length; index++) {
      const part = parts[index] ?? "";
      if (part === "." || part === "..") {
        if (part === "..") at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const entry = this.#find(`${at}/${part}`)?.placed?.entry;
      if (entry?.kind !== "symlink" || index === parts.length - 1) {
        at = `${at}/${part}`;
        continue;
      }
      if (++links > maxLinks) return undefined;
      if (entry.target.startsWith("/")) at = "";
      parts = [...partsOf(entry.target), ...parts.slice(index + 1)];
      index = -1;
    }
    return at;
  }
}

function partsOf(path: ByteString): ByteString[] {
  return path.split("/").filter((part) => part !== "");
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, path.lastIndexOf("/"));
}

function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}

function finding(
  path: ByteString,
  what: string,
  severity: ContentsFinding["severity"] = "error",
): ContentsFinding {
  return { severity, message: `${escapeBytes(path)} ${what}`, path };
}

function* differences(packed: PackedObject, now: PackedObject): Generator<ContentsFinding> {
  const path = packed.path;
  if (now.kind !== packed.kind) {
    yield finding(path, `was packed as a ${packed.kind} and is a ${now.kind}`);
    return;
  }
  const octal = (mode: number) => mode.toString(8).padStart(4, "0");
  if (now.mode !== packed.mode)
    yield finding(path, `was packed with the mode ${octal(packed.mode)} and has ${octal(now.mode)}`);
  if (now.uid !== packed.uid || now.gid !== packed.gid)
    yield finding(path, `belonged to ${packed.uid}:${packed.gid} and belongs to ${now.uid}:${now.gid}`);
  if (now.target !== packed.target)
    yield finding(path, `led to ${escapeBytes(packed.target)} and leads to ${escapeBytes(now.target)}`);
  if (now.rdevMajor !== packed.rdevMajor || now.rdevMinor !== packed.rdevMinor)
    yield finding(
      path,
      `was the device ${packed.rdevMajor}:${packed.rdevMinor} and is ${now.rdevMajor}:${now.rdevMinor}`,
    );
  yield* contentDifferences(packed, now);
  yield* attributeDifferences(packed, now);
  // Tools that cut times to seconds harm few programs; directories change their time with what is added to them.
  if (packed.kind === "file" && now.mtime !== packed.mtime)
    yield finding(path, "has another time of change than when it was packed", "warning");
}

function* contentDifferences(packed: PackedObject, now: PackedObject): Generator<ContentsFinding> {
  const { path } = packed;
  if (now.size !== packed.size) yield finding(path, `had ${packed.size} bytes and has ${now.size}`);
  else if (now.data !== packed.data) {
    const bytes = (one: PackedObject) => one.data ?? one.size;
    yield finding(path, `had ${bytes(packed)} bytes of data beside its holes and has ${bytes(now)}`);
  } else if (now.digest !== packed.digest) yield finding(path, "has other content than when it was packed");
}

function* attributeDifferences(packed: PackedObject, now: PackedObject): Generator<ContentsFinding> {
  const has = new Map(now.xattrs);
  for (const [name, digest] of packed.xattrs) {
    if (!has.has(name)) yield finding(packed.path, `has lost the extended attribute ${escapeBytes(name)}`);
    else if (has.get(name) !== digest)
      yield finding(packed.path, `has another value of the extended attribute ${escapeBytes(name)}`);
    has.delete(name);
  }
  for (const name of has.keys())
    yield finding(packed.path, `has gained the extended attribute ${escapeBytes(name)}`);
}
