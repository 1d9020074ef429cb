// Holds the files of an image against the packing list that lies in it: whatever rebuilt, squashed or extended the package, what
// was packed has to be there unchanged, and what the application looked for in vain has to be absent still.
//
// The layers are laid over each other as they will be when the package runs: only what is on top counts.
import { isTranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import {
  type PackedObject,
  type PackingList,
  packingListPath,
  parsePackingList,
} from "../formats/packing-list.ts";
import type { LayerEvent } from "./layer-reader.ts";
import { MergedTree } from "./merged-tree.ts";

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

export class PackageContents {
  readonly #tree = new MergedTree({ [packingListPath]: maxListBytes });

  /** Events of all layers, the lowest first. */
  add(event: LayerEvent): void {
    this.#tree.add(event);
  }

  /** undefined: the image has no packing list. A list that cannot be read is an error. */
  findings(): ContentsFinding[] | undefined {
    const text = this.#tree.textOf(packingListPath);
    if (text === undefined) {
      const list = this.#tree.at(packingListPath)?.entry;
      if (list?.kind !== "file") return undefined;
      return [
        { severity: "error", message: `the packing list has ${list.size} bytes`, path: packingListPath },
      ];
    }
    let list: PackingList;
    try {
      list = parsePackingList(Buffer.from(text).toString("utf8"));
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
      const placed = this.#tree.at(packed.path);
      if (placed === undefined) yield finding(packed.path, "was packed and is gone");
      else yield* differences(packed, placed.object);
    }
  }

  *#names(list: PackingList): Generator<ContentsFinding> {
    for (const { path, hardlinkTo } of list.names) {
      const placed = this.#tree.at(path);
      if (placed === undefined) yield finding(path, "was packed and is gone");
      else if (placed !== this.#tree.at(hardlinkTo))
        yield finding(path, `was another name of ${escapeBytes(hardlinkTo)} and is a file of its own`);
    }
  }

  *#absent(list: PackingList): Generator<ContentsFinding> {
    for (const path of list.absent) {
      const now = this.#tree.resolve(path);
      if (now !== undefined && this.#tree.has(now))
        yield finding(path, "was looked for and absent while the application was watched, and is there now");
    }
  }
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
