// podman, docker and systemd-nspawn on stores of their own below a scratch directory, each with the content of one directory as its image.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { killCgroup, removeCgroup } from "../src/host/cgroup.ts";

export interface Peer {
  name: string;
  /** Before its verb. */
  words: readonly string[];
  image: string;
  /** Of what it keeps running for all of its containers. */
  daemon?: number;
  end(): Promise<void>;
}

/** Those that this host has. `tree`: the root file system. */
export async function startPeers(scratch: string, tree: string): Promise<Peer[]> {
  const tar = join(scratch, "image.tar");
  execFileSync("tar", ["-C", tree, "-cf", tar, "."]);
  const found = [startPodman(scratch, tar), await startDocker(scratch, tar)];
  return found.filter((peer) => peer !== undefined);
}

const podmanSettings = `[containers]
default_ulimits = ["nofile=20000:20000","nproc=30000:30000"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
`;

export function startPodman(scratch: string, tar: string): Peer | undefined {
  if (spawnSync("podman", ["--version"]).status !== 0) return undefined;
  const settings = join(scratch, "containers.conf");
  writeFileSync(settings, podmanSettings);
  const stores = ["--root", join(scratch, "podman"), "--runroot", join(scratch, "podman-run")];
  const words = ["env", `CONTAINERS_CONF=${settings}`, "podman", ...stores];
  execFileSync("env", [...words.slice(1), "import", tar, "box:1"], { stdio: "ignore" });
  const end = async (): Promise<void> => {
    spawnSync("env", [...words.slice(1), "rm", "--all", "--force", "--time", "0"], { stdio: "ignore" });
  };
  return { name: "podman", words, image: "localhost/box:1", end };
}

/** With a process, network and mount namespace of its own: killing one process ends all that is docker's. */
async function startDocker(scratch: string, tar: string): Promise<Peer | undefined> {
  const client = ["/usr/bin/docker", "/usr/local/bin/docker"].find((path) => existsSync(path));
  if (client === undefined || !existsSync("/usr/sbin/dockerd")) return undefined;
  const home = join(scratch, "docker");
  mkdirSync(home);
  const group = `tranship-bench-${process.pid}`;
  const script = `mount -t proc proc /proc; mount -t tmpfs run /run; ip link set lo up
    exec /usr/sbin/dockerd --data-root ${home}/data --exec-root /run/docker -p /run/docker.pid -H unix://${home}/socket \
      --cgroup-parent /${group} --bip 172.29.0.1/16 --storage-driver overlay2 --shutdown-timeout 2 --log-level error`;
  const log = openSync(join(home, "log"), "a");
  const namespaces = [..."--mount --pid --net --uts --ipc --fork --kill-child=KILL sh -c".split(" ")];
  const child = spawn("unshare", [...namespaces, script], { stdio: ["ignore", log, log] });
  closeSync(log);
  const words = [client, "-H", `unix://${home}/socket`];
  const end = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    await killCgroup(group);
    await removeCgroup(group);
  };
  for (let tries = 0; spawnSync(client, [...words.slice(1), "version"]).status !== 0; tries++) {
    if (child.exitCode !== null || tries > 100) {
      console.error(`bench: no docker: ${readFileSync(join(home, "log"), "utf8").slice(-2000)}`);
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  execFileSync(client, [...words.slice(1), "import", tar, "box:1"], { stdio: "ignore" });
  return { name: "docker", words, image: "box:1", daemon: child.pid ?? 0, end };
}

/** systemd-nspawn running `command` in a copy of the tree, as it makes files there; undefined where it is not installed. */
export function nspawnWay(scratch: string, tree: string, command: readonly string[]): string[] | undefined {
  if (spawnSync("systemd-nspawn", ["--version"]).status !== 0) return undefined;
  const copy = join(scratch, "nspawn");
  cpSync(tree, copy, { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(copy, "usr"), { recursive: true });
  const flags = "--register=no --keep-unit --quiet --private-network --directory".split(" ");
  return ["systemd-nspawn", ...flags, copy, ...command];
}
