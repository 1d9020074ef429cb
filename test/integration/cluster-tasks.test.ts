// The life of tasks on this machine: the vendor's SDK, the control plane as a process, our runtime below it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type ContainerCondition,
  type ContainerDefinition,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from "@aws-sdk/client-ecs";
import { type LocalCluster, makeLocalCluster, quick } from "../support/local-cluster.ts";
import { until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("tasks on this machine", { skip, timeout: 400_000 }, () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await makeLocalCluster();
  });
  after(() => cluster?.close());

  test("a task runs to its end and tells its status", async () => {
    await cluster.define("three", { name: "main", command: ["sh", "-c", "echo $GREETING; exit 3"] });
    const overrides = {
      containerOverrides: [{ name: "main", environment: [{ name: "GREETING", value: "hello" }] }],
    };
    const task = await cluster.runOne("three", { overrides, startedBy: "me" });
    const seen = await cluster.become(task, "STOPPED");
    assert.equal(seen.stopCode, "EssentialContainerExited");
    assert.equal(seen.containers?.[0]?.exitCode, 3);
    assert.equal(seen.startedBy, "me");
    assert.match(seen.containers?.[0]?.imageDigest ?? "", /^sha256:/);
  });

  test("the end of an essential container ends the others, that of another one does not", async () => {
    const stays = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"];
    await cluster.define(
      "stubborn",
      { name: "main", command: stays, stopTimeout: 2 },
      { name: "beside", essential: false, command: ["sh", "-c", "exit 7"] },
    );
    const task = await cluster.runOne("stubborn");
    const statusOf = async (name: string): Promise<string> => {
      const container = (await cluster.see(task)).containers?.find((each) => each.name === name);
      return `${container?.lastStatus} ${container?.exitCode}`;
    };
    await until(async () => (await statusOf("beside")) === "STOPPED 7");
    await until(async () => (await cluster.logsOf(task, "main")) === "up\n");
    assert.equal((await cluster.see(task)).lastStatus, "RUNNING");
    // It takes no notice of SIGTERM: SIGKILL comes when its time is over. The second call changes nothing.
    const asked = Date.now();
    for (const reason of ["enough", "again"])
      await cluster.client.send(new StopTaskCommand({ task, reason }));
    const ended = await cluster.become(task, "STOPPED");
    assert.ok(Date.now() - asked >= 2000, `${Date.now() - asked} ms`);
    assert.equal(await statusOf("main"), "STOPPED 137");
    assert.deepEqual([ended.stopCode, ended.stoppedReason], ["UserInitiated", "enough"]);

    await cluster.define(
      "together",
      { name: "main", command: ["sh", "-c", "sleep 1; exit 3"] },
      { name: "other", command: ["sleep", "1000"], stopTimeout: 1 },
    );
    const seen = await cluster.become(await cluster.runOne("together"), "STOPPED");
    assert.equal(seen.stopCode, "EssentialContainerExited");
    assert.deepEqual(
      seen.containers?.map(({ name, lastStatus, exitCode }) => [name, lastStatus, exitCode]),
      [
        ["main", "STOPPED", 3],
        ["other", "STOPPED", 143],
      ],
    );
  });

  test("containers start when what they depend on allows it", async () => {
    await cluster.define(
      "ordered",
      {
        name: "main",
        command: ["sh", "-c", "echo main; exec sleep 1000"],
        dependsOn: [{ containerName: "prepare", condition: "SUCCESS" }],
      },
      { name: "prepare", essential: false, command: ["sh", "-c", "sleep 1; echo prepared"] },
    );
    const task = await cluster.runOne("ordered");
    const seen = await cluster.become(task, "RUNNING");
    assert.equal(seen.containers?.find(({ name }) => name === "prepare")?.exitCode, 0);
    assert.equal(await cluster.logsOf(task, "main"), "main\n");
    assert.equal(await cluster.logsOf(task, "prepare"), "prepared\n");
    await cluster.client.send(new StopTaskCommand({ task, reason: "done" }));
    const ended = await cluster.become(task, "STOPPED");
    assert.equal(ended.stopCode, "UserInitiated");
    assert.equal(ended.stoppedReason, "done");
  });

  test("a task goes through its states, and tells what its containers are", async () => {
    await cluster.define(
      "states",
      {
        name: "main",
        command: ["sleep", "1000"],
        stopTimeout: 1,
        portMappings: [{ containerPort: 80 }],
        dependsOn: [{ containerName: "prepare", condition: "COMPLETE" }],
      },
      { name: "prepare", essential: false, command: ["sleep", "1"] },
    );
    const run = await cluster.client.send(new RunTaskCommand({ taskDefinition: "states", count: 2 }));
    assert.deepEqual(run.failures, []);
    const tasks = (run.tasks ?? []).map(({ taskArn = "" }) => taskArn);
    const [first = ""] = tasks;
    const states = [run.tasks?.[0]?.lastStatus ?? ""];
    await until(async () => {
      const { lastStatus = "" } = await cluster.see(first);
      if (states.at(-1) !== lastStatus) states.push(lastStatus);
      return lastStatus === "RUNNING";
    });
    const order = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"];
    assert.deepEqual(
      states,
      order.filter((state) => states.includes(state)),
      "in their order",
    );
    assert.equal(states[0], "PROVISIONING");
    assert.ok(states.includes("ACTIVATING"));
    const { client } = cluster;
    assert.equal((await waitUntilTasksRunning({ client, ...quick }, { tasks })).state, "SUCCESS");
    for (const task of tasks) {
      const main = (await cluster.see(task)).containers?.find(({ name }) => name === "main");
      assert.match(main?.runtimeId ?? "", /^[0-9a-f]{64}$/);
      assert.match(main?.imageDigest ?? "", /^sha256:[0-9a-f]{64}$/);
      const [binding] = main?.networkBindings ?? [];
      assert.deepEqual([binding?.containerPort, binding?.protocol], [80, "tcp"]);
      assert.ok((binding?.hostPort ?? 0) > 1024, "a free port of the node");
      await client.send(new StopTaskCommand({ task }));
    }
    assert.equal((await waitUntilTasksStopped({ client, ...quick }, { tasks })).state, "SUCCESS");
  });

  test("what a call says instead of the definition reaches the program", async () => {
    const words =
      "echo $1 $COLOR $KEPT; dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null && echo room";
    const environment = [
      { name: "COLOR", value: "red" },
      { name: "KEPT", value: "yes" },
    ];
    await cluster.define("given", { name: "main", command: ["false"], environment, cpu: 128 });
    const main = {
      name: "main",
      command: ["sh", "-c", words, "sh", "called"],
      environment: [{ name: "COLOR", value: "blue" }],
      cpu: 300,
      memory: 256,
    };
    const task = await cluster.runOne("given", { overrides: { containerOverrides: [main] } });
    const seen = await cluster.become(task, "STOPPED");
    assert.equal(seen.containers?.[0]?.exitCode, 0, seen.stoppedReason);
    assert.equal(await cluster.logsOf(task, "main"), "called blue yes\nroom\n");
    const { stdout } = await cluster.fixture.cli(["inspect", cluster.nameOf(task, "main")]);
    const [{ HostConfig }] = JSON.parse(stdout) as [{ HostConfig: { CpuShares: number; Memory: number } }];
    assert.deepEqual([HostConfig.CpuShares, HostConfig.Memory], [300, 256 * 2 ** 20]);
  });

  test("each condition of a dependency holds, and a circle is refused", async () => {
    const say = (name: string, then = ""): string[] => ["sh", "-c", `echo ${name} >>/order/log; ${then}`];
    const rest = "exec sleep 1000";
    const needs = (containerName: string, condition: ContainerCondition) => ({
      dependsOn: [{ containerName, condition }],
    });
    const healthCheck = { command: ["CMD-SHELL", "grep -q well /order/log"], interval: 1, retries: 10 };
    const one: ContainerDefinition[] = [
      { name: "after-start", command: say("after-start", rest), ...needs("base", "START") },
      { name: "after-health", command: say("after-health", rest), ...needs("base", "HEALTHY") },
      { name: "after-end", command: say("after-end", rest), ...needs("ends", "COMPLETE") },
      { name: "after-success", command: say("after-success", rest), ...needs("succeeds", "SUCCESS") },
      { name: "base", command: say("base", `sleep 2; echo well >>/order/log; ${rest}`), healthCheck },
      { name: "ends", essential: false, command: say("begins", "sleep 1; echo ends >>/order/log; exit 1") },
      { name: "succeeds", essential: false, command: say("works", "sleep 1; echo succeeds >>/order/log") },
    ];
    const mountPoints = [{ sourceVolume: "order", containerPath: "/order" }];
    const containers = one.map((each) => ({ ...each, stopTimeout: 1, mountPoints }));
    await cluster.defineWith({ volumes: [{ name: "order" }] }, "conditions", ...containers);
    const task = await cluster.runOne("conditions");
    await cluster.become(task, "RUNNING");
    const { stdout } = await cluster.fixture.cli(["exec", cluster.nameOf(task, "base"), "cat", "/order/log"]);
    const lines = stdout.trim().split("\n");
    for (const [before, after] of [
      ["base", "after-start"],
      ["well", "after-health"],
      ["ends", "after-end"],
      ["succeeds", "after-success"],
    ] as const) {
      assert.ok(lines.includes(before) && lines.includes(after), stdout);
      assert.ok(lines.indexOf(before) < lines.indexOf(after), `${before} before ${after}: ${stdout}`);
    }
    assert.ok(lines.indexOf("after-start") < lines.indexOf("well"), "START waits for no health");
    await cluster.client.send(new StopTaskCommand({ task }));
    await cluster.become(task, "STOPPED");
    const round = (name: string, other: string) => ({ name, ...needs(other, "START") });
    await assert.rejects(cluster.define("circle", round("a", "b"), round("b", "a")), {
      name: "ClientException",
      message: /in a circle/,
    });
  });

  test("a dependency that fails and an image that is not there fail the task", async () => {
    await cluster.define(
      "doomed",
      { name: "main", command: ["true"], dependsOn: [{ containerName: "prepare", condition: "SUCCESS" }] },
      { name: "prepare", essential: false, command: ["false"] },
    );
    const doomed = await cluster.become(await cluster.runOne("doomed"), "STOPPED");
    assert.equal(doomed.stopCode, "TaskFailedToStart");
    await cluster.define("absent", { name: "main", image: "absent:1" });
    const absent = await cluster.become(await cluster.runOne("absent"), "STOPPED");
    assert.equal(absent.stopCode, "TaskFailedToStart");
    assert.match(absent.stoppedReason ?? "", /CannotPullContainerError/);
  });

  test("a limit of the task's memory counts, whatever its unit", async () => {
    const command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
    const containerDefinitions = [{ name: "main", image: "box:1", command }];
    const register = new RegisterTaskDefinitionCommand({
      family: "greedy",
      memory: "0.03125 GB",
      containerDefinitions,
    });
    const made = await cluster.client.send(register);
    assert.equal(made.taskDefinition?.memory, "32");
    const seen = await cluster.become(await cluster.runOne("greedy"), "STOPPED");
    assert.equal(seen.containers?.[0]?.exitCode, 137);
    assert.match(seen.containers?.[0]?.reason ?? "", /OutOfMemory/);
    const free = await cluster.become(
      await cluster.runOne("greedy", { overrides: { memory: "0.25 GB" } }),
      "STOPPED",
    );
    assert.equal(free.containers?.[0]?.exitCode, 0);
    const wrong = cluster.runOne("greedy", { overrides: { memory: "much" } });
    await assert.rejects(wrong, /Invalid 'memory' setting for task: much/);
  });

  test("a task for another processor is placed nowhere", async () => {
    const other = process.arch === "x64" ? "ARM64" : "X86_64";
    const main = { name: "main", image: "box:1", memory: 32, command: ["true"] };
    const register = (cpuArchitecture: "ARM64" | "X86_64") =>
      new RegisterTaskDefinitionCommand({
        family: "foreign",
        runtimePlatform: { cpuArchitecture, operatingSystemFamily: "LINUX" },
        containerDefinitions: [main],
      });
    await cluster.client.send(register(other));
    const { tasks, failures } = await cluster.client.send(new RunTaskCommand({ taskDefinition: "foreign" }));
    assert.deepEqual([tasks?.length, failures?.[0]?.reason], [0, "ATTRIBUTE"]);
    await cluster.client.send(register(other === "ARM64" ? "X86_64" : "ARM64"));
    await cluster.become(await cluster.runOne("foreign"), "STOPPED");
  });

  test("a node that leaves ends its tasks, and keeps nothing of them", async () => {
    await cluster.define("left", { name: "main", command: ["sleep", "1000"], stopTimeout: 1 });
    const task = await cluster.runOne("left");
    await cluster.become(task, "RUNNING");
    const id = task.split("/").at(-1)?.slice(0, 12) ?? "";
    const held = async (): Promise<string> =>
      (await cluster.fixture.cli(["ps", "-a", "--format", "{{.Names}}"])).stdout;
    await cluster.served.end("SIGKILL");
    assert.ok((await held()).includes(id));
    const left = await cluster.fixture.cli(["cluster", "leave"]);
    assert.equal(left.status, 0, left.stderr);
    assert.match(left.stdout, /^[1-9]\d* tasks have been ended$/m);
    assert.ok(!(await held()).includes("ecs-"));
    assert.equal((await cluster.fixture.cli(["cluster", "leave"])).stdout, "0 tasks have been ended\n");
    await cluster.serve();
    assert.equal((await cluster.become(task, "STOPPED")).stopCode, "InfrastructureHealth");
  });
});
