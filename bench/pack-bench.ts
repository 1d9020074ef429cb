// Reading and packing a root of 1.2 GB against podman: `node bench/pack-bench.ts [--rounds N] [--root DIR] [--megabytes N]`.
// Both end with an image in a directory (dir:): ours is captured whole into the store and copied out, podman's is imported from a tar of the
// same root and pushed. Ours is the built form. Each way runs once a round; figures are medians; CPU and peak memory are GNU time's, of the largest process.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installTo } from "./installed.ts";
import { median } from "./measure.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    root: { type: "string" },
    megabytes: { type: "string", default: "1200" },
  },
});
const cache = process.env.TRANSHIP_CACHE ?? "/var/cache/tranship";
const top = mkdtempSync(join(tmpdir(), "tranship-pack-bench-"));
/** Times faster than podman. */
const least = 2;
/** MiB. */
const most = 200;

interface Sample {
  seconds: number;
  cpu: number;
  /** MiB. */
  peak: number;
}

const sizeOf = (path: string): number =>
  Number(execFileSync("du", ["-s", "--apparent-size", "-BM", path], { encoding: "utf8" }).split("M")[0]);

/** An old machine, made larger by what is installed on the others that the tests have built: real programs, libraries and pages. */
function makeRoot(megabytes: number): string {
  const base = ["demo-lamp/root", "debian-11/root"]
    .map((name) => join(cache, name))
    .find((path) => existsSync(path));
  if (base === undefined) throw new Error(`there is no old machine in ${cache}: run demo/build-source first`);
  const root = join(top, "root");
  execFileSync("cp", ["-a", "--reflink=auto", base, root]);
  const apps = join(cache, "apps");
  const others = [
    ...(existsSync(apps) ? readdirSync(apps).map((name) => join(apps, name, "root")) : []),
    base,
  ];
  for (let round = 0; sizeOf(root) < megabytes; round++) {
    for (const other of others) {
      if (sizeOf(root) >= megabytes || !existsSync(join(other, "usr"))) continue;
      const place = join(root, "opt", `more-${round}-${other.split("/").at(-2)}`);
      mkdirSync(place, { recursive: true });
      execFileSync("cp", ["-a", "--reflink=auto", join(other, "usr"), place]);
    }
  }
  return root;
}

function timed(script: string, words: readonly string[]): Sample {
  const done = spawnSync("/usr/bin/time", ["-f", "TIME %e %U %S %M", "sh", "-euc", script, "sh", ...words], {
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  const found = /TIME ([\d.]+) ([\d.]+) ([\d.]+) (\d+)\s*$/.exec(done.stderr);
  if (done.status !== 0 || found === null) throw new Error(`${words.join(" ")}: ${done.stderr.slice(-2000)}`);
  return {
    seconds: Number(found[1]),
    cpu: Number(found[2]) + Number(found[3]),
    peak: Number(found[4]) / 1024,
  };
}

const ours = `"$1" --root "$2" capture machine -m "rootfs:$3" -t packed >/dev/null 2>&1
"$1" --root "$2" package export --type dir --compression zstd -o "$4" packed >/dev/null`;
const podman = `tar -C "$3" --xattrs --xattrs-include='*' -c . | podman --root "$2" --runroot "$2.run" import -q - packed:1 >/dev/null
podman --root "$2" --runroot "$2.run" push -q $5 packed:1 "dir:$4"`;

async function measure(root: string, rounds: number): Promise<void> {
  const tranship = await installTo(join(top, "installed"));
  const ways: Record<string, (at: string) => Sample> = {
    tranship: (at) => timed(ours, [tranship, join(at, "state"), root, join(at, "out")]),
    "podman, gzip (its default)": (at) => timed(podman, ["", join(at, "storage"), root, join(at, "out"), ""]),
    "podman, zstd": (at) =>
      timed(podman, ["", join(at, "storage"), root, join(at, "out"), "--compression-format=zstd"]),
  };
  const samples = new Map<string, Sample[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const at = join(top, "at");
      mkdirSync(at);
      try {
        samples.get(name)?.push(way(at));
      } finally {
        // podman's overlay keeps directories that only its own unshare or rm of root can remove.
        execFileSync("rm", ["-rf", "--one-file-system", at]);
      }
    }
  }
  const of = (name: string, key: keyof Sample): number =>
    median(samples.get(name)?.map((one) => one[key]) ?? []);
  console.log(`root of ${sizeOf(root)} MiB, ${rounds} rounds\n`);
  console.log("| way | s | CPU s | peak MiB | tranship is faster by | goals |\n|---|---|---|---|---|---|");
  for (const name of samples.keys()) {
    const ratio = of(name, "seconds") / of("tranship", "seconds");
    const peak = of(name, "peak");
    const goal =
      name === "tranship"
        ? `peak at most ${most} MiB: ${peak <= most ? "met" : "missed"}`
        : `at least ${least.toFixed(1)}: ${ratio >= least ? "met" : "missed"}`;
    console.log(
      `| ${name} | ${of(name, "seconds").toFixed(1)} | ${of(name, "cpu").toFixed(1)} | ${peak.toFixed(0)} | ${name === "tranship" ? "" : ratio.toFixed(2)} | ${goal} |`,
    );
  }
}

try {
  const root = values.root ?? makeRoot(Number(values.megabytes));
  await measure(root, Number(values.rounds));
} finally {
  rmSync(top, { recursive: true, force: true });
}
