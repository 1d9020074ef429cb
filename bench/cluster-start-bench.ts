// Clusters: from CreateService to the last task running, against a service of the same Docker node created by itself. `node bench/cluster-start-bench.ts [--rounds N] [--counts N,N] [--only docker,local]`
// A signal ends it with what it has measured, and takes away what it has made.
import { loadavg } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServicesCommand,
  type ECSClient,
  ListContainerInstancesCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
} from "@aws-sdk/client-ecs";
import type { Engine } from "../src/cluster/drivers/docker/engine.ts";
import { makeFixture, makePackage, until, whyNot } from "../test/integration/runtime-fixture.ts";
import { serveCluster } from "../test/support/cluster-serve.ts";
import { makeNodes, whyNoNodes } from "../test/support/docker-nodes.ts";
import { makeSwarm, pushAgentImage, pushBox } from "../test/support/swarm.ts";
import { median } from "./measure.ts";

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    counts: { type: "string", default: "10,50" },
    only: { type: "string", default: "docker,local" },
  },
});
const rounds = Number(values.rounds);
const counts = values.counts.split(",").map(Number);
const command = ["sleep", "100000"];
const mebibytes = 32;
/** Milliseconds between two looks, of both sides. */
const look = 50;

interface Way {
  name: string;
  /** Resolves when so many tasks run. */
  start: (count: number) => Promise<void>;
  /** Resolves when none of them is left. */
  end: () => Promise<void>;
}

const why = whyNot() ?? whyNoNodes();
if (why !== undefined) {
  console.error(`cluster-start: ${why}`);
  process.exit(1);
}
const closing: (() => Promise<void>)[] = [];
const ended = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.once(signal, () => ended.abort(new Error(signal)));
try {
  await Promise.race([measureAll(), told(ended.signal)]);
} catch (error) {
  if (!ended.signal.aborted) throw error;
  console.error(`cluster-start: ended by ${String(ended.signal.reason)}`);
  process.exitCode = 1;
} finally {
  for (const close of closing.reverse()) await close().catch((error: unknown) => console.error(error));
}
process.exit();

function told(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

async function measureAll(): Promise<void> {
  const only = values.only.split(",");
  const ways = [
    ...(only.includes("docker") ? await dockerWays() : []),
    ...(only.includes("local") ? [await localWay()] : []),
  ];
  console.log(
    "| way | tasks | seconds to the last one running, median (all rounds) | x service of Docker |\n|---|---|---|---|",
  );
  for (const count of counts) {
    const times = new Map(ways.map((way): [string, number[]] => [way.name, []]));
    for (let round = -1; round < rounds; round++)
      for (const { name, start, end } of ways) {
        const at = performance.now();
        await start(count);
        const spent = (performance.now() - at) / 1000;
        // The round before the first fills caches and is not counted.
        if (round >= 0) times.get(name)?.push(spent);
        const at2 = performance.now();
        await end();
        const ending = (performance.now() - at2) / 1000;
        console.error(
          `${name}, ${count} tasks, ${round < 0 ? "not counted" : `round ${round + 1}`}: ${spent.toFixed(2)} s, ended in ${ending.toFixed(2)} s`,
        );
      }
    const first = median(times.get(ways[0]?.name ?? "") ?? []);
    for (const [name, all] of times)
      console.log(
        `| ${name} | ${count} | ${median(all).toFixed(2)} (${all.map((one) => one.toFixed(2)).join(", ")}) | ${(median(all) / first).toFixed(2)} |`,
      );
  }
  console.log(`\nLoad at the end: ${loadavg()[0]?.toFixed(1)}.`);
}

async function dockerWays(): Promise<Way[]> {
  const nodes = await makeNodes(1);
  closing.push(() => nodes.close());
  const [node] = nodes.nodes;
  if (node === undefined) throw new Error("no Docker node was made");
  const image = `${nodes.registry}/box:1`;
  await pushBox(nodes, image);
  const agentImage = await pushAgentImage(nodes);
  await makeSwarm(nodes);
  const place = {
    root: { path: join(nodes.directory, "control") },
    enter: nodes.enter,
    listen: "10.99.0.1:0",
  };
  const served = await serveCluster(
    place,
    ..."--driver swarm --task-cleanup-wait 0s --agent-image".split(" "),
    agentImage,
    "--engine-host",
    node.engine.address,
    "--registry",
    nodes.registry,
  );
  closing.push(() => served.end("SIGTERM"));
  const gone = () => until(async () => (await tasksOf(node.engine)) === 0);
  const ours = await way("ours, driver swarm", served.client, image, gone);
  return [serviceOfDocker(node.engine, image, gone), ours];
}

async function localWay(): Promise<Way> {
  const fixture = await makeFixture();
  closing.push(() => fixture.remove());
  await makePackage(fixture.root, "box:1");
  const served = await serveCluster(fixture, "--task-cleanup-wait", "0s");
  closing.push(() => served.end("SIGTERM"));
  const gone = () => until(async () => (await fixture.cli(["ps", "-aq"])).stdout.trim() === "");
  return way("ours, this machine with our runtime", served.client, "box:1", gone);
}

/** Containers besides those of agents: the engine keeps those of earlier ones. */
async function tasksOf(engine: Engine): Promise<number> {
  const all = (await engine.get<{ Names: string[] }[]>("/containers/json", { query: { all: "1" } })) ?? [];
  return all.filter(({ Names }) => !Names[0]?.startsWith("/tranship-agent.")).length;
}

function serviceOfDocker(engine: Engine, image: string, gone: () => Promise<void>): Way {
  let id = "";
  return {
    name: "service of Docker",
    start: async (count) => {
      const ContainerSpec = { Image: image, Command: command, Init: true, StopGracePeriod: 1e9 };
      const Resources = { Limits: { MemoryBytes: mebibytes * 2 ** 20 } };
      const body = {
        Name: "many",
        TaskTemplate: { ContainerSpec, Resources },
        Mode: { Replicated: { Replicas: count } },
      };
      ({ ID: id } = await engine.post<{ ID: string }>("/services/create", { body }));
      const filters = JSON.stringify({ service: ["many"] });
      await reached(count, async () => {
        const tasks = await engine.get<{ Status: { State: string } }[]>("/tasks", { query: { filters } });
        return (tasks ?? []).filter(({ Status }) => Status.State === "running").length;
      });
    },
    end: async () => {
      await engine.delete(`/services/${id}`);
      await gone();
    },
  };
}

async function way(name: string, client: ECSClient, image: string, gone: () => Promise<void>): Promise<Way> {
  await client.send(new CreateClusterCommand({}));
  const main = { name: "main", image, memory: mebibytes, command, stopTimeout: 1 };
  const containerDefinitions = [{ ...main, linuxParameters: { initProcessEnabled: true } }];
  await client.send(new RegisterTaskDefinitionCommand({ family: "many", containerDefinitions }));
  await until(
    async () =>
      (await client.send(new ListContainerInstancesCommand({}))).containerInstanceArns?.length === 1,
  );
  return {
    name,
    start: async (desiredCount) => {
      const service = { serviceName: "many", taskDefinition: "many", desiredCount };
      await client.send(new CreateServiceCommand(service));
      await reached(desiredCount, async () => {
        const { services } = await client.send(new DescribeServicesCommand({ services: ["many"] }));
        return services?.[0]?.runningCount ?? 0;
      });
    },
    end: async () => {
      await client.send(new DeleteServiceCommand({ service: "many", force: true }));
      await until(async () => (await client.send(new ListTasksCommand({}))).taskArns?.length === 0);
      await gone();
    },
  };
}

async function reached(count: number, seen: () => Promise<number>): Promise<void> {
  const patience = performance.now() + 300_000;
  for (let now = await seen(); now < count; now = await seen()) {
    if (performance.now() > patience) throw new Error(`${now} of ${count} tasks run after five minutes`);
    await sleep(look);
  }
}
