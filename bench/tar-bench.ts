// Tar readers: entries a second of archives of many small files, and bytes a second of one of large ones, all in memory. The peer is tar-stream, where
// it can be loaded (`npm install --prefix DIR tar-stream@3.2.2`, and TRANSHIP_BENCH_MODULES=DIR).
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { encodeTarHeader, tarEnd } from "../src/formats/tar.ts";
import { TarReader } from "../src/formats/tar-reader.ts";
import { blankEntry, padded } from "../test/support/tar.ts";
import { median } from "./measure.ts";

const at = process.argv.indexOf("--rounds");
const rounds = (at < 0 ? undefined : Number(process.argv[at + 1])) || 15;
const peerName = "tar-stream 3.2.2";
/** Times as many entries as the peer. */
const least = 10;
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

/** Processor seconds of one go: a busy machine changes them least. */
async function seconds(work: () => unknown): Promise<number> {
  const began = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}

const library = await loadPeer();
console.log("| archive | reader | entries/s of processor time | MB/s | times tar-stream | goal |");
console.log("|---|---|---|---|---|---|");
for (const [name, count, size, nanoseconds, held] of [
  ["2,000 files of 100 bytes, in the caches as behind a decoder", 2000, 100, false, true],
  ["the same, times in PAX", 2000, 100, true, true],
  ["50,000 files of 100 bytes", 50_000, 100, false, true],
  ["the same, times in PAX", 50_000, 100, true, true],
  ["32 files of 8 MiB", 32, 8 << 20, false, false],
] as const) {
  const bytes = archive(count, size, nanoseconds);
  const ways: [string, () => unknown][] = [["Tranship", () => ours(bytes)]];
  if (library !== undefined) ways.push([peerName, () => peer(library, bytes)]);
  // A go of a small archive is too short for the clock of the processor's time.
  const repeats = count === 2000 ? 25 : 1;
  const times = new Map(ways.map(([way]): [string, number[]] => [way, []]));
  // Rounds are interleaved; the first two warm up.
  for (let round = -2; round < rounds; round++) {
    for (const [way, run] of ways) {
      const time = await seconds(async () => {
        for (let i = 0; i < repeats; i++) await run();
      });
      if (round >= 0) times.get(way)?.push(time);
    }
  }
  const base = median(times.get(peerName) ?? []);
  for (const [way, list] of times) {
    const time = median(list) / repeats;
    const ratio = Number.isNaN(base) ? "-" : `${(base / repeats / time).toFixed(1)}x`;
    const megabytes = (bytes.length / 1e6 / time).toFixed(0);
    const verdict =
      way === peerName || !held
        ? ""
        : `at least ${least}x: ${base / repeats / time >= least ? "met" : "missed"}`;
    console.log(`| ${name} | ${way} | ${Math.round(count / time)} | ${megabytes} | ${ratio} | ${verdict} |`);
  }
}
if (library === undefined) console.log("\ntar-stream is not installed: no comparison");
