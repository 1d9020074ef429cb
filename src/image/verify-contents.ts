// Holds the files of an image against the packing list that lies in it: whatever rebuilt, squashed or extended the package, what
// was packed has to be there unchanged, and what the application looked for in vain has to be absent still.
//
// The layers are laid over each other as they will be when the package runs: only what is on top counts. Of each object little more than a
// digest is kept (object-records.ts), and the list is read line by line, from its layer; so an image of a million files fits. Layers that
// have an object which is not as it was packed are read once more, to say in what it differs.
import { isTranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import {
  type PackedObject,
  type PackingListLine,
  PackingListReader,
  packingListPath,
} from "../formats/packing-list.ts";
import { type LayerObject, ObjectMaker } from "./layer-objects.ts";
import type { LayerEvent } from "./layer-reader.ts";
import { ObjectRecords } from "./object-records.ts";
import { packedObject } from "./packed-object.ts";
import { PathTable } from "./path-table.ts";

export interface ContentsFinding {
  severity: "error" | "warning";
  /** One sentence with the value concerned. */
  message: string;
  path: ByteString;
}

/** The events of the layer of that number, again. */
export type Reread = (layer: number) => AsyncIterable<readonly LayerEvent[]>;

/** A list of a million objects has some 200 MB. */
const maxListBytes = 256 << 20;
/** More are counted. */
const maxFindings = 1000;
const maxLinks = 40;

export class PackageContents {
  readonly #records = new ObjectRecords();
  readonly #paths = new PathTable((number) => this.#records.kind(number) === "directory");
  /** Objects so far, over all layers: each has its number by its place among them. */
  #count = 0;
  /** Objects before each layer. */
  readonly #before: number[] = [];
  #listSize = 0;

  /** Before the objects of each layer, the lowest first. */
  beginLayer(): void {
    this.#before.push(this.#count);
    this.#paths.beginLayer(this.#count);
  }

  add({ entry, hardlinkTo, content }: LayerObject): void {
    const own = ++this.#count;
    const linked = hardlinkTo === undefined ? undefined : this.#paths.get(hardlinkTo);
    if (linked === undefined || linked === 0) this.#records.set(own, packedObject(entry, content));
    this.#paths.set(entry.path, linked === undefined || linked === 0 ? own : linked);
    if (entry.path === packingListPath) this.#listSize = entry.size;
  }

  remove(event: LayerEvent): void {
    if (event.type === "opaque") this.#paths.clear(event.path);
    else if (event.type === "whiteout") this.#paths.remove(event.path);
  }

  /** undefined: the image has no packing list. A list that cannot be read is an error. */
  async findings(reread: Reread): Promise<ContentsFinding[] | undefined> {
    const list = this.#paths.get(packingListPath);
    if (list === undefined || list === 0 || this.#records.kind(list) !== "file") return undefined;
    if (this.#listSize > maxListBytes) {
      const message = `the packing list has ${this.#listSize} bytes`;
      return [{ severity: "error", message, path: packingListPath }];
    }
    const found = new Findings();
    const changed = new Map<number, PackedObject[]>();
    try {
      for await (const line of this.#lines(list, reread)) this.#check(line, found, changed);
    } catch (error) {
      if (!isTranshipError(error)) throw error;
      return [{ severity: "error", message: error.message, path: packingListPath }];
    }
    await this.#explain(changed, reread, found);
    return found.all();
  }

  #check(line: PackingListLine, found: Findings, changed: Map<number, PackedObject[]>): void {
    if ("absent" in line) {
      const now = this.#resolve(line.absent);
      if (now !== undefined && this.#paths.get(now) !== undefined)
        found.add(
          line.absent,
          "was looked for and absent while the application was watched, and is there now",
        );
      return;
    }
    const path = "name" in line ? line.name.path : line.object.path;
    const number = this.#paths.get(path);
    if (number === undefined || number === 0) found.add(path, "was packed and is gone");
    else if ("name" in line) {
      const { hardlinkTo } = line.name;
      if (number !== this.#paths.get(hardlinkTo))
        found.add(path, `was another name of ${escapeBytes(hardlinkTo)} and is a file of its own`);
    } else this.#checkObject(line.object, number, found, changed);
  }

  #checkObject(
    packed: PackedObject,
    number: number,
    found: Findings,
    changed: Map<number, PackedObject[]>,
  ): void {
    const { attributes, content, time } = this.#records.differences(number, packed);
    if (!attributes && !content) {
      if (time && packed.kind === "file") found.add(packed.path, anotherTime, "warning");
      return;
    }
    const packedAs = changed.get(number) ?? [];
    if (changed.size >= maxFindings && packedAs.length === 0) found.more();
    else changed.set(number, [...packedAs, packed]);
  }

  /** The list, out of the layer that has it. */
  async *#lines(list: number, reread: Reread): AsyncGenerator<PackingListLine, void, void> {
    const reader = new PackingListReader();
    const decoder = new TextDecoder();
    const layer = this.#layerOf(list);
    let number = this.#before[layer] ?? 0;
    const maker = new ObjectMaker(() => false);
    let isList = false;
    for await (const events of reread(layer)) {
      for (const event of events) {
        if (event.type === "entry") isList = event.entry.path === packingListPath && number + 1 === list;
        else if (event.type === "data" && isList)
          yield* reader.push(decoder.decode(event.bytes, { stream: true }));
        if (maker.add(event) === undefined) continue;
        if (++number >= list) {
          yield* reader.finish();
          return;
        }
      }
    }
  }

  /** In what the objects differ: they are looked up in their layers by their numbers. */
  async #explain(
    changed: ReadonlyMap<number, PackedObject[]>,
    reread: Reread,
    found: Findings,
  ): Promise<void> {
    const layers = new Set([...changed.keys()].map((number) => this.#layerOf(number)));
    for (const layer of [...layers].sort((a, b) => a - b)) {
      let number = this.#before[layer] ?? 0;
      const maker = new ObjectMaker(() => changed.has(number + 1));
      const last = this.#before[layer + 1] ?? this.#count;
      try {
        for await (const events of reread(layer)) {
          for (const event of events) {
            const object = maker.add(event);
            if (object === undefined) continue;
            for (const packed of changed.get(++number) ?? [])
              found.differences(packed, packedObject(object.entry, object.content));
          }
          if (number >= last) break;
        }
      } catch (error) {
        if (!isTranshipError(error)) throw error; // the layer is damaged, which is a finding of its own
      }
    }
  }

  #layerOf(number: number): number {
    return this.#before.findLastIndex((before) => before < number);
  }

  /** The path with the links of its directories followed inside; undefined where they lead nowhere. */
  #resolve(path: ByteString): ByteString | undefined {
    let parts = partsOf(path);
    let at: ByteString = "";
    for (let links = 0, index = 0; index < parts.length; index++) {
      const part = parts[index] ?? "";
      if (part === "." || part === "..") {
        if (part === "..") at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const number = this.#paths.get(`${at}/${part}`) ?? 0;
      const isLink = number !== 0 && this.#records.kind(number) === "symlink";
      if (!isLink || index === parts.length - 1) {
        at = `${at}/${part}`;
        continue;
      }
      if (++links > maxLinks) return undefined;
      const target = this.#records.target(number);
      if (target.startsWith("/")) at = "";
      parts = [...partsOf(target), ...parts.slice(index + 1)];
      index = -1;
    }
    return at === "" ? "/" : at;
  }
}

const anotherTime = "has another time of change than when it was packed";

class Findings {
  readonly #errors: ContentsFinding[] = [];
  readonly #warnings: ContentsFinding[] = [];
  #more = 0;

  add(path: ByteString, what: string, severity: ContentsFinding["severity"] = "error"): void {
    const list = severity === "error" ? this.#errors : this.#warnings;
    if (list.length >= maxFindings) this.more();
    else list.push({ severity, message: `${escapeBytes(path)} ${what}`, path });
  }

  /** One that is counted only. */
  more(): void {
    this.#more++;
  }

  differences(packed: PackedObject, now: PackedObject): void {
    for (const [what, severity] of differences(packed, now)) this.add(packed.path, what, severity);
  }

  /** Errors first: warnings of a tool that cuts all times come by the thousand. */
  all(): ContentsFinding[] {
    const all = [...this.#errors, ...this.#warnings];
    if (this.#more === 0) return all;
    const severity = this.#errors.length > 0 ? "error" : "warning";
    return [
      ...all,
      { severity, message: `${this.#more} more objects are not as they were packed`, path: "/" },
    ];
  }
}

type Difference = readonly [what: string, severity?: ContentsFinding["severity"]];

function* differences(packed: PackedObject, now: PackedObject): Generator<Difference> {
  if (now.kind !== packed.kind) {
    yield [`was packed as a ${packed.kind} and is a ${now.kind}`];
    return;
  }
  const octal = (mode: number) => mode.toString(8).padStart(4, "0");
  if (now.mode !== packed.mode)
    yield [`was packed with the mode ${octal(packed.mode)} and has ${octal(now.mode)}`];
  if (now.uid !== packed.uid || now.gid !== packed.gid)
    yield [`belonged to ${packed.uid}:${packed.gid} and belongs to ${now.uid}:${now.gid}`];
  if (now.target !== packed.target)
    yield [`led to ${escapeBytes(packed.target)} and leads to ${escapeBytes(now.target)}`];
  if (now.rdevMajor !== packed.rdevMajor || now.rdevMinor !== packed.rdevMinor)
    yield [`was the device ${packed.rdevMajor}:${packed.rdevMinor} and is ${now.rdevMajor}:${now.rdevMinor}`];
  yield* contentDifferences(packed, now);
  yield* attributeDifferences(packed, now);
  // Tools that cut times to seconds harm few programs; directories change their time with what is added to them.
  if (packed.kind === "file" && now.mtime !== packed.mtime) yield [anotherTime, "warning"];
}

function* contentDifferences(packed: PackedObject, now: PackedObject): Generator<Difference> {
  if (now.size !== packed.size) yield [`had ${packed.size} bytes and has ${now.size}`];
  else if (now.data !== packed.data) {
    const bytes = (one: PackedObject) => one.data ?? one.size;
    yield [`had ${bytes(packed)} bytes of data beside its holes and has ${bytes(now)}`];
  } else if (now.digest !== packed.digest) yield ["has other content than when it was packed"];
}

function* attributeDifferences(packed: PackedObject, now: PackedObject): Generator<Difference> {
  const has = new Map(now.xattrs);
  for (const [name, digest] of packed.xattrs) {
    if (!has.has(name)) yield [`has lost the extended attribute ${escapeBytes(name)}`];
    else if (has.get(name) !== digest)
      yield [`has another value of the extended attribute ${escapeBytes(name)}`];
    has.delete(name);
  }
  for (const name of has.keys()) yield [`has gained the extended attribute ${escapeBytes(name)}`];
}

function partsOf(path: ByteString): ByteString[] {
  return path.split("/").filter((part) => part !== "");
}
