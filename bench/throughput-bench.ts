// What servers answer inside of an instance, on the host's network and on a bridge, against native and podman; 4 to 8 clients on this host.
// `node bench/throughput-bench.ts [--rounds N] [--seconds N] [--only nginx/redis/postgres]`; needs root. All of it runs in private network and mount namespaces.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { boxAt } from "./box.ts";
import { median } from "./measure.ts";
import { startPodman } from "./peers.ts";
import { inPrivate } from "./private.ts";
import { processorTime } from "./resident.ts";
import {
  addServers, asPlain, copyDatabase, makeDatabase, makePages, plainUser, type Server, servers, writeNginxSettings,
} from "./throughput-servers.ts"; // biome-ignore format: a list

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    only: { type: "string" },
  },
});

interface Tool {
  name: string;
  words: readonly string[];
  image: string;
}

/** A server that runs. */
interface Running {
  way: string;
  address: string;
  port: number;
  /** Everything of it descends from this process. */
  pid: number;
}

interface Point {
  rate: number;
  /** Microseconds of the server for each answer. */
  cost: number;
}

/** Where its files are in an instance. */
const home = "/srv/home";
const least: Readonly<Record<string, number>> = { host: 0.97, bridge: 0.9 };

await inPrivate(async (scratch) => {
  const box = await boxAt(scratch, { prepare: addServers });
  const tar = join(scratch, "image.tar");
  execFileSync("tar", ["-C", box.layer, "-cf", tar, "."]);
  const podman = startPodman(scratch, tar);
  const tools = [
    { name: "tranship", words: box.tranship, image: "box:1" },
    ...(podman === undefined ? [] : [podman]),
  ];
  makePages(join(scratch, "native"));
  makeDatabase(join(scratch, "database"));
  try {
    const rows: string[] = [];
    const chosen = servers(scratch, Number(values.seconds)).filter(
      ({ name }) => values.only === undefined || name === values.only,
    );
    for (const server of chosen) rows.push(...(await measured(scratch, server, tools)));
    const ways = tools.flatMap(({ name }) => [`${name}, host`, `${name}, bridge`]);
    console.log(
      [
        `| load | native, a second | ${ways.join(" | ")} |`,
        `|---|---|${ways.map(() => "---").join("|")}|`,
        ...rows,
      ].join("\n"),
    );
    console.log(
      `\nRates in native's, in brackets processor time of the server for each answer in native's; ${values.rounds} rounds of ${values.seconds} s. Goals: at least ${least.host} on the host's network, ${least.bridge} on a bridge.`,
    );
  } finally {
    for (const { words } of tools)
      spawnSync("sh", ["-c", '"$@" ps -aq | xargs "$@" rm -f', "sh", ...words], { stdio: "ignore" });
  }
});

/** One row for each of its loads. */
async function measured(scratch: string, server: Server, tools: readonly Tool[]): Promise<string[]> {
  const native = startNative(scratch, server);
  const all = [
    native.running,
    ...tools.flatMap((tool, number) =>
      ["host", "bridge"].map((network) => startIn(scratch, server, tool, network, 8100 + number)),
    ),
  ];
  try {
    for (const one of all) await answers(server, one);
    const rows: string[] = [];
    for (const load of server.loads) {
      const points = new Map(all.map(({ way }): [string, Point[]] => [way, []]));
      for (let round = -1; round < Number(values.rounds); round++)
        for (const one of all) {
          const point = await pointOf(load, one);
          // The round before the first fills caches and is not counted.
          if (round >= 0) points.get(one.way)?.push(point);
        }
      rows.push(rowOf(load.name, points));
    }
    return rows;
  } finally {
    const gone = new Promise((resolve) => native.child.once("exit", resolve));
    native.child.kill("SIGTERM");
    if (native.child.exitCode === null) await gone;
    for (const { words } of tools)
      spawnSync("sh", ["-c", '"$@" ps -aq | xargs "$@" rm -f', "sh", ...words], { stdio: "ignore" });
  }
}

function filesFor(scratch: string, server: Server, way: string, seen: string, port: number): string {
  const directory = join(scratch, way === "native" ? "native" : `${server.name}-${way}`);
  mkdirSync(join(directory, "settings"), { recursive: true });
  writeNginxSettings(join(directory, "settings"), seen === "" ? directory : seen, port);
  if (server.plain) copyDatabase(join(scratch, "database"), join(directory, "data"));
  return directory;
}

function startNative(scratch: string, server: Server): { running: Running; child: ChildProcess } {
  const port = 8090;
  const directory = filesFor(scratch, server, "native", "", port);
  const [program = "", ...words] = [...(server.plain ? asPlain : []), ...server.command(directory, port)];
  const child = spawn(program, words, { stdio: ["ignore", "ignore", "inherit"], cwd: "/" });
  return { child, running: { way: "native", address: "127.0.0.1", port, pid: child.pid ?? 0 } };
}

function startIn(
  scratch: string,
  server: Server,
  { name, words, image }: Tool,
  network: string,
  port: number,
): Running {
  const directory = filesFor(scratch, server, `${name}-${network}`, home, port);
  const container = `${server.name}-${network}`;
  const flags = [
    ...["run", "-d", "--name", container, "--network", network],
    ...["-v", `${directory}/settings:${home}/settings`],
    ...(server.plain
      ? ["-v", `${directory}/data:${home}/data`, "-u", `${plainUser.uid}:${plainUser.gid}`]
      : []),
  ];
  const call = (...args: string[]): string =>
    execFileSync(words[0] ?? "", [...words.slice(1), ...args], { encoding: "utf8" }).trim();
  call(...flags, image, ...server.command(home, port));
  const told = call("inspect", "--format", "{{.State.Pid}} {{.NetworkSettings.IPAddress}}", container);
  const [pid, address = ""] = told.split(" ");
  return {
    way: `${name}, ${network}`,
    address: network === "host" ? "127.0.0.1" : address,
    port,
    pid: Number(pid),
  };
}

async function answers(server: Server, { way, address, port }: Running): Promise<void> {
  for (let tries = 0; !server.ready(address, port); tries++) {
    if (tries > 100) throw new Error(`${server.name} (${way}) does not answer at ${address}:${port}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function pointOf(load: Server["loads"][number], { address, port, pid }: Running): Promise<Point> {
  const [began, used] = [performance.now(), processorTime(pid)];
  const rate = await load.rate(address, port);
  const seconds = (performance.now() - began) / 1000;
  return { rate, cost: ((processorTime(pid) - used) * 1e6) / (rate * seconds) };
}

function rowOf(name: string, points: ReadonlyMap<string, readonly Point[]>): string {
  const of = (way: string, key: keyof Point): number =>
    median((points.get(way) ?? []).map((one) => one[key]));
  const cells = [...points.keys()]
    .filter((way) => way !== "native")
    .map((way) => {
      const ratio = of(way, "rate") / of("native", "rate");
      const goal = way.startsWith("tranship") ? least[way.split(", ")[1] ?? ""] : undefined;
      const verdict = goal === undefined ? "" : ratio >= goal ? ", met" : ", missed";
      return `${ratio.toFixed(2)}${verdict} (${(of(way, "cost") / of("native", "cost")).toFixed(2)})`;
    });
  return `| ${name} | ${of("native", "rate").toFixed(0)} | ${cells.join(" | ")} |`;
}
