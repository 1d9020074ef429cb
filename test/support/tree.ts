// What the tests of native/tree share: temporary trees, and `tree unpack` fed with frames.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ByteString, Entry } from "../../src/formats/entry.ts";
import { encodeFrame, encodeMagic, FrameReader, treeMagic } from "../../src/formats/frames.ts";
import * as records from "../../src/formats/tree-records.ts";
import { nativePath } from "../../src/host/native.ts";
import { isUnreadable } from "../../src/machine/machine.ts";
import { TreeFiles } from "../../src/machine/tree-files.ts";
import type { TreeProcessOptions } from "../../src/machine/tree-process.ts";
import { blankEntry } from "./tar.ts";

const { treeFrame } = records;

/** Removed with all below when the test ends. */
export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "tranship-tree-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function openTree(t: TestContext, root: string, options: TreeProcessOptions = {}): TreeFiles {
  const files = new TreeFiles(root, options);
  t.after(() => files.close());
  return files;
}

/** Both ways of resolving a path; every test of confinement runs with each. */
export const ways: readonly [name: string, options: TreeProcessOptions][] = [
  ["openat2", {}],
  ["component walk", { noOpenat2: true }],
];

export interface Unpacked {
  status: number | null;
  /** errno of the ERROR frame; 0 after END. */
  errno: number | undefined;
  path: ByteString | undefined;
  stderr: string;
}

/** Runs `tree unpack` on the frames, FINISH added. */
export async function unpack(
  destination: string,
  frames: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: readonly string[] = [],
  ids: { uid?: number; gid?: number } = {},
): Promise<Unpacked> {
  const child = spawn(nativePath("tree"), ["unpack", ...options, destination], { stdio: "pipe", ...ids });
  const out: Uint8Array[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Uint8Array) => out.push(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => {
    stderr += Buffer.from(chunk).toString("latin1");
  });
  child.stdin.on("error", () => {}); // it ends at the first refusal
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  child.stdin.write(encodeMagic(treeMagic));
  for await (const frame of frames) {
    if (child.exitCode !== null) break;
    if (!child.stdin.write(frame) && child.exitCode === null) {
      await Promise.race([new Promise((resolve) => child.stdin.once("drain", resolve)), ended]);
    }
  }
  child.stdin.end();
  const status = await ended;
  return { status, stderr, ...verdict(Buffer.concat(out)) };
}

function verdict(bytes: Uint8Array): { errno: number | undefined; path: ByteString | undefined } {
  const reader = new FrameReader(treeMagic);
  reader.push(bytes);
  const frame = bytes.length < 8 ? undefined : reader.next();
  if (frame?.type === treeFrame.error) return records.decodeError(frame.payload);
  return { errno: frame?.type === treeFrame.end ? 0 : undefined, path: undefined };
}

export const plain: Entry = { ...blankEntry, path: "/", mtime: 1_600_000_000_123_456_789n };

export function frame(type: keyof typeof treeFrame, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  return encodeFrame({ type: treeFrame[type], id: 0, payload });
}

export const finish = records.encodeFinish();

export function entryFrame(entry: Partial<Entry>): Uint8Array {
  return frame("entry", records.encodeEntry({ ...plain, ...entry }));
}

/** ENTRY, DATA and END of a regular file. */
export function fileFrames(path: ByteString, content: string, entry: Partial<Entry> = {}): Uint8Array[] {
  const bytes = Buffer.from(content, "latin1");
  return [
    entryFrame({ ...entry, path, size: bytes.length }),
    ...(bytes.length === 0 ? [] : [records.encodeDataHeader(0, bytes.length), bytes]),
    frame("end", records.encodeEnd()),
  ];
}

/** Everything that a machine tells of its tree, as what `unpack` takes. */
export async function* copyFrames(files: TreeFiles): AsyncGenerator<Uint8Array> {
  const first = new Map<string, ByteString>();
  for await (const entry of files.walk("/")) {
    if (isUnreadable(entry)) throw new Error(`${entry.path}: ${entry.error}`);
    const object = `${entry.dev}:${entry.ino}`;
    const known = entry.kind === "directory" || entry.nlink < 2 ? undefined : first.get(object);
    if (known !== undefined) {
      yield frame("hardlink", records.encodeHardlink(entry.path, known));
      continue;
    }
    first.set(object, entry.path);
    if (entry.kind !== "file") {
      yield frame("entry", records.encodeEntry(entry));
      continue;
    }
    const stream = await files.stream(entry.path);
    if (stream === undefined) throw new Error(`${entry.path} has gone`);
    yield frame("entry", records.encodeEntry(stream.entry));
    for await (const { offset, bytes } of stream.data) {
      yield records.encodeDataHeader(offset, bytes.length);
      yield bytes;
    }
    yield frame("end", records.encodeEnd(stream.changed()));
  }
  yield finish;
}

/** Output of another program run in a directory, as bytes in latin1; fails where the program does. */
export function judge(directory: string, program: string, args: readonly string[]): string {
  const result = spawnSync(program, args, { cwd: directory, encoding: "latin1", maxBuffer: 64 << 20 });
  if (result.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}
