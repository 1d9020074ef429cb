// Machines with Docker, on this one: each a network, process, mount and host name space of its own on a common switch. Killing one
// process ends a whole node, as pulling its plug would.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine } from "../../src/cluster/drivers/docker/engine.ts";
import { until } from "../integration/runtime-fixture.ts";

/** undefined where nodes can be made; else why not. */
export function whyNoNodes(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/usr/sbin/dockerd")) return "needs docker.io (dockerd)";
  if (!existsSync("/usr/bin/docker-registry")) return "needs docker-registry";
  if (!existsSync("/bin/busybox")) return "needs busybox-static";
  return undefined;
}

export interface DockerNode {
  name: string;
  /** On the switch. */
  address: string;
  engine: Engine;
  /** Words that bring a command into its network. */
  enter: string[];
  kill(): Promise<void>;
  /** On the same data as before. */
  start(): Promise<void>;
}

export interface Nodes {
  nodes: DockerNode[];
  directory: string;
  /** Words that bring a command onto the switch. */
  enter: string[];
  /** Where the switch itself is reached from the nodes. */
  address: string;
  /** HOST:PORT of a registry on the switch, which the nodes take without TLS. */
  registry: string;
  close(): Promise<void>;
}

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

export async function makeNodes(count: number): Promise<Nodes> {
  const directory = mkdtempSync(join(tmpdir(), "tranship-nodes-"));
  const prefix = `trn${process.pid}`;
  const space = `${prefix}s`;
  run("ip", "netns", "add", space);
  const cleanup = [() => run("ip", "netns", "del", space)];
  const inSwitch = (...words: string[]): string => run("ip", "-n", space, ...words);
  inSwitch("link", "set", "lo", "up");
  inSwitch("link", "add", "br0", "type", "bridge");
  inSwitch("addr", "add", "10.99.0.1/24", "dev", "br0");
  inSwitch("link", "set", "br0", "up");
  const enter = ["nsenter", `--net=/run/netns/${space}`];
  const registry = await startRegistry(directory, enter);
  const nodes: Machine[] = [];
  for (let number = 1; number <= count; number++) {
    const node = new Machine({ directory, prefix, space, number });
    nodes.push(node);
    await node.start();
  }
  return {
    nodes,
    directory,
    enter,
    address: "10.99.0.1",
    registry: "10.99.0.1:5000",
    close: async () => {
      for (const node of nodes) await node.remove();
      await ended(registry, "SIGKILL");
      for (const step of cleanup) step();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startRegistry(directory: string, enter: readonly string[]): Promise<ChildProcess> {
  const configuration = join(directory, "registry.yml");
  const store = `{filesystem: {rootdirectory: ${directory}/registry}, delete: {enabled: true}}`;
  writeFileSync(
    configuration,
    `version: 0.1\nlog: {level: error}\nstorage: ${store}\nhttp: {addr: "10.99.0.1:5000"}\n`,
  );
  const [program = "", ...words] = [...enter, "docker-registry", "serve", configuration];
  const child = spawn(program, words, { stdio: "ignore" });
  const [check = "", ...more] = [...enter, "busybox", "nc", "-w", "1", "10.99.0.1", "5000"];
  await until(() => {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    try {
      run(check, ...more);
      return true;
    } catch {
      return false;
    }
  });
  return child;
}

interface Place {
  directory: string;
  prefix: string;
  /** Network namespace of the switch. */
  space: string;
  number: number;
}

class Machine implements DockerNode {
  readonly name: string;
  readonly address: string;
  readonly engine: Engine;
  readonly enter: string[];
  readonly #place: Place;
  readonly #space: string;
  #launcher: ChildProcess | undefined;

  constructor(place: Place) {
    const { prefix, number, directory, space } = place;
    this.#place = place;
    this.name = `n${number}`;
    this.address = `10.99.0.${10 + number}`;
    this.#space = `${prefix}n${number}`;
    this.enter = ["nsenter", `--net=/run/netns/${this.#space}`];
    this.engine = new Engine(`unix://${this.#socket}`);
    mkdirSync(join(directory, this.name, "data"), { recursive: true });
    run("ip", "netns", "add", this.#space);
    const inNode = (...words: string[]): string => run("ip", "-n", this.#space, ...words);
    inNode("link", "set", "lo", "up");
    run(
      "ip",
      "link",
      "add",
      "e0",
      "netns",
      this.#space,
      "type",
      "veth",
      "peer",
      "name",
      `p${number}`,
      "netns",
      space,
    );
    inNode("link", "set", "e0", "up");
    inNode("addr", "add", `${this.address}/24`, "dev", "e0");
    inNode("route", "add", "default", "via", this.address);
    run("ip", "-n", space, "link", "set", `p${number}`, "master", "br0");
    run("ip", "-n", space, "link", "set", `p${number}`, "up");
  }

  get #socket(): string {
    return join(this.#place.directory, this.name, "docker.sock");
  }

  async start(): Promise<void> {
    const { directory, number, prefix } = this.#place;
    const home = join(directory, this.name);
    const script = `mount -t proc proc /proc; mount -t tmpfs run /run; hostname ${this.name}
      exec /usr/sbin/dockerd --data-root ${home}/data --exec-root /run/docker -p /run/docker.pid -H unix:///run/docker.sock -H unix://${this.#socket} \
        --cgroup-parent /${prefix}n${number} --userland-proxy=false --bip 172.2${number}.0.1/16 --storage-driver overlay2 \
        --insecure-registry 10.99.0.0/24 --shutdown-timeout 2 --log-level error`;
    const [program = "", ...words] = [
      ...this.enter,
      "unshare",
      ..."--mount --pid --fork --uts --ipc --kill-child=KILL sh -c".split(" "),
      script,
    ];
    const log = openSync(join(home, "log"), "a");
    this.#launcher = spawn(program, words, { stdio: ["ignore", log, log] });
    closeSync(log);
    await until(async () => {
      if (this.#launcher?.exitCode !== null)
        throw new Error(`dockerd ended: ${readFileSync(join(home, "log"), "utf8").slice(-2000)}`);
      try {
        await this.engine.get("/info");
        return true;
      } catch {
        return false;
      }
    });
  }

  /** The daemon, its containers and their shims die in the same instant. */
  async kill(): Promise<void> {
    await ended(this.#launcher, "SIGKILL");
    rmSync(this.#socket, { force: true });
  }

  async remove(): Promise<void> {
    await this.kill();
    run("ip", "netns", "del", this.#space);
    const { prefix, number } = this.#place;
    await until(() => removeCgroups(`${prefix}n${number}`));
  }
}

/** What the daemon left: one directory in each hierarchy, with those of its containers below it. */
function removeCgroups(name: string): boolean {
  try {
    for (const hierarchy of readdirSync("/sys/fs/cgroup"))
      removeTree(join("/sys/fs/cgroup", hierarchy, name));
    removeTree(join("/sys/fs/cgroup", name));
    return true;
  } catch (error) {
    // The kernel is not through with the last process yet.
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}

function removeTree(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(directory, entry.name));
  rmdirSync(directory);
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}
