// Packages to and from a registry against podman, buildah, skopeo and umoci: `node bench/registry-bench.ts [--rounds N] [--root DIR] [--large] [--quick]
// [--without NAME,...]`.
// All use one docker-registry on loopback, which is emptied and started anew before each push: a registry that knows a blob takes no time.
// After each push the media type of the layer is looked at. Rounds are interleaved; figures are medians of wall time and of CPU (of the
// commands, without the registry's); peak memory is that of the largest process of a command, by GNU time.
// What a way has left is put aside and removed at the end, never before another way: for minutes ext4 looks at each file that was just removed
// before it makes a new one, which took up to 5 s of the kernel's time in a pull.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mediaType } from "../src/formats/oci.ts";
import { installTo } from "./installed.ts";
import { measure, median, type Sample } from "./measure.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    root: { type: "string" },
    /** One round of some 60 MB: whether all ways work. */
    quick: { type: "boolean", default: false },
    /** About 1.2 GB instead of 200 MB. */
    large: { type: "boolean", default: false },
    /** Programs of which no way is run, since they take long: "podman,buildah". */
    without: { type: "string", default: "" },
    /** A port that is free. */
    port: { type: "string", default: "15999" },
  },
});
const without = values.without.split(",").filter((name) => name !== "");
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
/** MiB that a command of ours may take. */
const mostMemory = 150;
/** Seconds that a push may take for which nothing is to be done. */
const longestAgain = 0.3;
const top = mkdtempSync(join(tmpdir(), "tranship-registry-bench-"));
/** In its built form, as it is installed. */
const installed = join(top, "installed");
const tranship = join(installed, "bin/tranship");
const host = `127.0.0.1:${values.port}`;
const state = join(top, "state");
const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
const env = {
  ...inherited,
  TRANSHIP_ROOT: state,
  CONTAINERS_STORAGE_CONF: join(top, "storage.conf"),
  CONTAINERS_CONF: join(top, "containers.conf"),
};

/** The Debian 11 of the tests where it was built, else programs and libraries of this host; for the large one, with more content. */
function makeRoot(): string {
  const root = join(top, "root");
  const built = "/var/cache/tranship/debian-11/root";
  const given = values.root ?? (existsSync(built) && !values.quick ? built : undefined);
  if (given !== undefined) execFileSync("cp", ["-a", given, root]);
  else {
    const least = values.quick ? 60e6 : 200e6;
    const script = `mkdir -p ${root}/usr/bin ${root}/etc; cd /usr/bin; sum=0
      for f in *; do [ -f "$f" ] && [ ! -h "$f" ] || continue; cp -a "$f" ${root}/usr/bin/; sum=$((sum + $(stat -c %s "$f"))); [ $sum -lt ${least} ] || break; done`;
    execFileSync("sh", ["-c", script]);
  }
  if (values.large) addContent(root);
  return root;
}

/** Random bytes and programs of this host in equal parts pack about as well as an application with its data; 1 GB, whatever this host has. */
function addContent(root: string): void {
  const half = 500e6;
  const list = "find lib bin -type f -size -20000k -printf '%s %p\\n'";
  // Every so manieth file, so that all kinds are there.
  const choice = `awk -v half=${half} '{ size[NR] = $1; name[NR] = substr($0, length($1) + 2); all += $1 }
    END { step = all > half ? all / half : 1; for (i = 1; i <= NR; i += step) print name[int(i)] }'`;
  const script = `mkdir -p ${root}/opt/app && head -c ${half} /dev/urandom > ${root}/opt/app/data
    cd /usr && ${list} | sort -k 2 | ${choice} | tar -c -T - | tar -C ${root}/opt/app -x`;
  execFileSync("sh", ["-ec", script]);
}

async function startRegistry(): Promise<() => Promise<void>> {
  const data = join(top, "registry");
  rmSync(data, { recursive: true, force: true });
  const config = join(top, "registry.yml");
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${data}}}\nhttp: {addr: "${host}", secret: x}\n`,
  );
  const child = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
  for (;;) {
    if (child.exitCode !== null)
      throw new Error(`docker-registry does not start on ${host}: choose another --port`);
    const socket = connect(Number(values.port), "127.0.0.1");
    const open = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
}

const load = (averages: readonly number[]): string => (averages[0] ?? 0).toFixed(1);
/** Words of a shell that leave nothing at this place. */
const putAside = (...paths: string[]): string =>
  paths.map((path) => `[ ! -e ${path} ] || mv ${path} "$(mktemp -d ${top}/aside/XXXXXX)"`).join("; ");
const graph = join(top, "graph");
/** podman mounts its storage on itself. */
const unmountGraph = `umount -l ${graph}/overlay ${graph} 2>/dev/null`;
const freshGraph = `${unmountGraph}; ${putAside(graph, join(top, "run"), join(top, "tmp"))}; mkdir ${graph}`;
const freshState = putAside(state);
const shell = (text: string): string[] => ["sh", "-ec", text];
const plain = "--tls-verify=false";

interface Way {
  name: string;
  /** Not measured: what the step needs. */
  before?: string;
  command: string[];
  /** Of the layer in the registry afterwards. */
  type?: string;
}

function pushes(root: string): Way[] {
  const podman = (format: string): string =>
    `tar -C ${root} -c . | podman import - bench:1; podman push ${plain} --compression-format ${format} bench:1 ${host}/bench:1`;
  const buildah = `c=$(buildah from scratch); buildah add -q $c ${root} / >/dev/null; buildah commit -q $c bench:1 >/dev/null; buildah rm $c >/dev/null; buildah push ${plain} bench:1 docker://${host}/bench:1`;
  const umoci = `umoci init --layout ${top}/umoci; umoci new --image ${top}/umoci:1; tar -C ${root} -cf ${top}/umoci.tar .; umoci raw add-layer --image ${top}/umoci:1 ${top}/umoci.tar; skopeo copy -q --dest-tls-verify=false oci:${top}/umoci:1 docker://${host}/bench:1`;
  const own = (compression: string): string =>
    `${tranship} package import ${root} bench:1; ${tranship} push --plain-http --compression ${compression} bench:1 ${host}/bench:1`;
  return [
    { name: "podman import, push gzip", before: freshGraph, command: shell(podman("gzip")), type: "gzip" },
    { name: "podman import, push zstd", before: freshGraph, command: shell(podman("zstd")), type: "zstd" },
    { name: "buildah add, commit, push", before: freshGraph, command: shell(buildah), type: "gzip" },
    {
      name: "umoci add-layer, skopeo copy",
      before: putAside(`${top}/umoci`),
      command: shell(umoci),
      type: "gzip",
    },
    { name: "tranship import, push gzip", before: freshState, command: shell(own("gzip")), type: "gzip" },
    { name: "tranship import, push zstd", before: freshState, command: shell(own("zstd")), type: "zstd" },
  ];
}

/** The registry holds what the last of pushes() has sent, or what is named here. */
function pulls(): Way[] {
  const name = `${host}/bench:1`;
  return [
    { name: "podman pull", before: freshGraph, command: ["podman", "pull", "-q", plain, name] },
    {
      name: "skopeo copy, umoci unpack",
      before: putAside(`${top}/unpack`, `${top}/bundle`),
      command: shell(
        `skopeo copy -q --src-tls-verify=false docker://${name} oci:${top}/unpack:1; umoci unpack --image ${top}/unpack:1 ${top}/bundle`,
      ),
    },
    { name: "tranship pull", before: freshState, command: [tranship, "pull", "--plain-http", name] },
  ];
}

const wanted = ({ name }: Way): boolean => !without.some((program) => name.startsWith(program));

function layerType(): string {
  const text = execFileSync("skopeo", ["inspect", "--raw", plain, `docker://${host}/bench:1`], {
    encoding: "utf8",
  });
  const manifest = JSON.parse(text) as { layers: { mediaType: string }[] };
  return manifest.layers[0]?.mediaType ?? "";
}

interface WithPeak extends Sample {
  /** MiB. */
  peak: number;
}

function run(way: Way): WithPeak {
  if (way.before !== undefined) execFileSync("sh", ["-c", way.before], { env });
  const file = join(top, "peak");
  const sample = measure(["/usr/bin/time", "-f", "%M", "-o", file, ...way.command], env);
  if (sample === undefined) throw new Error(`${way.name} failed: ${way.command.join(" ")}`);
  if (way.type !== undefined) {
    const type = layerType();
    const fits = way.type === "zstd" ? type === mediaType.layerZstd : type.endsWith("gzip");
    if (!fits) throw new Error(`${way.name} left a layer of the type ${type}`);
  }
  return { ...sample, peak: Number(readFileSync(file, "utf8").trim().split("\n").at(-1)) / 1024 };
}

/** "at most 0.40 of podman import, push gzip": ratios of medians of wall time. */
const goals: Record<string, [against: string, most: number][]> = {
  "tranship import, push zstd": [["podman import, push gzip", values.large ? 1 / 2 : 1 / 2.5]],
  "tranship import, push gzip": [["podman import, push gzip", 1]],
  "tranship pull of gzip": [["podman pull of gzip", values.large ? 1 / 2.5 : 1 / 1.3]],
  "tranship pull of zstd": [["podman pull of zstd", values.large ? 1 / 2 : 1 / 1.3]],
};

function print(samples: ReadonlyMap<string, readonly WithPeak[]>): void {
  const wall = (name: string): number => median((samples.get(name) ?? []).map((one) => one.wall));
  console.log("| way | wall s | CPU s | peak MiB | goal |\n|---|---|---|---|---|");
  for (const [name, list] of samples) {
    const compared = (goals[name] ?? []).filter(([against]) => samples.has(against));
    const told = compared.map(([against, most]) => {
      const ratio = wall(name) / wall(against);
      return `${ratio.toFixed(2)} of ${against} (at most ${most.toFixed(2)}, ${ratio <= most ? "met" : "missed"})`;
    });
    const cpu = median(list.map((one) => one.cpu));
    const peak = Math.max(...list.map((one) => one.peak));
    const verdict = (met: boolean): string => (met ? "met" : "missed");
    if (name.startsWith("tranship")) told.push(`at most ${mostMemory} MiB, ${verdict(peak <= mostMemory)}`);
    if (name.includes("again"))
      told.push(`at most ${longestAgain} s, ${verdict(wall(name) / 1000 <= longestAgain)}`);
    console.log(
      `| ${name} | ${(wall(name) / 1000).toFixed(2)} | ${(cpu / 1000).toFixed(2)} | ${peak.toFixed(0)} | ${told.join("; ")} |`,
    );
  }
}

async function main(): Promise<void> {
  mkdirSync(graph);
  mkdirSync(join(top, "aside"));
  writeFileSync(
    env.CONTAINERS_STORAGE_CONF,
    `[storage]\ndriver = "overlay"\nrunroot = "${top}/run"\ngraphroot = "${graph}"\n`,
  );
  writeFileSync(
    env.CONTAINERS_CONF,
    `[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ntmp_dir = "${top}/tmp"\n`,
  );
  await installTo(installed);
  const root = makeRoot();
  const size = Number(execFileSync("sh", ["-c", `tar -C ${root} -c . | wc -c`], { encoding: "utf8" }));
  const samples = new Map<string, WithPeak[]>();
  const began = loadavg();
  const note = (name: string, sample: WithPeak): void =>
    void samples.set(name, [...(samples.get(name) ?? []), sample]);
  for (let round = 0; round < rounds; round++) {
    for (const way of pushes(root).filter(wanted)) {
      const stop = await startRegistry();
      try {
        note(way.name, run(way));
        if (!way.name.startsWith("tranship")) continue;
        const kind = way.type ?? "";
        const again = [tranship, "push", "--plain-http", "--compression", kind, "bench:1", `${host}/bench:1`];
        note(`tranship push of ${kind} again, unchanged`, run({ name: "again", command: again, type: kind }));
        note(
          `tranship verify --read-data of ${kind}`,
          run({ name: "verify", command: shell(`${tranship} verify --read-data bench:1 >/dev/null`) }),
        );
        for (const pull of pulls().filter(wanted)) {
          // umoci reads no zstd.
          if (kind === "zstd" && pull.name.includes("umoci")) continue;
          note(`${pull.name} of ${kind}`, run(pull));
        }
      } finally {
        await stop();
      }
    }
  }
  console.log(
    `a tar of ${(size / 1e6).toFixed(0)} MB, ${rounds} rounds, docker-registry on loopback, emptied before each push; load of the machine ${load(began)} before, ${load(loadavg())} after\n`,
  );
  if (without.length > 0) console.log(`Left out, and not compared: ${without.join(", ")}.\n`);
  print(samples);
}

try {
  if (statSync("/usr/bin/docker-registry", { throwIfNoEntry: false }) === undefined)
    throw new Error("docker-registry is not installed: run scripts/setup");
  await main();
} finally {
  execFileSync("sh", ["-c", `${unmountGraph}; rm -rf --one-file-system ${top}`]);
}
