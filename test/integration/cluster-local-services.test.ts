// Services on this machine: rollouts, failures, names, data, a control plane that is killed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  StopTaskCommand,
  type Task,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from "@aws-sdk/client-ecs";
import type { Service } from "../../src/package/descriptor.ts";
import { type LocalCluster, makeLocalCluster, quick } from "../support/local-cluster.ts";
import { type Fixture, makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("services on this machine", { skip, timeout: 400_000 }, () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await makeLocalCluster();
  });
  after(() => cluster?.close());

  test("a service is found by its name", async () => {
    const vpc = { networkMode: "awsvpc" as const };
    const networkConfiguration = { awsvpcConfiguration: { subnets: ["any"] } };
    const box = { image: "box:1", memory: 32, stopTimeout: 1 };
    const ports = { portMappings: [{ containerPort: 80 }] };
    const serve = { ...box, ...ports, name: "web", command: ["httpd", "-f", "-h", "/srv"] };
    const asks =
      "until wget -q -O - http://pages.default/data/seed.txt; do sleep 0.2; done; wget -q -O - http://pages/data/seed.txt";
    const read = { ...box, name: "main", command: ["sh", "-c", asks] };
    for (const [family, container] of Object.entries({ pages: serve, reader: read }))
      await cluster.client.send(
        new RegisterTaskDefinitionCommand({ family, ...vpc, containerDefinitions: [container] }),
      );
    const service = { serviceName: "pages", taskDefinition: "pages", desiredCount: 1, networkConfiguration };
    await cluster.client.send(new CreateServiceCommand(service));
    const task = await cluster.runOne("reader", { networkConfiguration });
    await cluster.become(task, "STOPPED");
    assert.equal(await cluster.logsOf(task, "main"), "from the image\nfrom the image\n");

    // One that is let go answers on, and is not found any more: by another task that looks on.
    await cluster.client.send(
      new RegisterTaskDefinitionCommand({
        family: "looker",
        ...vpc,
        containerDefinitions: [{ ...box, name: "main", command: ["sleep", "1000"] }],
      }),
    );
    const looker = await cluster.runOne("looker", { networkConfiguration });
    await cluster.become(looker, "RUNNING");
    const holder = `ecs-${looker.split("/").at(-1)?.slice(0, 12)}.network`;
    const id = (await cluster.fixture.cli(["inspect", "-f", "{{.Id}}", holder])).stdout.trim();
    const found = (): string[] =>
      readFileSync(join(cluster.fixture.root.instances, id, "files/hosts"), "utf8")
        .split("\n")
        .flatMap((line) => (/\spages\b/.test(line) ? [line.split(/\s/)[0] ?? ""] : []));
    const tasks = async (): Promise<Task[]> => {
      const { taskArns } = await cluster.client.send(new ListTasksCommand({ serviceName: "pages" }));
      return (await cluster.client.send(new DescribeTasksCommand({ tasks: taskArns }))).tasks ?? [];
    };
    const [old] = await tasks();
    const address = old?.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address ?? "";
    assert.deepEqual(found(), [address]);
    await cluster.client.send(new UpdateServiceCommand({ service: "pages", forceNewDeployment: true }));
    await cluster.become(old?.taskArn ?? "", "DEACTIVATING");
    await until(() => !found().includes(address));
    assert.equal((await cluster.see(old?.taskArn ?? "")).lastStatus, "DEACTIVATING", "it still runs");
    await until(() => found().length === 1);
    await cluster.client.send(new StopTaskCommand({ task: looker }));
    await cluster.client.send(new DeleteServiceCommand({ service: "pages", force: true }));
    await waitUntilServicesInactive({ client: cluster.client, ...quick }, { services: ["pages"] });
  });

  test("a service keeps its tasks, also over a killed control plane", async () => {
    await cluster.define("idle", {
      name: "main",
      command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"],
    });
    await cluster.client.send(
      new CreateServiceCommand({ serviceName: "idle", taskDefinition: "idle", desiredCount: 3 }),
    );
    await waitUntilServicesStable({ client: cluster.client, ...quick }, { services: ["idle"] });
    const tasks = async (): Promise<Task[]> => {
      const { taskArns = [] } = await cluster.client.send(new ListTasksCommand({ serviceName: "idle" }));
      return Promise.all(taskArns.map(cluster.see));
    };
    const runtimes = async (): Promise<string[]> =>
      (await tasks()).map(({ containers }) => containers?.[0]?.runtimeId ?? "").sort();
    const { events } = await cluster.service("idle");
    assert.ok(events?.some(({ message }) => message === "(service idle) has reached a steady state."));
    const before = await runtimes();
    assert.equal(before.length, 3);
    const [program = "", ...words] = [...cluster.fixture.enter, ...programWords(false)];
    const follower = spawn(program, [...words, "cluster", "events", "-f"], {
      env: { ...process.env, TRANSHIP_ROOT: cluster.fixture.root.path },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let followed = "";
    for (const stream of [follower.stdout, follower.stderr])
      stream.on("data", (chunk: Buffer) => (followed += chunk.toString()));
    const replaced = /has started 1 tasks/;
    await until(() => followed.includes("(service idle) has reached a steady state."));
    assert.doesNotMatch(followed, replaced);
    await cluster.served.end("SIGKILL");
    await until(() => followed.includes("trying again"));
    await cluster.serve();
    await waitUntilServicesStable({ client: cluster.client, ...quick }, { services: ["idle"] });
    assert.deepEqual(await runtimes(), before, "the same instances go on");
    // Killed behind the control plane's back: replaced.
    assert.equal((await cluster.fixture.cli(["kill", before[0] ?? ""])).status, 0);
    await until(async () => {
      const now = await tasks();
      return (
        now.filter(({ lastStatus }) => lastStatus === "RUNNING").length === 3 &&
        !now.some(({ containers }) => containers?.[0]?.runtimeId === before[0])
      );
    });
    await until(() => replaced.test(followed));
    follower.kill("SIGTERM");
    await cluster.client.send(
      new UpdateServiceCommand({ service: "idle", desiredCount: 1, forceNewDeployment: true }),
    );
    await waitUntilServicesStable({ client: cluster.client, ...quick }, { services: ["idle"] });
    const { services } = await cluster.client.send(new DescribeServicesCommand({ services: ["idle"] }));
    assert.equal(services?.[0]?.deployments?.[0]?.rolloutState, "COMPLETED");
    await cluster.client.send(new DeleteServiceCommand({ service: "idle", force: true }));
    await waitUntilServicesInactive({ client: cluster.client, ...quick }, { services: ["idle"] });
    const { stdout } = await cluster.fixture.cli(["ps", "-q"]);
    assert.equal(stdout, "");
  });

  test("a package says on which nodes it runs", async () => {
    const redirections = {
      files: [{ from: "/opt/old", to: "/srv/data", match: "folder" as const, mode: "full" as const }],
      network: [],
      registry: [],
    };
    await makePackage(cluster.fixture.root, "plain:1", { descriptor: {} });
    await makePackage(cluster.fixture.root, "led:1", { descriptor: { redirections } });
    await makePackage(cluster.fixture.root, "links:1", { descriptor: { links: ["driver"] } });
    const expressions = async (reference: string): Promise<string[]> => {
      const { stdout } = await cluster.fixture.cli([
        "cluster",
        "deploy",
        reference,
        "--service",
        "s",
        "--dry-run",
      ]);
      const { placementConstraints } = JSON.parse(stdout) as {
        placementConstraints: { expression: string }[];
      };
      return placementConstraints.map(({ expression }) => expression);
    };
    const architecture = "attribute:ecs.cpu-architecture == x86_64";
    assert.deepEqual(await expressions("plain:1"), [architecture]);
    for (const one of ["led:1", "links:1"])
      assert.deepEqual(await expressions(one), [architecture, "attribute:tranship.engines == namespace"]);
  });

  test("a task has what its package links to, and fails by its name where the node has none or several", async () => {
    const { root } = cluster.fixture;
    const metadata = (id: string) => ({ id, name: id, version: "1", publisher: "" });
    const driver = (reference: string): Promise<void> =>
      makePackage(root, reference, {
        files: { "opt/driver": `${reference}\n` },
        descriptor: { metadata: metadata("driver") },
      });
    await makePackage(root, "app:1", { descriptor: { metadata: metadata("app"), links: ["driver"] } });
    const container = { name: "main", image: "app:1", memory: 32, command: ["cat", "/opt/driver"] };
    await cluster.client.send(
      new RegisterTaskDefinitionCommand({ family: "app", containerDefinitions: [container] }),
    );
    const run = async (): Promise<{ reason: string; said: string }> => {
      const task = await cluster.runOne("app");
      await cluster.become(task, "STOPPED");
      const { tasks } = await cluster.client.send(new DescribeTasksCommand({ tasks: [task] }));
      return { reason: tasks?.[0]?.stoppedReason ?? "", said: await cluster.logsOf(task, "main") };
    };
    assert.match((await run()).reason, /app:1 links to the package driver, which is not in the store/);
    await driver("driver:1");
    assert.equal((await run()).said, "driver:1\n");
    await driver("driver:2");
    assert.match((await run()).reason, /several packages have that id: driver:1, driver:2/);
  });

  test("a package with data is deployed, updated and rolled back, and never runs twice", async () => {
    for (const version of ["1", "2"]) {
      const write = `echo start ${version} >>/srv/data/log; trap 'echo end ${version} >>/srv/data/log; exit 0' TERM; while :; do sleep 0.1; done`;
      await makePackage(cluster.fixture.root, `keeps:${version}`, {
        descriptor: {
          volumes: [{ path: "/srv/data", initial: "copy", reason: "test" }],
          ports: [{ port: 80, protocol: "tcp" }],
        },
        config: { Entrypoint: ["/.tranship/init"], Cmd: ["sh", "-c", write] },
      });
    }
    const deploy = (...words: string[]): ReturnType<Fixture["cli"]> =>
      cluster.fixture.cli(["cluster", "deploy", ...words, "--service", "keeps", "--memory", "32"]);
    const copies = await deploy("keeps:1", "--count", "2");
    assert.match(copies.stderr, /2 copies would share the data in \/srv\/data/);
    assert.equal(copies.status, 2);
    const shared = await deploy("keeps:1", "--count", "2", "--shared-volumes", "--dry-run");
    assert.equal(shared.status, 0, shared.stderr);
    // No node has so much memory: nothing starts.
    const large = ["keeps:1", "--service", "several", "--memory", "100000000"];
    const several = await cluster.fixture.cli([
      ...["cluster", "deploy", ...large, "--count", "2", "--shared-volumes", "--detach"],
    ]);
    assert.equal(several.status, 0, several.stderr);
    const again = await cluster.fixture.cli(["cluster", "deploy", ...large, "--detach"]);
    assert.match(again.stderr, /2 copies would share the data in \/srv\/data/);
    await cluster.client.send(new DeleteServiceCommand({ service: "several", force: true }));
    for (const version of ["1", "2"]) {
      const done = await deploy(`keeps:${version}`);
      assert.equal(done.status, 0, done.stderr);
    }
    const back = await cluster.fixture.cli(["cluster", "rollback", "--service", "keeps"]);
    assert.equal(back.status, 0, back.stderr);
    await cluster.client.send(new DeleteServiceCommand({ service: "keeps", force: true }));
    await waitUntilServicesInactive({ client: cluster.client, ...quick }, { services: ["keeps"] });
    const { stdout } = await cluster.fixture.inside([
      "cat",
      `${cluster.fixture.root.volumes}/keeps-data-1/data/log`,
    ]);
    assert.deepEqual(stdout.trim().split("\n"), ["start 1", "end 1", "start 2", "end 2", "start 1", "end 1"]);
  });

  test("a port of the node that was named stays the service's, also where one node holds it", async () => {
    for (const version of ["1", "2"])
      await makePackage(cluster.fixture.root, `shown:${version}`, {
        descriptor: { ports: [{ port: 80, protocol: "tcp" }] },
        config: {
          Entrypoint: ["/.tranship/init"],
          Cmd: ["sh", "-c", `echo ${version} >/srv/data/index.html; exec httpd -f -p 80 -h /srv/data`],
        },
      });
    const deploy = async (...words: string[]): Promise<void> => {
      const flags = ["--service", "shown", "--memory", "32"];
      const done = await cluster.fixture.cli(["cluster", "deploy", ...words, ...flags]);
      assert.equal(done.status, 0, done.stderr);
    };
    const ports = async (): Promise<(number | undefined)[]> => {
      const { taskArns } = await cluster.client.send(new ListTasksCommand({ serviceName: "shown" }));
      const { tasks } = await cluster.client.send(new DescribeTasksCommand({ tasks: taskArns }));
      return (tasks ?? []).flatMap(({ containers }) =>
        (containers?.[0]?.networkBindings ?? []).map(({ hostPort }) => hostPort),
      );
    };
    for (const words of [
      ["shown:1", "--publish", "18099:80"],
      ["shown:2"],
      ["shown:1", "--publish", "18099:80"],
    ]) {
      await deploy(...words);
      assert.deepEqual(await ports(), [18099], words.join(" "));
    }
    await deploy("shown:2", "--publish", "0:80");
    assert.notDeepEqual(await ports(), [18099]);
    await cluster.client.send(new DeleteServiceCommand({ service: "shown", force: true }));
    await waitUntilServicesInactive({ client: cluster.client, ...quick }, { services: ["shown"] });
  });

  test("a version that is never ready does not take over, and deploying it fails", async () => {
    const version = (number: string, readiness: Service["readiness"]): Promise<unknown> =>
      makePackage(cluster.fixture.root, `tells:${number}`, {
        descriptor: {
          programs: [{ name: "web", command: ["sh", "-c", "exec httpd -f -p 80 -h /srv/data"] }],
          services: [{ name: "web", program: "web", readiness }],
          ports: [{ port: 80, protocol: "tcp" }],
        },
        config: { Entrypoint: ["/.tranship/init"] },
      });
    await version("1", { port: 80 });
    await version("2", { port: 81, timeout: "2s" });
    const deploy = (reference: string): ReturnType<Fixture["cli"]> =>
      cluster.fixture.cli(["cluster", "deploy", reference, "--service", "tells", "--memory", "32"]);
    const tasks = async (): Promise<string[]> =>
      (await cluster.client.send(new ListTasksCommand({ serviceName: "tells" }))).taskArns ?? [];
    const first = await deploy("tells:1");
    assert.equal(first.status, 0, first.stderr);
    const [task = "", ...more] = await tasks();
    assert.deepEqual(more, []);
    assert.equal((await cluster.see(task)).healthStatus, "HEALTHY");
    const second = await deploy("tells:2");
    assert.equal(second.status, 1);
    assert.match(second.stderr, /the deployment of tells failed, and it went back to tells:1: /);
    assert.deepEqual(await tasks(), [task]);
    await cluster.client.send(new DeleteServiceCommand({ service: "tells", force: true }));
    await waitUntilServicesInactive({ client: cluster.client, ...quick }, { services: ["tells"] });
  });

  test("init checks the health of tasks, over a restart of the control plane, and an unhealthy one is replaced", async () => {
    // Only what init starts has it as its parent.
    const line = 'test $PPID = 1 && test "$WORD" = said && test -e /tmp/well';
    const healthCheck = { command: ["CMD-SHELL", line], interval: 1, retries: 2, startPeriod: 300 };
    const environment = [{ name: "WORD", value: "said" }];
    const command = ["sh", "-c", "chmod 1777 /tmp; exec sleep 1000"];
    await cluster.define("checked", { name: "main", command, environment, healthCheck, stopTimeout: 1 });
    const service = { serviceName: "checked", taskDefinition: "checked", desiredCount: 1 };
    await cluster.client.send(new CreateServiceCommand(service));
    const running = async (): Promise<string | undefined> =>
      (await cluster.client.send(new ListTasksCommand({ serviceName: "checked" }))).taskArns?.[0];
    await until(async () => (await running()) !== undefined);
    const task = (await running()) ?? "";
    const { containers } = await cluster.become(task, "RUNNING");
    const inside = async (...words: string[]): Promise<void> => {
      const done = await cluster.fixture.cli(["exec", containers?.[0]?.runtimeId ?? "", ...words]);
      assert.equal(done.status, 0, done.stderr);
    };
    const health = async (): Promise<string | undefined> => (await cluster.see(task)).healthStatus;
    const state = async (): Promise<{ Health?: { Log: { ExitCode: number }[] } }> => {
      const { stdout } = await cluster.fixture.cli(["inspect", containers?.[0]?.runtimeId ?? ""]);
      return (JSON.parse(stdout) as [{ State: object }])[0].State;
    };
    await until(async () => ((await state()).Health?.Log.length ?? 0) > 2);
    assert.equal(await health(), "UNKNOWN", "failures of the start period do not count");
    await inside("touch", "/tmp/well");
    await until(async () => (await health()) === "HEALTHY");
    await cluster.served.end("SIGKILL");
    await cluster.serve();
    await cluster.become(task, "RUNNING");
    assert.equal(await health(), "HEALTHY");
    await cluster.served.end("SIGKILL");
    await inside("rm", "/tmp/well");
    await cluster.serve();
    const ended = await cluster.become(task, "STOPPED");
    assert.equal(ended.stopCode, "ServiceSchedulerInitiated");
    assert.match(ended.stoppedReason ?? "", /failed container health checks/);
    assert.equal(ended.containers?.[0]?.healthStatus, "UNHEALTHY");
    assert.equal(ended.containers?.[0]?.runtimeId, containers?.[0]?.runtimeId);
    await until(async () => ![undefined, task].includes(await running()));
    await cluster.client.send(new DeleteServiceCommand({ service: "checked", force: true }));
    await waitUntilServicesInactive({ client: cluster.client, ...quick }, { services: ["checked"] });
  });
});
