// Fast loopback: redis and nginx with their clients over the kernel's TCP, and over what stands in for it. Server and client are called the same way.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Figures, type Row } from "./engine-figures.ts";
import { engine, files, installed, nativeWay, pathOf, place, socketPeers, type Way } from "./engine-ways.ts";
import type { Sample } from "./measure.ts";
import { freePort } from "./trace-workloads.ts";

const fast = "engine, fast loopback";

interface Load {
  row: Row;
  client: (port: number) => readonly string[];
  /** Answers a second, and how many there were, as the client prints them. */
  rate: RegExp;
  answers: (rate: number, output: string) => number;
}

interface Server {
  command: (port: number) => readonly string[];
  loads: readonly Load[];
}

const row = (name: string, aimed = true): Row => ({
  ...{ name, unit: "1/s" },
  ...(aimed ? { aim: { way: fast, kind: "rate", value: 1.3 } } : {}),
});

function redis(): Server {
  const load = (test: string, pipeline: number, answers: number): Load => ({
    row: row(`redis ${test}, 20 clients${pipeline > 1 ? `, ${pipeline} at once` : ""}`),
    client: (port) => [
      pathOf("redis-benchmark"),
      ..."-h 127.0.0.1 -c 20 --csv -t".split(" "),
      ...[test.toLowerCase(), "-P", String(pipeline), "-n", String(answers), "-p", String(port)],
    ],
    rate: new RegExp(`"${test}","([\\d.]+)"`),
    answers: () => answers,
  });
  return {
    command: (port) => [
      pathOf("redis-server"),
      ..."--save  --appendonly no --bind 127.0.0.1 --dir".split(" "),
      ...[place, "--port", String(port)],
    ],
    loads: [
      load("GET", 1, 30_000),
      load("SET", 1, 30_000),
      load("GET", 16, 200_000),
      load("SET", 16, 200_000),
    ],
  };
}

/** One process, so that its processor time is that of the server. */
const nginxSettings = (port: number): string => {
  const kept = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const own = kept.map((name) => `${name}_temp_path ${place}/nginx;`).join(" ");
  return `daemon off; master_process off; pid ${place}/nginx.pid; error_log ${place}/nginx.errors;
events { worker_connections 64; }
http { access_log off; sendfile on; keepalive_requests 100000000; ${own}
  server { listen 127.0.0.1:${port}; root ${files}/pages; } }
`;
};

function nginx(): Server {
  const load = (name: string, aimed: boolean): Load => ({
    row: row(`nginx, ${name}, wrk with 16`, aimed),
    client: (port) => [
      pathOf("wrk"),
      "-t1",
      "-c16",
      "-d1s",
      `http://127.0.0.1:${port}/${name.replaceAll(" ", "")}`,
    ],
    rate: /Requests\/sec:\s*([\d.]+)/,
    answers: (rate, output) => Number(/(\d+) requests in/.exec(output)?.[1] ?? rate),
  });
  mkdirSync(join(files, "pages"));
  for (const size of [1, 64]) writeFileSync(join(files, `pages/${size}KiB`), "x".repeat(size * 1024));
  return {
    command: (port) => {
      writeFileSync(join(place, "nginx.conf"), nginxSettings(port));
      return ["/usr/sbin/nginx", "-e", `${place}/nginx.errors`, "-c", `${place}/nginx.conf`];
    },
    loads: [load("1 KiB", true), load("64 KiB", false)],
  };
}

/** Processor time of a process so far, in microseconds; fields 14 and 15, in hundredths of a second. */
function used(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function loaded(way: Way, load: Load, port: number, server: number): Sample | undefined {
  const before = used(server);
  const script = `TIMEFORMAT='%R %U %S'; time "$@" 2>/dev/null`;
  const result = spawnSync("bash", ["-c", script, "bash", ...way.words, ...load.client(port)], {
    encoding: "utf8",
    timeout: 60_000,
  });
  const wall = Number(load.rate.exec(result.stdout)?.[1] ?? Number.NaN);
  const [, user = Number.NaN, system = Number.NaN] = result.stderr.trim().split(/\s+/).map(Number);
  if (result.status !== 0 || Number.isNaN(wall) || /Non-2xx|Socket errors/.test(result.stdout))
    return undefined;
  const all = used(server) - before + (user + system) * 1e6;
  return { wall, cpu: all / load.answers(wall, result.stdout) };
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

async function started(way: Way, server: Server, port: number): Promise<ChildProcess> {
  const [program = "", ...words] = [...way.words, ...server.command(port)];
  const child = spawn(program, words, { stdio: "ignore" });
  running.add(child);
  const knock = [...way.words, "/bin/bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${port}`];
  for (let tries = 0; spawnSync(knock[0] ?? "", knock.slice(1)).status !== 0; tries++) {
    if (tries > 200 || child.exitCode !== null)
      throw new Error(`${[program, ...words].join(" ")}: does not listen at port ${port}`);
    await sleep(50);
  }
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  const gone = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
  child.kill("SIGKILL");
  await gone;
  running.delete(child);
}

export async function loopbackRows(rounds: number): Promise<string> {
  const servers = [
    ...(["redis-server", "redis-benchmark"].every((name) => installed(name)) ? [redis()] : []),
    ...([installed("/usr/sbin/nginx"), installed("wrk")].every(Boolean) ? [nginx()] : []),
  ];
  const ways: Way[] = [
    nativeWay,
    { ...nativeWay, name: "engine", words: [engine] },
    { ...nativeWay, name: fast, words: [engine, "--fast-loopback"] },
    ...socketPeers(),
  ];
  const rows = servers.flatMap(({ loads }) => loads.map((load) => load.row));
  const figures = new Figures(
    rows,
    ways.map((way) => way.name),
  );
  for (let round = 0; round < rounds; round++)
    for (const server of servers)
      for (const way of ways) {
        const port = await freePort();
        const child = await started(way, server, port);
        for (const load of server.loads)
          figures.note(load.row.name, way.name, loaded(way, load, port, child.pid ?? 0));
        await ended(child);
      }
  return `${figures.table()}\n\nAnswers a second; native is the kernel's TCP. CPU time is that of server and client for an answer, in microseconds.`;
}
