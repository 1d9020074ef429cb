// The API of the control plane as the vendor's SDK sees it, on the driver that runs nothing.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  ClusterContainsServicesException,
  ClusterContainsTasksException,
  ClusterNotFoundException,
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteClusterCommand,
  DeleteServiceCommand,
  DescribeClustersCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from "@aws-sdk/client-ecs";
import { State } from "../../src/cluster/state/state.ts";
import { type TestCluster, testCluster } from "../support/cluster.ts";

const container = { name: "web", image: "box:1", memory: 64 };
const quick = { minDelay: 1, maxDelay: 1, maxWaitTime: 60 };

describe("an SDK client", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await testCluster();
  });
  after(() => cluster.close());

  test("creates, describes and deletes clusters", async () => {
    const { client } = cluster;
    const made = await client.send(new CreateClusterCommand({}));
    assert.equal(made.cluster?.clusterArn, "arn:aws:ecs:eu-test-1:000000000000:cluster/default");
    const again = await client.send(new CreateClusterCommand({}));
    assert.equal(again.cluster?.clusterArn, made.cluster?.clusterArn);
    const seen = await client.send(new DescribeClustersCommand({ clusters: ["default", "absent"] }));
    assert.equal(seen.clusters?.[0]?.status, "ACTIVE");
    assert.deepEqual(
      seen.failures?.map(({ reason }) => reason),
      ["MISSING"],
    );
    await assert.rejects(
      client.send(new DeleteClusterCommand({ cluster: "absent" })),
      ClusterNotFoundException,
    );
  });

  test("registers task definitions with revisions", async () => {
    const { client } = cluster;
    for (const revision of [1, 2, 3]) {
      const made = await client.send(
        new RegisterTaskDefinitionCommand({ family: "web", containerDefinitions: [container] }),
      );
      assert.equal(made.taskDefinition?.revision, revision);
      const age = Date.now() - (made.taskDefinition?.registeredAt?.getTime() ?? 0);
      assert.ok(Math.abs(age) < 5000, `registeredAt is ${age} ms from now`);
    }
    const latest = await client.send(new DescribeTaskDefinitionCommand({ taskDefinition: "web" }));
    assert.equal(latest.taskDefinition?.revision, 3);
    await assert.rejects(client.send(new DescribeTaskDefinitionCommand({ taskDefinition: "web:x" })), {
      name: "ClientException",
    });
    await assert.rejects(
      client.send(
        new RegisterTaskDefinitionCommand({
          family: "bad",
          containerDefinitions: [{ name: "a", memory: 64 }],
        }),
      ),
      /Container.image should not be null or empty/,
    );
  });

  test("runs and stops tasks", async () => {
    const { client } = cluster;
    const run = await client.send(new RunTaskCommand({ taskDefinition: "web", count: 2, clientToken: "t1" }));
    assert.deepEqual(run.failures, []);
    const tasks = (run.tasks ?? []).map(({ taskArn }) => taskArn ?? "");
    assert.equal(tasks.length, 2);
    const waited = await waitUntilTasksRunning({ client, ...quick }, { tasks });
    assert.equal(waited.state, "SUCCESS");
    const again = await client.send(
      new RunTaskCommand({ taskDefinition: "web", count: 2, clientToken: "t1" }),
    );
    assert.deepEqual(
      again.tasks?.map(({ taskArn }) => taskArn),
      tasks,
    );
    await assert.rejects(
      client.send(new RunTaskCommand({ taskDefinition: "web", count: 1, clientToken: "t1" })),
      { name: "ConflictException" },
    );
    await assert.rejects(
      client.send(new DeleteClusterCommand({ cluster: "default" })),
      ClusterContainsTasksException,
    );
    for (const task of tasks) await client.send(new StopTaskCommand({ task, reason: "enough" }));
    await waitUntilTasksStopped({ client, ...quick }, { tasks });
    const seen = await client.send(new DescribeTasksCommand({ tasks }));
    assert.deepEqual(
      seen.tasks?.map(({ stopCode, stoppedReason }) => [stopCode, stoppedReason]),
      [
        ["UserInitiated", "enough"],
        ["UserInitiated", "enough"],
      ],
    );
    const big = await client.send(
      new RunTaskCommand({ taskDefinition: "web", overrides: { memory: "999999" } }),
    );
    assert.equal(big.failures?.[0]?.reason, "RESOURCE:MEMORY");
    assert.deepEqual(big.tasks, []);
  });

  test("keeps a service at its desired count through updates", async () => {
    const { client } = cluster;
    await client.send(
      new CreateServiceCommand({ serviceName: "web", taskDefinition: "web:1", desiredCount: 3 }),
    );
    await waitUntilServicesStable({ client, ...quick }, { services: ["web"] });
    const before = await client.send(new ListTasksCommand({ serviceName: "web" }));
    assert.equal(before.taskArns?.length, 3);
    await client.send(new StopTaskCommand({ task: before.taskArns?.[0] }));
    await client.send(new UpdateServiceCommand({ service: "web", taskDefinition: "web:2" }));
    await waitUntilServicesStable({ client, ...quick }, { services: ["web"] });
    const { services } = await client.send(new DescribeServicesCommand({ services: ["web"] }));
    const service = services?.[0];
    assert.equal(service?.deployments?.[0]?.rolloutState, "COMPLETED");
    assert.match(service?.taskDefinition ?? "", /web:2$/);
    assert.ok(
      service?.events?.some(({ message }) => message === "(service web) has reached a steady state."),
    );
    await assert.rejects(
      client.send(new DeleteClusterCommand({ cluster: "default" })),
      ClusterContainsServicesException,
    );
    await assert.rejects(client.send(new DeleteServiceCommand({ service: "web" })), /scaled above 0/);
    await client.send(new DeleteServiceCommand({ service: "web", force: true }));
    await waitUntilServicesInactive({ client, ...quick }, { services: ["web"] });
  });
});

test("what is answered is written down; calls that come together are written together", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tranship-state-"));
  try {
    const file = join(directory, "state.db");
    const put = (state: State, name: string): void =>
      state.cluster.put({ name, wire: { clusterName: name, clusterArn: `arn:${name}` } });
    const state = new State(file);
    const order: string[] = [];
    const answered = ["one", "two"].map((name) => {
      put(state, name);
      return state.written().then(() => order.push(name));
    });
    await Promise.resolve();
    assert.deepEqual(order, []);
    // Whoever commits first does it for those who wait.
    state.commit();
    await Promise.all(answered);
    assert.deepEqual(order, ["one", "two"]);
    put(state, "three");
    await state.written();
    put(state, "never asked for");
    state.close();
    const again = new State(file);
    assert.deepEqual([...again.cluster.keys()], ["one", "two", "three"]);
    again.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
