// Building a layer against `tar | zstd -3` and `tar | sha256sum; zstd; sha256sum`: `node bench/image-bench.ts [--rounds N] [--root DIR] [--json FILE]`.
// Rounds are interleaved, figures are medians; MB/s counts the bytes of the tar. CPU is that of the process and its children.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Log } from "../src/base/log.ts";
import type { Entry } from "../src/formats/entry.ts";
import { openStateRoot } from "../src/host/state-root.ts";
import type { LayerItem } from "../src/image/layer-item.ts";
import { writeLayer } from "../src/image/layer-writer.ts";
import { openStore } from "../src/image/store.ts";
import { withSession } from "../src/image/store-session.ts";
import { FetchCache } from "../src/machine/fetch-cache.ts";
import { isUnreadable } from "../src/machine/machine.ts";
import { openMachine } from "../src/machine/open.ts";
import { TreeFiles } from "../src/machine/tree-files.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    root: { type: "string" },
    json: { type: "string" },
    way: { type: "string" },
  },
});
const top = mkdtempSync(join(tmpdir(), "tranship-image-bench-"));

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** MB/s against tar and zstd. */
const least = 0.8;

/** One layer of the whole tree, in a process of its own so that start and collection of memory count too. */
async function buildLayer(root: string, way: string): Promise<void> {
  const machine = await openMachine(`rootfs:${root}`);
  const entries = async function* (): AsyncGenerator<Entry> {
    for await (const entry of machine.files.walk("/", { oneFileSystem: true })) {
      if (isUnreadable(entry)) throw new Error(`${entry.path}: ${entry.error}`);
      yield entry;
    }
  };
  const state = openStateRoot(join(top, `state-${way}`));
  // As content of a machine behind ssh comes here: all of it in one pipeline, into the cache, and from there into the layer.
  const files = new TreeFiles(root);
  const source = { current: async () => files, isLost: () => false, works: () => {} };
  const cache = new FetchCache(state, "bench", source, silentLog);
  const items = async function* (): AsyncGenerator<LayerItem> {
    const all: Entry[] = [];
    for await (const entry of entries()) {
      if (way !== "host") all.push(entry);
      else if (entry.kind !== "file") yield { entry };
      else yield { entry, hostFile: root + entry.path };
    }
    await cache.fetch(all);
    for (const entry of all)
      yield entry.kind === "file" && entry.size > 0 ? { entry, keptFile: cache.placeOf(entry) } : { entry };
  };
  try {
    if (way === "kept") for await (const _ of items());
    const store = openStore(state);
    const began = performance.now();
    const built = await withSession(store, (session) => writeLayer(items(), session));
    process.stdout.write(
      `${JSON.stringify({ seconds: (performance.now() - began) / 1000, tarSize: built.tarSize })}\n`,
    );
  } finally {
    await files.close();
    await machine.close();
    rmSync(state.path, { recursive: true, force: true });
  }
}

interface Sample {
  seconds: number;
  cpu: number;
}

/** Runs under bash's `time`, which counts all that was waited for. */
function timed(command: readonly string[]): Sample & { out: string } {
  const script = `TIMEFORMAT='TIME %R %U %S'; time "$@"`;
  const done = spawnSync("bash", ["-c", script, "bash", ...command], {
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  const found = /TIME ([\d.]+) ([\d.]+) ([\d.]+)/.exec(done.stderr);
  if (done.status !== 0 || found === null) throw new Error(`${command.join(" ")}: ${done.stderr}`);
  return { seconds: Number(found[1]), cpu: Number(found[2]) + Number(found[3]), out: done.stdout };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

/** A tree to pack where none is given: about 200 MB of this host's own programs. */
function defaultRoot(): string {
  const root = join(top, "tree");
  execFileSync("sh", [
    "-c",
    `mkdir -p ${root}/usr ${root}/etc; cp -a /usr/bin /usr/lib/x86_64-linux-gnu /usr/share/perl ${root}/usr/ 2>/dev/null; true`,
  ]);
  return root;
}

function measure(root: string, rounds: number): void {
  const out = join(top, "out");
  const shell = (text: string): string[] => ["sh", "-c", text];
  const self = (way: string): string[] => [
    process.execPath,
    import.meta.filename,
    "--way",
    way,
    "--root",
    root,
  ];
  const ways: Record<string, () => Sample> = {
    "tar, zstd -3": () => timed(shell(`tar -C ${root} -c . | zstd -3 -q > ${out}`)),
    "tar, zstd -3, with both digests": () =>
      timed(shell(`tar -C ${root} -c . | tee ${out}.tar | zstd -3 -q > ${out}; sha256sum ${out}.tar ${out}`)),
    "tranship, host files": () => inner(timed(self("host"))),
    "tranship, fetched and packed": () => inner(timed(self("fetch"))),
    "tranship, fetched before": () => inner(timed(self("kept"))),
  };
  const size = Number(execFileSync("sh", ["-c", `tar -C ${root} -c . | wc -c`], { encoding: "utf8" }));
  const samples = new Map<string, Sample[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of Object.entries(ways)) samples.get(name)?.push(way());
  }
  const peer = median(samples.get("tar, zstd -3")?.map((sample) => sample.seconds) ?? []);
  const rows = [...samples].map(([name, list]) => {
    const seconds = median(list.map((sample) => sample.seconds));
    return {
      name,
      seconds,
      cpu: median(list.map((sample) => sample.cpu)),
      rate: size / 1e6 / seconds,
      ratio: peer / seconds,
    };
  });
  console.log(
    `layer of ${(size / 1e6).toFixed(0)} MB, ${rounds} rounds, Node ${process.version}, zstd ${process.versions.zstd}`,
  );
  console.log("| way | s | CPU s | MB/s | x tar and zstd | goal |\n|---|---|---|---|---|---|");
  for (const row of rows) {
    const goal = !row.name.startsWith("tranship")
      ? ""
      : `at least ${least.toFixed(2)}, ${row.ratio >= least ? "met" : "missed"}`;
    console.log(
      `| ${row.name} | ${row.seconds.toFixed(2)} | ${row.cpu.toFixed(2)} | ${row.rate.toFixed(0)} | ${row.ratio.toFixed(2)} | ${goal} |`,
    );
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ size, rounds, rows }));
}

/** Without the start of Node, which a peer does not have: the process says how long the building took. */
function inner(sample: Sample & { out: string }): Sample {
  const said = JSON.parse(sample.out) as { seconds: number };
  return { seconds: said.seconds, cpu: sample.cpu };
}

try {
  const root = values.root ?? process.env.TRANSHIP_BENCH_ROOT ?? "/var/cache/tranship/try-bullseye";
  const chosen = existsSync(root) && statSync(root).isDirectory() ? root : defaultRoot();
  if (values.way !== undefined) await buildLayer(chosen, values.way);
  else measure(chosen, Number(values.rounds));
} finally {
  rmSync(top, { recursive: true, force: true });
}
