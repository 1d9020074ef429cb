// Data of a program that runs while it is packed: files that change under our hands.
//
// A small file is read as a whole before it goes into a layer, again where it changed meanwhile, so that each packed file is one that
// was there at one moment. One that grows all the time, as a log does, is held against a second reading of what the first found. A large
// one is read straight into the layer, and ends the packing where it changes.
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import type { LayerData, LayerItem } from "../../image/layer-item.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Plan } from "../plan/plan.ts";

/** Held in memory, one at a time (and the next one, which the writer reads ahead). */
const smallFile = 16 << 20;
const attempts = 5;
/** Of reading what came to a file while its end was read: each time it is less. */
const attemptsAtItsEnd = 50;

/** Whether a path is data that may change while it is packed: below a volume of a machine that runs. */
export function liveData(machine: Machine, plan: Plan): (path: ByteString) => boolean {
  if (!machine.live) return () => false;
  const volumes = plan.package.volumes
    .filter((one) => one.initial === "copy")
    .map((one) => encodeText(one.path));
  return (path) => volumes.some((volume) => path.startsWith(`${volume}/`));
}

export function isSmall(entry: Entry): boolean {
  return entry.size <= smallFile;
}

/** Undefined where the file has gone. E_SOURCE_CHANGED where it does not keep still, or has grown large. */
export async function steadyItem(machine: Machine, path: ByteString): Promise<LayerItem | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const stream = await machine.files.stream(path);
    if (stream === undefined) return undefined;
    if (stream.entry.kind !== "file" || !isSmall(stream.entry)) throw unsteady(stream.entry);
    const parts: LayerData[] = [];
    let bytes = 0;
    for await (const part of stream.data) {
      bytes += part.bytes.length;
      if (bytes > smallFile) throw unsteady(stream.entry);
      parts.push({ offset: part.offset, bytes: Uint8Array.from(part.bytes) });
    }
    if (!stream.changed()) return { entry: { ...stream.entry, nlink: 1 }, data: each(parts) };
    const grown = await whileItGrows(machine, stream.entry, parts);
    if (grown !== undefined) return grown;
  }
  const entry = await machine.files.stat(path);
  if (entry === undefined) return undefined;
  throw unsteady(entry);
}

/**
 * The file of `first`, of which `parts` were read while it changed, as it was at one moment after that: all of it had been read by then,
 * and reads the same afterwards. Undefined where more happens to it than that it grows.
 */
async function whileItGrows(
  machine: Machine,
  first: Entry,
  parts: readonly LayerData[],
): Promise<LayerItem | undefined> {
  const read = first.extents === undefined ? await toItsEnd(machine, first, joined(parts)) : undefined;
  if (read === undefined) return undefined;
  const { entry, bytes } = read;
  const again = await machine.files.readRange(entry.path, 0, bytes.length);
  const after = await machine.files.stat(entry.path);
  if (again === undefined || after === undefined || !isFileOf(after, first)) return undefined;
  if (again.length !== bytes.length || !bytes.every((byte, at) => byte === again[at])) return undefined;
  return { entry: { ...entry, nlink: 1 }, data: each([{ offset: 0, bytes }]) };
}

/** `entry` is of the moment at which `bytes` was all of the file. */
async function toItsEnd(
  machine: Machine,
  first: Entry,
  start: Uint8Array,
): Promise<{ entry: Entry; bytes: Uint8Array } | undefined> {
  let bytes = start;
  for (let attempt = 0; attempt < attemptsAtItsEnd; attempt++) {
    const entry = await machine.files.stat(first.path);
    if (entry === undefined || !isFileOf(entry, first) || entry.extents !== undefined || !isSmall(entry))
      return undefined;
    if (entry.size === bytes.length) return { entry, bytes };
    if (entry.size < bytes.length) return undefined;
    const more = await machine.files.readRange(first.path, bytes.length, entry.size - bytes.length);
    if (more === undefined) return undefined;
    bytes = joined([{ bytes }, { bytes: more }]);
  }
  return undefined;
}

function isFileOf(entry: Entry, first: Entry): boolean {
  return entry.kind === "file" && entry.dev === first.dev && entry.ino === first.ino;
}

function joined(parts: readonly { bytes: Uint8Array }[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let at = 0;
  for (const { bytes } of parts) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}

async function* each(parts: readonly LayerData[]): AsyncGenerator<LayerData> {
  yield* parts;
}

export const whatToDoWithData =
  "stop the program, or take its data from a snapshot with --data snapshot:DIR, or leave it out with --data empty or --exclude";

function unsteady(entry: Entry): TranshipError {
  return new TranshipError(
    "E_SOURCE_CHANGED",
    `${escapeBytes(entry.path)} (${formatSize(entry.size)}) changes all the time while it is packed`,
    { hint: whatToDoWithData, details: { path: entry.path } },
  );
}

/** The writer's error for a large file of a running program, with what helps here. */
export function explainLiveData(error: unknown, isLive: (path: ByteString) => boolean): unknown {
  if (!(error instanceof TranshipError) || error.code !== "E_SOURCE_CHANGED") return error;
  const { path } = error.details;
  if (typeof path !== "string" || !isLive(path)) return error;
  return new TranshipError("E_SOURCE_CHANGED", error.message, {
    hint: whatToDoWithData,
    details: error.details,
    cause: error,
  });
}
