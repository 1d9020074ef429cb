// Data of a program that runs while it is packed: files that change under our hands.
//
// A small file is read as a whole before it goes into a layer, again where it changed meanwhile, so that each packed file is one that
// was there at one moment. A large one is read straight into the layer, and ends the packing where it changes.
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
    if (stream.changed()) continue;
    return { entry: { ...stream.entry, nlink: 1 }, data: each(parts) };
  }
  const entry = await machine.files.stat(path);
  if (entry === undefined) return undefined;
  throw unsteady(entry);
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
