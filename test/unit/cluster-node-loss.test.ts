// What must not be there twice, on a node that is away: when it is started elsewhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentsDriver } from "../../src/cluster/drivers/agents/agents-driver.ts";
import { plainNode } from "../../src/cluster/drivers/null-driver.ts";
import { SimulatedCluster } from "../support/simulated-cluster.ts";

async function withSingleton(): Promise<{ cluster: SimulatedCluster; node: string; task: () => string }> {
  const cluster = new SimulatedCluster(7, 2, () => "runs");
  await cluster.open();
  cluster.call("CreateCluster", {});
  cluster.call("RegisterTaskDefinition", {
    family: "one",
    containerDefinitions: [{ name: "main", image: "box:1", memory: 32, stopTimeout: 2 }],
  });
  cluster.call("CreateService", {
    serviceName: "one",
    taskDefinition: "one",
    desiredCount: 1,
    deploymentConfiguration: { minimumHealthyPercent: 0, maximumPercent: 100 },
  });
  cluster.advance(10_000);
  const task = (): string =>
    String((cluster.call("ListTasks", { serviceName: "one" }).taskArns as string[])[0]);
  const node = [...cluster.driver.tasks.values()][0]?.spec.node ?? "";
  return { cluster, node, task };
}

test("a node whose agent was taken away keeps it; when the node is down, another gets it", async () => {
  const { cluster, node, task } = await withSingleton();
  const first = task();
  cluster.driver.orphans.add(node);
  cluster.driver.setNode({ ...plainNode(node), connected: false });
  cluster.advance(600_000);
  assert.equal(task(), first);
  assert.equal(cluster.driver.running().length, 1);
  cluster.driver.orphans.delete(node);
  cluster.advance(5_000);
  assert.notEqual(task(), first);
  cluster.close();
});

test("of a node that ends it by itself it is started elsewhere after grace and stop time", async () => {
  const { cluster, node, task } = await withSingleton();
  const first = task();
  cluster.driver.setNode({ ...plainNode(node), connected: false });
  cluster.advance(21_900);
  assert.equal(task(), first);
  cluster.driver.fence(node);
  cluster.advance(1_000);
  assert.notEqual(task(), first);
  cluster.close();
});

test("in a swarm a node may be without its agent until Swarm has been asked", () => {
  const driver = new AgentsDriver("swarm");
  assert.equal(driver.orphaned("n1"), true);
  driver.sees(
    new Map([
      ["n1", "agentless"],
      ["n2", "down"],
    ]),
  );
  assert.deepEqual(
    ["n1", "n2", "n3"].map((name) => driver.orphaned(name)),
    [true, false, false],
  );
  assert.equal(new AgentsDriver("agents").orphaned("n1"), false);
});
