// Entries and their content become a tree on disk, by `tree unpack`: with owners, extended attributes, holes and times.
import { spawn } from "node:child_process";
import { once } from "node:events";
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
import { nativePath } from "../host/native.ts";
import { spawnError, statusOf } from "../host/process.ts";
import type { LayerEvent, LayerLimits } from "./layer-reader.ts";

/** The error for what `tree unpack` refused: its sentence, and the path concerned where it named one. */
export type TreeFailure = (reason: string, path: ByteString | undefined) => TranshipError;

/** Makes what the events tell of in an existing empty directory. */
export async function makeTree(
  destination: string,
  events: AsyncIterable<LayerEvent>,
  limits: Partial<LayerLimits>,
  failed: TreeFailure,
): Promise<void> {
  const child = spawn(nativePath("tree"), unpackArguments(destination, limits), {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output = collectOutput(child, failed);
  let broken = false;
  child.stdin.on("error", () => {
    broken = true; // it has ended early: what it says about that comes below
  });
  const frames = new FrameBatch(async (bytes) => {
    if (broken || child.stdin.destroyed) throw stopped;
    if (!child.stdin.write(bytes)) await Promise.race([once(child.stdin, "drain"), output.ended]);
  });
  try {
    await frames.add(encodeMagic(treeMagic));
    for await (const event of events) await sendEvent(frames, event);
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

/** Few writes for many small frames. The bytes are copied: they are only valid while their event is. */
class FrameBatch {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  #buffer = Buffer.allocUnsafe(1 << 20);
  #used = 0;

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, this.#buffer.length - this.#used);
      this.#buffer.set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
      if (this.#used === this.#buffer.length) await this.flush();
    }
  }

  async flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#buffer = Buffer.allocUnsafe(1 << 20);
    this.#used = 0;
    await this.#write(bytes);
  }
}

const maxDataBytes = 512 << 10;

async function sendEvent(frames: FrameBatch, event: LayerEvent): Promise<void> {
  switch (event.type) {
    case "entry": {
      const { entry, hardlinkTo } = event;
      if (hardlinkTo === undefined) await frames.add(frame(treeFrame.entry, encodeEntry(entry)));
      else await frames.add(frame(treeFrame.hardlink, encodeHardlink(entry.path, hardlinkTo)));
      return;
    }
    case "data":
      for (let at = 0; at < event.bytes.length; at += maxDataBytes) {
        const bytes = event.bytes.subarray(at, at + maxDataBytes);
        await frames.add(encodeDataHeader(event.offset + at, bytes.length));
        await frames.add(bytes);
      }
      return;
    case "end":
      await frames.add(frame(treeFrame.end, encodeEnd()));
      return;
    default:
      await frames.add(frame(treeFrame[event.type], encodePath(event.path)));
  }
}

function frame(type: number, payload: Uint8Array): Uint8Array {
  return encodeFrame({ type, id: 0, payload });
}

interface Output {
  ended: Promise<unknown>;
  /** Throws what the program said where it failed. */
  result(): Promise<void>;
}

function collectOutput(child: ReturnType<typeof spawn>, failed: TreeFailure): Output {
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
