// Tar readers: entries a second of archives of many small files, and bytes a second of one of large ones, all in memory. The peer is tar-stream, where
// it can be loaded (`npm install --prefix DIR tar-stream@3.2.2`, and TRANSHIP_BENCH_MODULES=DIR).
import { deepEqual } from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { encodeTarHeader, tarEnd } from "../src/formats/tar.ts";
import type { TarSink } from "../src/formats/tar-event.ts";
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

/** What a consumer has seen: the same of both readers, or the rows do not compare. */
interface Seen {
  entries: number;
  /** Chars of names, and all of mode, owner, size and milliseconds added up: each of them was read. */
  sum: number;
  bytes: number;
}

/** Names and attributes of each entry; its content as a view of its own where it is `taken`, else passed over. */
function ours(bytes: Buffer, taken: boolean): Seen {
  const seen: Seen = { entries: 0, sum: 0, bytes: 0 };
  const sink: TarSink = {
    entry: ({ name, mode, uid, gid, size, mtime }) => {
      seen.entries++;
      seen.sum += name.length + mode + uid + gid + size + Math.floor(Number(mtime) / 1e9);
    },
    data: (_, chunk, from, to) => {
      seen.bytes += taken ? chunk.subarray(from, to).length : to - from;
    },
    end: () => {},
  };
  const reader = new TarReader();
  for (let at = 0; at < bytes.length; at += pieces) reader.push(bytes.subarray(at, at + pieces), sink);
  reader.finish();
  return seen;
}

interface PeerHeader {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: Date;
}

interface TarStream {
  extract(): Writable & AsyncIterable<Readable & { header: PeerHeader }>;
}

/** Content that is not taken is dropped by its resume(). */
async function peer(library: TarStream, bytes: Buffer, taken: boolean): Promise<Seen> {
  const extract = library.extract();
  const seen: Seen = { entries: 0, sum: 0, bytes: 0 };
  const source = Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
    })(),
  );
  const done = pipeline(source, extract);
  for await (const entry of extract) {
    const { name, mode, uid, gid, size, mtime } = entry.header;
    seen.entries++;
    seen.sum += name.length + mode + uid + gid + size + Math.floor(mtime.getTime() / 1000);
    if (!taken) {
      seen.bytes += size;
      entry.resume();
    } else {
      entry.on("data", (chunk: Buffer) => {
        seen.bytes += chunk.length;
      });
    }
  }
  await done;
  return seen;
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
for (const [name, count, size, nanoseconds, taken, held] of [
  ["2,000 files of 100 bytes, in the caches as behind a decoder", 2000, 100, false, false, true],
  ["the same, times in PAX", 2000, 100, true, false, true],
  ["the same, content taken", 2000, 100, true, true, true],
  ["50,000 files of 100 bytes", 50_000, 100, false, false, true],
  ["the same, times in PAX", 50_000, 100, true, false, true],
  ["the same, content taken", 50_000, 100, true, true, true],
  ["32 files of 8 MiB", 32, 8 << 20, false, false, false],
] as const) {
  const bytes = archive(count, size, nanoseconds);
  const ways: [string, () => Seen | Promise<Seen>][] = [["Tranship", () => ours(bytes, taken)]];
  if (library !== undefined) ways.push([peerName, () => peer(library, bytes, taken)]);
  const seen = await Promise.all(ways.map(([, run]) => run()));
  deepEqual(seen, ways.map(() => seen[0])); // biome-ignore format: short
  // A go of a small archive is too short for the clock of the processor's time.
  const repeats = count === 50_000 ? 1 : 25;
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
