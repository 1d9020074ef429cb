// Nodes that join by their agents: the real connection between both, with drivers that run nothing.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type Task,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs";
import { TranshipError } from "../../src/base/errors.ts";
import { runAgent } from "../../src/cluster/drivers/agents/agent.ts";
import { AgentsDriver } from "../../src/cluster/drivers/agents/agents-driver.ts";
import { agentPath } from "../../src/cluster/drivers/agents/protocol.ts";
import { NullDriver, plainNode } from "../../src/cluster/drivers/null-driver.ts";
import { type TestCluster, testCluster } from "../support/cluster.ts";
import { silentLog } from "../support/images.ts";
import { programWords, until } from "./runtime-fixture.ts";

const token = "the token of this cluster, long enough";

/** An agent in this process; what its driver runs outlives it. */
class Node {
  readonly driver: NullDriver;
  readonly #name: string;
  #leave: AbortController | undefined;
  #done: Promise<void> | undefined;
  welcomes = 0;

  constructor(name: string) {
    this.#name = name;
    this.driver = new NullDriver([plainNode(name)]);
  }

  join(url: string): void {
    this.#leave = new AbortController();
    this.#done = runAgent({
      url,
      token,
      engine: "namespace",
      driver: this.driver,
      attributes: [{ name: "zone", value: this.#name }],
      log: silentLog,
      signal: this.#leave.signal,
      onWelcome: () => this.welcomes++,
    });
  }

  async leave(): Promise<void> {
    this.#leave?.abort();
    await this.#done;
  }
}

describe("nodes that join", { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), "tranship-agents-"));
  const nodes = [new Node("one"), new Node("two")] as const;
  let cluster: TestCluster;

  const serve = async (port = 0): Promise<TestCluster> => {
    const driver = new AgentsDriver("agents");
    return testCluster({
      driver,
      agents: { driver, token: () => token },
      stateFile: join(directory, "state.db"),
      nodeGrace: 3000,
      port,
    });
  };
  const instances = async (): Promise<Map<string, boolean>> => {
    const { containerInstanceArns = [] } = await cluster.client.send(new ListContainerInstancesCommand({}));
    if (containerInstanceArns.length === 0) return new Map();
    const { containerInstances = [] } = await cluster.client.send(
      new DescribeContainerInstancesCommand({ containerInstances: containerInstanceArns }),
    );
    return new Map(
      containerInstances.map(({ attributes, agentConnected }) => [
        attributes?.find(({ name }) => name === "zone")?.value ?? "",
        agentConnected ?? false,
      ]),
    );
  };
  const tasks = async (status: "RUNNING" | "STOPPED" = "RUNNING"): Promise<Task[]> => {
    const { taskArns = [] } = await cluster.client.send(new ListTasksCommand({ desiredStatus: status }));
    if (taskArns.length === 0) return [];
    return (await cluster.client.send(new DescribeTasksCommand({ tasks: taskArns }))).tasks ?? [];
  };
  const running = async (count: number): Promise<void> =>
    until(async () => {
      const all = await tasks();
      return all.length === count && all.every(({ lastStatus }) => lastStatus === "RUNNING");
    });
  const held = (): number[] => nodes.map(({ driver }) => driver.running().length);

  before(async () => {
    cluster = await serve();
    await cluster.client.send(new CreateClusterCommand({}));
    for (const node of nodes) node.join(cluster.url);
    await until(async () => [...(await instances()).values()].filter(Boolean).length === 2);
    const containerDefinitions = [{ name: "main", image: "any", memory: 64 }];
    await cluster.client.send(new RegisterTaskDefinitionCommand({ family: "web", containerDefinitions }));
  });
  after(async () => {
    for (const node of nodes) await node.leave();
    await cluster.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test("a service is spread over them", async () => {
    await cluster.client.send(
      new CreateServiceCommand({
        serviceName: "web",
        taskDefinition: "web",
        desiredCount: 4,
        placementStrategy: [{ type: "spread", field: "attribute:zone" }],
      }),
    );
    await running(4);
    assert.deepEqual(held(), [2, 2]);
  });

  test("a task goes where its constraint wants it", async () => {
    const { tasks: made } = await cluster.client.send(
      new RunTaskCommand({
        taskDefinition: "web",
        placementConstraints: [{ type: "memberOf", expression: "attribute:zone == two" }],
      }),
    );
    await until(async () => held()[1] === 3);
    nodes[1].driver.end(made?.[0]?.taskArn?.split("/").at(-1) ?? "", 0);
    await running(4);
  });

  test("a control plane that is started again adopts what the nodes run", async () => {
    const before = (await tasks()).map(({ taskArn }) => taskArn).sort();
    const port = Number(new URL(cluster.url).port);
    await cluster.close();
    cluster = await serve(port);
    await until(async () => [...(await instances()).values()].filter(Boolean).length === 2);
    await running(4);
    assert.deepEqual((await tasks()).map(({ taskArn }) => taskArn).sort(), before);
    assert.deepEqual(held(), [2, 2]);
  });

  test("the tasks of a node that stays away are started elsewhere, and ended when it comes back", async () => {
    const welcomes = nodes[1].welcomes;
    await nodes[1].leave();
    await until(async () => (await instances()).get("two") === false);
    await until(async () => held()[0] === 4);
    const lost = (await tasks("STOPPED")).filter(({ stopCode }) => stopCode === "InfrastructureHealth");
    assert.equal(lost.length, 2);
    assert.deepEqual(held(), [4, 2], "the node still runs what nobody could end");
    nodes[1].join(cluster.url);
    await until(async () => nodes[1].welcomes > welcomes && held()[1] === 0);
    await running(4);
    assert.deepEqual(held(), [4, 0]);
  });

  test("what a node lost while it was away is started again", async () => {
    await nodes[0].leave();
    const [gone] = nodes[0].driver.running();
    nodes[0].driver.forget(gone ?? "");
    nodes[0].join(cluster.url);
    await until(async () => held().reduce((sum, each) => sum + each) === 4);
    await running(4);
    await cluster.client.send(new UpdateServiceCommand({ service: "web", desiredCount: 0 }));
    await until(async () => held().every((count) => count === 0));
  });

  test("what must not be there twice is ended by a node that is cut off", async () => {
    await cluster.client.send(new UpdateServiceCommand({ service: "web", desiredCount: 1 }));
    await cluster.client.send(
      new CreateServiceCommand({
        serviceName: "single",
        taskDefinition: "web",
        desiredCount: 1,
        deploymentConfiguration: { minimumHealthyPercent: 0, maximumPercent: 100 },
      }),
    );
    await running(2);
    const single = (await tasks())
      .find(({ group }) => group === "service:single")
      ?.taskArn?.split("/")
      .at(-1);
    const runs = (): boolean => nodes.some(({ driver }) => driver.running().includes(single ?? ""));
    assert.ok(runs());
    const port = Number(new URL(cluster.url).port);
    await cluster.close();
    await until(() => !runs());
    assert.equal(
      held().reduce((sum, each) => sum + each),
      1,
      "the other one goes on",
    );
    cluster = await serve(port);
    await running(2);
    for (const service of ["web", "single"])
      await cluster.client.send(new UpdateServiceCommand({ service, desiredCount: 0 }));
    await until(async () => held().every((count) => count === 0));
  });

  const say = (...words: string[]): Promise<string> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${cluster.url.replace("http", "ws")}${agentPath}`);
      socket.onopen = () => {
        for (const word of words) socket.send(word);
      };
      socket.onclose = ({ reason }) => resolve(reason);
    });
  const hello = (more: object): string =>
    JSON.stringify({
      hello: { protocol: 1, token, engine: "namespace", node: plainNode("three"), ...more },
    });

  test("who has not the token, or speaks nonsense, is sent away", async () => {
    assert.match(await say(hello({ token: "another" })), /token/);
    assert.match(await say(hello({ protocol: 2 })), /version 2/);
    assert.match(await say(hello({ node: plainNode("one") })), /connected already/);
    assert.match(await say(hello({ node: plainNode("../one") })), /not understood/);
    assert.match(await say(JSON.stringify({ opened: true })), /no hello/);
    assert.match(await say("{"), /not understood/);
    assert.match(await say(hello({}), hello({})), /second hello/);
    assert.equal((await instances()).size, 2, "none of them has become a node");
  });

  test("an agent that is refused for good at its first hello ends with the reason", async () => {
    const controller = new AbortController();
    await assert.rejects(
      runAgent({
        url: cluster.url,
        token: "another",
        engine: "namespace",
        driver: new NullDriver([plainNode("three")]),
        attributes: [],
        log: silentLog,
        signal: controller.signal,
      }),
      (error) =>
        error instanceof TranshipError &&
        error.code === "E_CLUSTER_REFUSED" &&
        error.message === `${cluster.url} refuses this node: the token is not the one of this cluster`,
    );
  });

  test("a node takes tasks when it has told what it holds, and keeps them", async () => {
    const connect = async (name: string): Promise<WebSocket> => {
      const socket = new WebSocket(`${cluster.url.replace("http", "ws")}${agentPath}`);
      await once(socket, "open");
      const attributes = [{ name: "zone", value: name }];
      socket.send(hello({ node: { ...plainNode(name), attributes } }));
      return socket;
    };
    const slow = await connect("slow");
    await once(slow, "message");
    const other = await connect("other");
    other.send(JSON.stringify({ opened: true }));
    await until(async () => (await instances()).get("other") === true);
    assert.equal((await instances()).get("slow"), false);
    slow.send(JSON.stringify({ opened: true }));
    await until(async () => (await instances()).get("slow") === true);
    const placementConstraints = [{ type: "memberOf" as const, expression: "attribute:zone == slow" }];
    await cluster.client.send(new RunTaskCommand({ taskDefinition: "web", placementConstraints }));
    // Longer than a node may be away.
    await new Promise((resolve) => setTimeout(resolve, 3500));
    const [task] = await tasks();
    assert.equal(task?.desiredStatus, "RUNNING");
    for (const socket of [slow, other]) socket.close();
    await until(async () => (await tasks()).length === 0);
  });

  test("a node tells of its own tasks only", async () => {
    const { tasks: made } = await cluster.client.send(
      new RunTaskCommand({
        taskDefinition: "web",
        placementConstraints: [{ type: "memberOf", expression: "attribute:zone == one" }],
      }),
    );
    const id = made?.[0]?.taskArn?.split("/").at(-1) ?? "";
    await running(1);
    const lie = JSON.stringify({ task: { id, lastStatus: "STOPPED", containers: [] } });
    const socket = new WebSocket(`${cluster.url.replace("http", "ws")}${agentPath}`);
    await once(socket, "open");
    for (const word of [hello({}), lie, JSON.stringify({ opened: true })]) socket.send(word);
    await until(async () => (await instances()).get("") === true);
    assert.equal((await tasks())[0]?.lastStatus, "RUNNING");
    socket.close();
  });
});

test("what is kept of tasks is said where they run, not to a control plane that runs none", () => {
  const flags = ["--log-retention=1h", "--log-limit=1g", "--task-cleanup-wait=1m", "--syslog=127.0.0.1:514"];
  for (const driver of ["agents", "null"])
    for (const flag of flags) {
      const [program = "", ...words] = [...programWords(false), "cluster", "serve", "--driver", driver];
      const { status, stderr } = spawnSync(program, [...words, flag], { encoding: "utf8" });
      assert.equal(status, 2, stderr);
      assert.match(
        stderr,
        new RegExp(`${flag.split("=")[0]} has no effect with --driver ${driver}.*cluster join`),
      );
    }
});
