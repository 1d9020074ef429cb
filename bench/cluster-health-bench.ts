// Clusters: what health checks of tasks on this machine cost: processor time of the control plane, of all that it starts, and of the tasks. `node bench/cluster-health-bench.ts [--seconds N]`
import { mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  CreateClusterCommand,
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { cgroupMode } from "../src/host/cgroup.ts";
import { instanceGroup } from "../src/runtime/limits/groups.ts";
import {
  type Fixture,
  makeFixture,
  makePackage,
  until,
  whyNot,
} from "../test/integration/runtime-fixture.ts";
import { type Served, serveCluster } from "../test/support/cluster-serve.ts";

// --rounds comes from bench/run.ts; a round is long here, and one is enough.
const { values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "30" }, rounds: { type: "string" } },
});
const seconds = Number(values.seconds);
const count = 20;
/** At most so many are started at once. */
const some = 5;

const why = whyNot();
const hierarchy = cgroupMode().hierarchies.find(
  ({ version, controllers }) => version === 2 || controllers.includes("cpuacct"),
);
if (why !== undefined || hierarchy === undefined) {
  console.error(`cluster-health: ${why ?? "no control group that counts processor time"}`);
  process.exit(1);
}
/** We and all that we start are in it, but for the instances. */
const group = `${hierarchy.path}/tranship-bench-${process.pid}`;
mkdirSync(group);
writeFileSync(`${group}/cgroup.procs`, String(process.pid));
const fixture = await makeFixture();
try {
  await makePackage(fixture.root, "box:1");
  const served = await serveCluster(fixture, "--task-cleanup-wait", "0s");
  try {
    await served.client.send(new CreateClusterCommand({}));
    console.log(
      `| ${count} tasks | checks a second | processor seconds a second: control plane and what it starts | the tasks |\n|---|---|---|---|`,
    );
    await measure(fixture, served, "without a health check");
    await measure(fixture, served, "a check each second", 1);
  } finally {
    await served.end("SIGTERM");
  }
  console.log(`\nMeasured for ${seconds} s each; load at the end: ${loadavg()[0]?.toFixed(1)}.`);
} finally {
  for (const id of (await fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean))
    await fixture.cli(["rm", "-f", id]);
  await fixture.remove();
  writeFileSync(`${hierarchy.path}/cgroup.procs`, String(process.pid));
  await until(() => {
    try {
      rmdirSync(group);
      return true;
    } catch {
      return false; // what was ended is still ending
    }
  });
}

async function measure(at: Fixture, { client }: Served, name: string, interval?: number): Promise<void> {
  const healthCheck = { command: ["CMD-SHELL", "echo >> /tmp/checks"], interval, timeout: 60 };
  const command = ["sh", "-c", "touch /tmp/checks; exec sleep 100000"];
  const main = { name: "main", image: "box:1", memory: 32, command, stopTimeout: 1 };
  const containerDefinitions = [interval === undefined ? main : { ...main, healthCheck }];
  await client.send(
    new RegisterTaskDefinitionCommand({ family: "checked", networkMode: "none", containerDefinitions }),
  );
  const tasks: string[] = [];
  const all = async (status: string): Promise<boolean> => {
    const { tasks: seen = [] } = await client.send(new DescribeTasksCommand({ tasks }));
    const failed = seen.find(({ stopCode }) => stopCode === "TaskFailedToStart");
    if (failed !== undefined) throw new Error(failed.stoppedReason);
    return seen.every(({ lastStatus }) => lastStatus === status);
  };
  while (tasks.length < count) {
    const answer = await client.send(new RunTaskCommand({ taskDefinition: "checked", count: some }));
    if (answer.failures?.length) throw new Error(JSON.stringify(answer.failures));
    tasks.push(...(answer.tasks ?? []).map(({ taskArn }) => taskArn ?? ""));
    await until(() => all("RUNNING"));
  }
  await sleep(10_000);
  const ids = (await at.cli(["ps", "-q", "--no-trunc"])).stdout.split("\n").filter(Boolean);
  const before = { at: performance.now(), checks: checksOf(ids), ours: ours(), tasks: sumOf(ids) };
  await sleep(seconds * 1000);
  const passed = (performance.now() - before.at) / 1000;
  const rate = (checksOf(ids) - before.checks) / passed;
  const share = [ours() - before.ours, sumOf(ids) - before.tasks].map((used) => (used / passed).toFixed(3));
  console.log(`| ${name} | ${rate.toFixed(1)} | ${share.join(" | ")} |`);
  for (const task of tasks) await client.send(new StopTaskCommand({ task }));
  await until(() => all("STOPPED"));
}

/** Processor seconds of our group, less our own. */
function ours(): number {
  const { user, system } = process.cpuUsage();
  return usage(group) - (user + system) / 1e6;
}

/** What the checks have written, a byte each, seen through the root of a process of each instance. */
function checksOf(ids: readonly string[]): number {
  return ids.reduce((sum, id) => {
    const [pid] = readFileSync(`${hierarchy?.path}/${instanceGroup(id)}/cgroup.procs`, "utf8").split("\n");
    return sum + statSync(`/proc/${pid}/root/tmp/checks`).size;
  }, 0);
}

function sumOf(ids: readonly string[]): number {
  return ids.reduce((sum, id) => sum + usage(`${hierarchy?.path}/${instanceGroup(id)}`), 0);
}

/** Processor seconds that a control group has used. */
function usage(of: string): number {
  if (hierarchy?.version === 1) return Number(readFileSync(`${of}/cpuacct.usage`, "utf8")) / 1e9;
  return Number(/^usage_usec (\d+)$/m.exec(readFileSync(`${of}/cpu.stat`, "utf8"))?.[1]) / 1e6;
}
