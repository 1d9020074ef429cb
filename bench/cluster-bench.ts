// The control plane of clusters: calls per second against a bare HTTP server that answers the same bytes, placement, memory. `node bench/cluster-bench.ts [--rounds N]`
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { signedHeaders } from "../src/cluster/api/sigv4.ts";
import { NullDriver, plainNode } from "../src/cluster/drivers/null-driver.ts";
import { type Candidate, place } from "../src/cluster/placement/place.ts";
import { makeControlPlane } from "../src/cluster/serve.ts";
import { median } from "./measure.ts";

const { values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" } },
});
const rounds = Number(values.rounds);
const key = { accessKeyId: "AKIDBENCH", secretAccessKey: "bench" };
const callsPerRound = 500;
/** Uncounted, of both: a server is measured as it is after its first seconds. */
const warmUp = 3;
/** Seconds. */
const idle = 30;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

if (process.argv[2] === "serve") await serve();
else await main();

/** The servers are a process of their own: the client's work is not theirs. */
async function serve(): Promise<void> {
  const nodes = Array.from({ length: 100 }, (_, index) => plainNode(`n${index}`, 1 << 20, 1 << 22));
  const plane = await makeControlPlane({
    stateFile: process.argv[3] ?? ":memory:",
    driver: new NullDriver(nodes),
    secretOf: (id) => (id === key.accessKeyId ? key.secretAccessKey : undefined),
    onDefect: (error) => console.error(error),
  });
  await plane.server.listen({ host: "127.0.0.1", port: 0 });
  let bytes = "{}";
  const bare = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      if (incoming.url === "/answer") bytes = Buffer.concat(chunks).toString();
      outgoing.setHeader("content-type", "application/x-amz-json-1.1");
      outgoing.end(bytes);
    });
  });
  bare.keepAliveTimeout = 600_000;
  bare.listen(0, "127.0.0.1", () => {
    const ports = [plane.server.server.address(), bare.address()].map(
      (address) => (address as AddressInfo).port,
    );
    process.send?.(ports);
  });
  process.on("message", (asked) => process.send?.(asked === "cpu" ? cpuOf() : process.memoryUsage().rss));
}

/** Microseconds of processor time so far. */
function cpuOf(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function main(): Promise<void> {
  const { ask, bare, child, ours } = await startServers();
  try {
    await post(ours, "CreateCluster", {});
    const containerDefinitions = [{ name: "main", image: "box:1", memory: 4, cpu: 1 }];
    await post(ours, "RegisterTaskDefinition", { family: "base", containerDefinitions });
    const { tasks } = JSON.parse(await post(ours, "RunTask", { taskDefinition: "base", count: 10 })) as {
      tasks: { taskArn: string }[];
    };
    const described = { tasks: tasks.map(({ taskArn }) => taskArn) };
    const running: string[] = [];
    const ways: Way[] = [
      always("register", "RegisterTaskDefinition", { family: "base", containerDefinitions }),
      always("describe 10 tasks", "DescribeTasks", described),
      always("list 100 of 1,000 tasks", "ListTasks", {}),
      always("run a task", "RunTask", { taskDefinition: "base" }),
      { name: "stop a task", operation: "StopTask", input: () => ({ task: running.pop() }) },
    ];
    console.log(
      "| call | calls/s | p99 ms | bare node:http, same bytes | ratio (goal: at least 0.5) | CPU of the server, µs a call | of the bare one | ratio |\n|---|---|---|---|---|---|---|---|",
    );
    for (const { name, operation, input } of ways) {
      if (operation === "ListTasks") await manyTasks(ours, 1000);
      // Each is stopped once.
      if (operation === "StopTask")
        running.push(...(await manyTasks(ours, (rounds + warmUp) * callsPerRound)));
      const first = input();
      const answer = await post(ours, operation, first);
      await plain(bare, "/answer", answer);
      const sides = [
        { call: () => post(ours, operation, input()), rates: [] as number[], cpu: [] as number[] },
        { call: () => plain(bare, "/", JSON.stringify(first)), rates: [] as number[], cpu: [] as number[] },
      ] as const;
      const all: number[] = [];
      for (let round = -warmUp; round < rounds; round++)
        for (const side of sides) {
          const before = await ask("cpu");
          const { rate, times } = await series(side.call);
          if (round < 0) continue;
          side.cpu.push(((await ask("cpu")) - before) / callsPerRound);
          side.rates.push(rate);
          if (side === sides[0]) all.push(...times);
        }
      const [rate = 0, bareRate = 0] = sides.map(({ rates }) => median(rates));
      const [spent = 0, bareSpent = 0] = sides.map((side) => median(side.cpu));
      const p99 = all.sort((a, b) => a - b)[Math.floor(all.length * 0.99)] ?? 0;
      console.log(
        `| ${name} | ${rate.toFixed(0)} | ${p99.toFixed(1)} | ${bareRate.toFixed(0)} | ${(rate / bareRate).toFixed(2)} | ${spent.toFixed(0)} | ${bareSpent.toFixed(0)} | ${(bareSpent / spent).toFixed(2)} |`,
      );
    }
  } finally {
    child.kill("SIGKILL");
  }
  await holding();
  placing();
}

interface Way {
  name: string;
  operation: string;
  input: () => object;
}

function always(name: string, operation: string, input: object): Way {
  return { name, operation, input: () => input };
}

/** ARNs of so many that run, and one more. */
async function manyTasks(port: number, count: number): Promise<string[]> {
  const arns: string[] = [];
  while (arns.length <= count) {
    const { tasks } = JSON.parse(await post(port, "RunTask", { taskDefinition: "base", count: 10 })) as {
      tasks: { taskArn: string }[];
    };
    arns.push(...tasks.map(({ taskArn }) => taskArn));
  }
  return arns;
}

/** A control plane of its own, which has done nothing else. */
async function holding(): Promise<void> {
  const { ask, child, ours } = await startServers();
  try {
    await post(ours, "CreateCluster", {});
    const containerDefinitions = [{ name: "main", image: "box:1", memory: 4, cpu: 1 }];
    await post(ours, "RegisterTaskDefinition", { family: "base", containerDefinitions });
    for (let count = 0; count < 10_000 / 10; count++)
      await post(ours, "RunTask", { taskDefinition: "base", count: 10 });
    const memory = await ask("memory");
    console.log(`\nMemory with 10,000 tasks: ${(memory / 2 ** 20).toFixed(0)} MiB (goal: under 300).`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const before = await ask("cpu");
    await new Promise((resolve) => setTimeout(resolve, idle * 1000));
    const spent = ((await ask("cpu")) - before) / 1000 / idle;
    console.log(`\nIdle with them for ${idle} s: ${spent.toFixed(2)} ms of processor time a second.`);
  } finally {
    child.kill("SIGKILL");
  }
}

async function startServers(): Promise<{
  child: ChildProcess;
  ours: number;
  bare: number;
  ask: (what: string) => Promise<number>;
}> {
  // On a disk, as `cluster serve` has it.
  const directory = mkdtempSync(join(tmpdir(), "tranship-cluster-bench-"));
  const child = fork(import.meta.filename, ["serve", join(directory, "state.db")]);
  child.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const told = <T>(): Promise<T> =>
    new Promise((resolve) => child.once("message", (value) => resolve(value as T)));
  const [ours = 0, bare = 0] = await told<number[]>();
  const ask = (what: string): Promise<number> => {
    child.send(what);
    return told<number>();
  };
  return { child, ours, bare, ask };
}

/** Sixteen callers at once. */
async function series(call: () => Promise<unknown>): Promise<{ rate: number; times: number[] }> {
  const times: number[] = [];
  let left = callsPerRound;
  const begun = performance.now();
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const at = performance.now();
      await call();
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: 16 }, caller));
  return { rate: callsPerRound / ((performance.now() - begun) / 1000), times };
}

function post(port: number, operation: string, input: object): Promise<string> {
  const body = JSON.stringify(input);
  const url = new URL(`http://127.0.0.1:${port}/`);
  const target = `AmazonEC2ContainerServiceV20141113.${operation}`;
  return send(url, body, signedHeaders({ url, target, body }, key, "eu-test-1", Date.now()));
}

/** Signed as well, so that the client's work is the same. */
function plain(port: number, path: string, body: string): Promise<string> {
  const url = new URL(`http://127.0.0.1:${port}${path}`);
  return send(url, body, signedHeaders({ url, target: "none", body }, key, "eu-test-1", Date.now()));
}

function send(url: URL, body: string, headers: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(text));
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** 1,000 tasks at once onto many instances, spread over zones and then packed. */
function placing(): void {
  console.log("\n| instances | 1,000 tasks placed in ms |\n|---|---|");
  for (const count of [1000, 3000, 10_000]) {
    const times = Array.from({ length: rounds }, () => {
      const candidates = Array.from(
        { length: count },
        (_, index): Candidate => ({
          id: `i${index}`,
          subject: { attribute: () => `zone-${index % 3}`, field: () => "true", hasTaskOfGroup: () => false },
          cpu: 4096,
          memory: 16_384,
          ports: new Set(),
          available: true,
        }),
      );
      const strategy = [
        { type: "spread" as const, field: "attribute:ecs.availability-zone" },
        { type: "binpack" as const, field: "memory" },
      ];
      const constraints = [
        { type: "memberOf" as const, expression: "attribute:ecs.availability-zone =~ zone-.*" },
      ];
      const at = performance.now();
      place(candidates, 1000, {
        cpu: 100,
        memory: 100,
        ports: [],
        constraints,
        strategy,
        groupCounts: new Map(),
        random: Math.random,
      });
      return performance.now() - at;
    });
    console.log(`| ${count} | ${median(times).toFixed(0)} |`);
  }
}
