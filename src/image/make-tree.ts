// Entries and their content become a tree on disk, by `tree unpack`: with owners, extended attributes, holes and times.
import type { TranshipError } from "../base/errors.ts";
import { harmlessDevices } from "../formats/device.ts";
import type { ByteString } from "../formats/entry.ts";
import { encodeFrame, encodeMagic, FrameReader, treeMagic } from "../formats/frames.ts";
import {
  decodeError,
  encodeDataHeader,
  encodeEnd,
  encodeEntry,
  encodeFinish,
  encodeHardlink,
  encodePath,
  treeFrame,
} from "../formats/tree-records.ts";
import { spawnError, statusOf } from "../host/process.ts";
import { spawnTree, type TreeChild, type TreeWithin } from "../host/tree-spawn.ts";
import { FrameBatch } from "./frame-batch.ts";
import type { LayerEvent, LayerLimits } from "./layer-reader.ts";

/** The error for what `tree unpack` refused: its sentence, and the path concerned where it named one. */
export type TreeFailure = (reason: string, path: ByteString | undefined) => TranshipError;

/** Makes what the events tell of, one by one or many at once, in an existing empty directory. `within`: see spawnTree(). */
export async function makeTree(
  destination: string,
  given: AsyncIterable<LayerEvent | readonly LayerEvent[]>,
  limits: Partial<LayerLimits>,
  failed: TreeFailure,
  within?: TreeWithin,
): Promise<void> {
  const child = spawnTree(unpackArguments(destination, limits), false, within);
  const output = collectOutput(child, failed);
  let broken = false;
  child.stdin.on("error", () => {
    broken = true; // it has ended early: what it says about that comes below
  });
  const frames = new FrameBatch(async (bytes) => {
    if (broken || child.stdin.destroyed) throw stopped;
    const written = new Promise((resolve) => child.stdin.write(bytes, resolve));
    await Promise.race([written, output.ended]);
  });
  try {
    await frames.add(encodeMagic(treeMagic));
    for await (const some of given) {
      for (const event of "type" in some ? [some] : some) {
        const full = sendEvent(frames, event);
        if (full !== undefined) await full;
      }
    }
    await frames.add(encodeFinish());
    await frames.flush();
    child.stdin.end();
  } catch (error) {
    if (error !== stopped && !broken) {
      child.kill("SIGKILL");
      await output.ended;
      throw error;
    }
  }
  await output.result();
}

/** The program has ended before all was sent. */
const stopped = new Error("tree unpack has ended");

function unpackArguments(destination: string, limits: Partial<LayerLimits>): string[] {
  const args = ["unpack"];
  if (limits.maxBytes !== undefined) args.push("--max-bytes", String(limits.maxBytes));
  if (limits.maxEntries !== undefined) args.push("--max-entries", String(limits.maxEntries));
  for (const device of limits.devices ?? harmlessDevices) args.push("--allow-device", device.slice(2));
  return [...args, destination];
}

const maxDataBytes = 512 << 10;

function sendEvent(frames: FrameBatch, event: LayerEvent): Promise<void> | undefined {
  switch (event.type) {
    case "entry": {
      const { entry, hardlinkTo } = event;
      return frames.add(
        hardlinkTo === undefined
          ? frame(treeFrame.entry, encodeEntry(entry))
          : frame(treeFrame.hardlink, encodeHardlink(entry.path, hardlinkTo)),
      );
    }
    case "data":
      return sendData(frames, event.offset, event.bytes);
    case "end":
      return frames.add(endFrame);
    default:
      return frames.add(frame(treeFrame[event.type], encodePath(event.path)));
  }
}

async function sendData(frames: FrameBatch, offset: number, content: Uint8Array): Promise<void> {
  for (let at = 0; at < content.length; at += maxDataBytes) {
    const bytes = content.subarray(at, at + maxDataBytes);
    await frames.add(encodeDataHeader(offset + at, bytes.length));
    await frames.add(bytes);
  }
}

function frame(type: number, payload: Uint8Array): Uint8Array {
  return encodeFrame({ type, id: 0, payload });
}

const endFrame = frame(treeFrame.end, encodeEnd());

interface Output {
  ended: Promise<unknown>;
  /** Throws what the program said where it failed. */
  result(): Promise<void>;
}

function collectOutput(child: TreeChild, failed: TreeFailure): Output {
  const chunks: Uint8Array[] = [];
  let words = "";
  child.stdout?.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Uint8Array) => {
    if (words.length < 4096) words += new TextDecoder().decode(chunk);
  });
  const ended = new Promise<number | Error>((resolve) => {
    child.on("error", (error) => resolve(error));
    child.on("close", (code, signal) => resolve(statusOf(code, signal)));
  });
  const result = async (): Promise<void> => {
    const status = await ended;
    if (status instanceof Error) throw spawnError("tree", status);
    if (status === 0) return;
    const path = failedPath(Buffer.concat(chunks));
    const reason = words.trim() === "" ? `tree unpack ended with status ${status}` : words.trim();
    throw failed(reason, path);
  };
  return { ended, result };
}

function failedPath(bytes: Uint8Array): ByteString | undefined {
  try {
    const reader = new FrameReader(treeMagic);
    reader.push(bytes);
    const said = reader.next();
    return said?.type === treeFrame.error ? decodeError(said.payload).path : undefined;
  } catch {
    return undefined;
  }
}
