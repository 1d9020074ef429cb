// Services with a task on each container instance, over nodes, agents and control planes that go away for a while.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { plainNode } from "../../src/cluster/drivers/null-driver.ts";
import { SimulatedCluster } from "../support/simulated-cluster.ts";

const nodes = ["n0", "n1", "n2"];
let cluster: SimulatedCluster;

beforeEach(async () => {
  cluster = new SimulatedCluster(7, 3, () => "runs");
  await cluster.open();
  cluster.call("CreateCluster", {});
  for (let revision = 0; revision < 2; revision++)
    cluster.call("RegisterTaskDefinition", {
      family: "each",
      containerDefinitions: [{ name: "main", image: "box:1", memory: 100 }],
    });
  cluster.call("CreateService", {
    serviceName: "each",
    taskDefinition: "each:1",
    schedulingStrategy: "DAEMON",
  });
  cluster.advance(10_000);
});
afterEach(() => cluster.close());

test("a node that is away for a moment keeps its task", () => {
  const before = running();
  assert.equal(before.length, 3);
  setNode("n1", false);
  cluster.advance(5000);
  assert.equal(service().desiredCount, 3);
  setNode("n1", true);
  cluster.advance(60_000);
  assert.deepEqual(running(), before);
});

test("agents that come back after the control plane keep theirs", async () => {
  const before = running();
  for (const node of nodes) setNode(node, false);
  await cluster.open();
  cluster.advance(5000);
  for (const node of nodes) setNode(node, true);
  cluster.advance(60_000);
  assert.deepEqual(running(), before);
});

test("a node that stays away has none any more, and one again when it is back", () => {
  const before = running();
  setNode("n1", false);
  cluster.advance(120_000);
  assert.equal(service().desiredCount, 2);
  assert.equal(service().runningCount, 2);
  cluster.driver.fence("n1");
  setNode("n1", true);
  cluster.advance(60_000);
  assert.equal(service().desiredCount, 3);
  assert.equal(running().length, 3);
  assert.equal(running().filter((id) => before.includes(id)).length, 2);
});

test("a node that is drained has none", () => {
  const { containerInstanceArns = [] } = cluster.call("ListContainerInstances", {}) as {
    containerInstanceArns?: string[];
  };
  cluster.call("UpdateContainerInstancesState", {
    containerInstances: containerInstanceArns.slice(0, 1),
    status: "DRAINING",
  });
  cluster.advance(60_000);
  assert.equal(running().length, 2);
});

test("one task at a time on an instance, and a minimum that allows none to go is told", () => {
  const update = (more: object): unknown => cluster.call("UpdateService", { service: "each", ...more });
  for (const maximumPercent of [150, 200])
    assert.throws(
      () => update({ deploymentConfiguration: { maximumPercent } }),
      /daemon scheduling strategy has a maximumPercent of 100/,
    );
  assert.throws(
    () => update({ deploymentConfiguration: { minimumHealthyPercent: 100 } }),
    /minimumHealthyPercent must be lower/,
  );
  // Of three at least two and a bit, rounded up.
  update({ taskDefinition: "each:2", deploymentConfiguration: { minimumHealthyPercent: 70 } });
  cluster.advance(60_000);
  assert.match(
    service().events[0]?.message ?? "",
    /unable to stop or start tasks .* deployment configuration/,
  );
  update({ deploymentConfiguration: { minimumHealthyPercent: 60 } });
  cluster.advance(120_000);
  assert.equal(service().deployments[0]?.rolloutState, "COMPLETED");
  assert.equal(running().length, 3);
});

function setNode(name: string, connected: boolean): void {
  cluster.driver.setNode({ ...plainNode(name, 1024, 1024), connected });
  cluster.settle();
}

function running(): string[] {
  return cluster.driver.running().sort();
}

interface Shown {
  desiredCount: number;
  runningCount: number;
  deployments: { rolloutState: string }[];
  events: { message: string }[];
}

function service(): Shown {
  const { services = [] } = cluster.call("DescribeServices", { services: ["each"] }) as {
    services?: Shown[];
  };
  const [found] = services;
  assert.ok(found);
  return found;
}
