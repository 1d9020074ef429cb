// cluster join and cluster leave over a real sshd: a machine that has nothing of ours, not even Node.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CreateClusterCommand,
  DescribeContainerInstancesCommand,
  ListContainerInstancesCommand,
} from "@aws-sdk/client-ecs";
import { readLook } from "../../src/cluster/far/join-far.ts";
import { home, pushCommand, putCommand } from "../../src/cluster/far/scripts.ts";
import { joinToken } from "../../src/cluster/keys.ts";
import { type CaptureHost, captureHost, type Outcome } from "../support/capture.ts";
import { type Served, serveCluster } from "../support/cluster-serve.ts";
import { FarMachine, whyNoFar } from "../support/far-machine.ts";
import { installTo } from "../support/installed.ts";
import { until, whyNot } from "./runtime-fixture.ts";

const skip = whyNoFar() || (whyNot() ?? false);

describe("a node that is joined over ssh", { skip, timeout: 400_000 }, () => {
  let host: CaptureHost;
  let far: FarMachine;
  let served: Served;
  let installed: string;
  const ends: (() => unknown)[] = [];
  /** What after() of a test does, here for all of them. */
  const life = { after: (end: () => unknown) => ends.unshift(end) };

  const tool = (words: readonly string[], env: Record<string, string> = {}): Promise<Outcome> => {
    const all = Object.entries({ ...far.environment, ...env }).map(([key, value]) => `${key}=${value}`);
    return host.inside(["env", ...all, process.execPath, join(installed, "dist/start.cjs"), ...words]);
  };
  const ok = async (...words: string[]): Promise<Outcome> => {
    const done = await tool(words);
    assert.equal(done.status, 0, `${words.join(" ")}: ${done.stderr}`);
    return done;
  };
  /** Attribute zone of each node, by whether it is connected. */
  const zones = async (): Promise<(string | undefined)[]> => {
    const { containerInstanceArns = [] } = await served.client.send(new ListContainerInstancesCommand({}));
    if (containerInstanceArns.length === 0) return [];
    const { containerInstances = [] } = await served.client.send(
      new DescribeContainerInstancesCommand({ containerInstances: containerInstanceArns }),
    );
    return containerInstances
      .filter(({ agentConnected }) => agentConnected)
      .map(({ attributes }) => attributes?.find(({ name }) => name === "zone")?.value);
  };
  const pidOf = (file: string): number => Number(readFileSync(far.path(`${home}/${file}`), "utf8"));
  /** Command lines of the far machine's processes. */
  const processes = (): string[] =>
    readdirSync(far.path("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          return [readFileSync(far.path(`/proc/${pid}/cmdline`), "latin1").replaceAll("\0", " ")];
        } catch {
          return [];
        }
      });

  before(async () => {
    host = await captureHost(life as never);
    execFileSync("nsenter", [
      "-t",
      String(host.holder),
      "-n",
      "ip",
      "addr",
      "add",
      "10.98.0.1/32",
      "dev",
      "lo",
    ]);
    far = await FarMachine.start(life as never, host);
    installed = join(host.base, "installed");
    await installTo(installed);
    served = await serveCluster(
      {
        root: { path: host.state },
        enter: ["nsenter", "-t", String(host.holder), "-n"],
        listen: "10.98.0.1:0",
      },
      "--driver", "agents", "--node-grace", "3s",
    ); // biome-ignore format: a command line
    await served.client.send(new CreateClusterCommand({}));
  });
  after(async () => {
    await served?.end("SIGTERM");
    for (const end of ends) await end();
  });

  test("--dry-run names every command, and touches nothing", async () => {
    const { stdout } = await ok("cluster", "join", far.address, "--dry-run");
    assert.match(stdout, /nothing was done/);
    for (const name of ["versions/part-", "token.new", "tranship-agent.service", "setsid"])
      assert.ok(stdout.includes(name), name);
    assert.ok(!stdout.includes(joinToken(host.state)), "the token is in no command");
    assert.ok(!existsSync(far.path(home)));
  });

  test("it gets what is missing, joins, and is left alone when it is joined again", async () => {
    // A join that was killed while it sent.
    await far.run(`mkdir -p ${home}/versions/part-dead/bin`);
    const first = await ok("cluster", "join", far.address, "--attribute", "zone=far away");
    assert.equal(first.stdout, `${far.address} has joined ${served.url}\n`);
    assert.match(first.stderr, /sending the installation and Node\.js/);
    assert.deepEqual(await zones(), ["far away"]);
    // Only what was given goes on.
    const started = readFileSync(far.path(`${home}/run`), "utf8");
    assert.match(started, /'--token-file' '[^']+' '--attribute' 'zone=far away' </);
    assert.equal(statSync(far.path(`${home}/token`)).mode & 0o777, 0o600);
    const token = joinToken(host.state);
    assert.ok(!processes().some((line) => line.includes(token)), "the token is in no command line");
    const pid = pidOf("run.pid");
    const again = await ok("cluster", "join", far.address, "--attribute", "zone=far away");
    assert.match(again.stdout, /already/);
    assert.equal(pidOf("run.pid"), pid);
    assert.deepEqual(far.temporary(), []);
    assert.equal(readdirSync(far.path(`${home}/versions`)).length, 1);
  });

  test("it goes on without the link, and its agent is started again when it is killed", async () => {
    far.killSessions();
    await until(() => far.sessions().length === 0);
    assert.deepEqual(await zones(), ["far away"]);
    const pid = pidOf("run.pid");
    await far.run(`kill -9 ${pid}`);
    await until(async () => pidOf("run.pid") !== pid && (await zones()).length === 1);
  });

  test("a join that is killed at any step is done by the next one", async () => {
    const steps = join(host.base, "steps");
    await ok("cluster", "join", far.address);
    const words = ["cluster", "join", far.address, "--attribute", "zone=c"];
    assert.equal((await tool(words, { TRANSHIP_STEPS_FILE: steps })).status, 0);
    const names = readFileSync(steps, "utf8").trim().split("\n");
    assert.ok(
      names.some((line) => line.includes("start the agent")),
      names.join(),
    );
    const all = names.map((_, index) => index + 1);
    const start = names.findIndex((line) => line.includes("start the agent")) + 1;
    const some = process.env.TRANSHIP_SOAK === "1" ? all : [start];
    for (const at of some) {
      await ok("cluster", "join", far.address);
      const killed = await tool(words, { TRANSHIP_CRASH_AT: String(at) });
      assert.equal(killed.status, 137, `step ${at}`);
      await ok(...words);
      assert.deepEqual(await zones(), ["c"], `after step ${at}`);
      assert.equal(processes().filter((line) => line.includes("cluster join")).length, 1);
    }
  });

  test("what is cut off while it is sent is no file", async () => {
    const put = putCommand({ mark: "m", sudo: false }, "run", 99);
    const before = readFileSync(far.path(`${home}/run`), "utf8");
    assert.match(await far.run(`printf half | ${put}; echo status=$?`), /status=62/);
    assert.equal(readFileSync(far.path(`${home}/run`), "utf8"), before);
    assert.match(
      await far.run(`printf half | ${pushCommand({ mark: "m", sudo: false }, "d")}; echo status=$?`),
      /status=62/,
    );
    assert.equal(readdirSync(far.path(`${home}/versions`)).length, 1);
  });

  test("who may not be root there, and a control plane that is not reached, are told", async () => {
    const reader = far.address.replace("root@", "reader@");
    const refused = await tool(["cluster", "join", reader]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /E_NEEDS_ROOT.*uid \d+/s);
    const loop = await tool(["cluster", "join", far.address, "--endpoint-url", "http://10.98.0.1:1"]);
    assert.match(loop.stderr, /no token is given/);
    const mixed = await tool(["cluster", "join", served.url, far.address]);
    assert.equal(mixed.status, 2);
    const what = readLook(
      "m-uid=0\nm-tranship=tranship 1\nm-at=/x; rm\nm-version=a\nn-uid=1\n",
      "m",
      "tranship 1",
    );
    assert.deepEqual([what.uid, what.installed, [...what.versions]], [0, undefined, ["a"]]);
  });

  test("it leaves, and nothing of ours stays", async () => {
    assert.match((await ok("cluster", "leave", far.address)).stdout, /has left/);
    assert.ok(!existsSync(far.path(home)));
    assert.ok(!processes().some((line) => line.includes("tranship-agent")));
    await until(async () => (await zones()).length === 0);
    assert.match((await ok("cluster", "leave", far.address)).stdout, /has no agent/);
    assert.deepEqual(far.temporary(), []);
  });
});
