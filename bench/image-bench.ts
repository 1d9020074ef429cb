// Building a layer against `tar | zstd -3` and `tar | sha256sum; zstd; sha256sum`: `node bench/image-bench.ts [--rounds N] [--root DIR] [--json FILE]`.
// Rounds are interleaved, figures are medians; MB/s counts the bytes of the tar. CPU is that of the process and its children.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openStateRoot } from "../src/host/state-root.ts";
import type { LayerItem } from "../src/image/layer-item.ts";
import { writeLayer } from "../src/image/layer-writer.ts";
import { openStore } from "../src/image/store.ts";
import { withSession } from "../src/image/store-session.ts";
import { isUnreadable } from "../src/machine/machine.ts";
import { openMachine } from "../src/machine/open.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    root: { type: "string" },
    json: { type: "string" },
    way: { type: "string" },
  },
});
const top = mkdtempSync(join(tmpdir(), "tranship-image-bench-"));

/** MB/s against tar and zstd. */
const least = 0.8;

/** One layer of the whole tree, in a process of its own so that start and collection of memory count too. */
async function buildLayer(root: string, way: string): Promise<void> {
  const machine = await openMachine(`rootfs:${root}`);
  const items = async function* (): AsyncGenerator<LayerItem> {
    for await (const entry of machine.files.walk("/", { oneFileSystem: true })) {
      if (isUnreadable(entry)) throw new Error(`${entry.path}: ${entry.error}`);
      if (entry.kind !== "file") yield { entry };
      else if (way === "host") yield { entry, hostFile: root + entry.path };
      else yield { entry, data: contentOf(entry.path) };
    }
  };
  const contentOf = async function* (path: string): AsyncGenerator<{ offset: number; bytes: Uint8Array }> {
    const stream = await machine.files.stream(path);
    if (stream === undefined) throw new Error(`${path} is gone`);
    yield* stream.data;
  };
  try {
    const store = openStore(openStateRoot(join(top, "state")));
    const began = performance.now();
    const built = await withSession(store, (session) => writeLayer(items(), session));
    process.stdout.write(
      `${JSON.stringify({ seconds: (performance.now() - began) / 1000, tarSize: built.tarSize })}\n`,
    );
  } finally {
    await machine.close();
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
    "tranship, streams": () => inner(timed(self("stream"))),
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
