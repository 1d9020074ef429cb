// Tar readers: entries a second of archives of many small files, and bytes a second of one of large ones, all in memory. The peer is tar-stream, where
// it can be loaded (`npm install --prefix DIR tar-stream@3.2.2`, and TRANSHIP_BENCH_MODULES=DIR).
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { encodeTarHeader, tarEnd } from "../src/formats/tar.ts";
import { TarReader } from "../src/formats/tar-reader.ts";
import { blankEntry, padded } from "../test/support/tar.ts";

const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 5;
const pieces = 1 << 20;

function archive(count: number, size: number, nanoseconds: boolean): Buffer {
  const content = padded(Buffer.alloc(size, "x"));
  const parts: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const path = `/usr/share/some/directory/file-${i}`;
    parts.push(
      encodeTarHeader({
        ...blankEntry,
        path,
        size,
        mtime: 1_600_000_000_000_000_000n + (nanoseconds ? BigInt(i + 1) : 0n),
      }).bytes,
      content,
    );
  }
  return Buffer.concat([...parts, tarEnd]);
}

function ours(bytes: Buffer): number {
  const reader = new TarReader();
  let entries = 0;
  for (let at = 0; at < bytes.length; at += pieces)
    for (const event of reader.push(bytes.subarray(at, at + pieces))) if (event.type === "entry") entries++;
  reader.finish();
  return entries;
}

interface TarStream {
  extract(): Writable & AsyncIterable<Readable>;
}

async function peer(library: TarStream, bytes: Buffer): Promise<number> {
  const extract = library.extract();
  let entries = 0;
  const source = Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
    })(),
  );
  const done = pipeline(source, extract);
  for await (const entry of extract) {
    entries++;
    entry.resume();
  }
  await done;
  return entries;
}

async function loadPeer(): Promise<TarStream | undefined> {
  const directory = process.env.TRANSHIP_BENCH_MODULES;
  if (directory === undefined) return undefined;
  try {
    return createRequire(join(directory, "package.json"))("tar-stream") as TarStream;
  } catch {
    return undefined;
  }
}

/** Median of the processor seconds that a round takes, after one to warm up: a busy machine changes them least. */
async function median(work: () => unknown): Promise<number> {
  const times: number[] = [];
  await work();
  for (let round = 0; round < rounds; round++) {
    const began = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(began);
    times.push((user + system) / 1e6);
  }
  return times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

const library = await loadPeer();
console.log("| archive | reader | entries/s of processor time | MB/s | times tar-stream |");
console.log("|---|---|---|---|---|");
for (const [name, count, size, nanoseconds] of [
  ["50,000 files of 100 bytes", 50_000, 100, false],
  ["50,000 files of 100 bytes, times in PAX", 50_000, 100, true],
  ["32 files of 8 MiB", 32, 8 << 20, false],
] as const) {
  const bytes = archive(count, size, nanoseconds);
  const ways: [string, () => unknown][] = [["Tranship", () => ours(bytes)]];
  if (library !== undefined) ways.push(["tar-stream 3.2.2", () => peer(library, bytes)]);
  const seconds = new Map<string, number>();
  for (const [way, run] of ways) seconds.set(way, await median(run));
  const base = seconds.get("tar-stream 3.2.2");
  for (const [way, time] of seconds) {
    const times = base === undefined ? "-" : `${(base / time).toFixed(1)}x`;
    const megabytes = (bytes.length / 1e6 / time).toFixed(0);
    console.log(`| ${name} | ${way} | ${Math.round(count / time)} | ${megabytes} | ${times} |`);
  }
}
if (library === undefined) console.log("\ntar-stream is not installed: no comparison");
