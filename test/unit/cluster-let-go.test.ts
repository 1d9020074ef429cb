// Tasks that a service lets go answer on for a while, so that whoever sends them requests can go to others first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isToBeFound } from "../../src/cluster/drivers/task-names.ts";
import type { HeldTask } from "../../src/cluster/drivers/task-records.ts";
import { SimulatedCluster } from "../support/simulated-cluster.ts";

async function rolledOut(more: { ports: boolean; maximumPercent: number }): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster(7, 2, () => "runs");
  await cluster.open();
  cluster.call("CreateCluster", {});
  const portMappings = more.ports ? [{ containerPort: 80 }] : [];
  cluster.call("RegisterTaskDefinition", {
    family: "web",
    containerDefinitions: [{ name: "main", image: "box:1", memory: 10, portMappings }],
  });
  const deploymentConfiguration = { minimumHealthyPercent: 0, maximumPercent: more.maximumPercent };
  cluster.call("CreateService", {
    serviceName: "web",
    taskDefinition: "web",
    desiredCount: 2,
    deploymentConfiguration,
  });
  cluster.call("UpdateService", { service: "web", forceNewDeployment: true });
  return cluster;
}

/** How many tasks the driver runs, and the states that clients see. */
function seen(cluster: SimulatedCluster): [number, string[]] {
  const states = [...cluster.state.task.all()].map(({ wire }) => wire.lastStatus ?? "").sort();
  return [cluster.driver.running().length, states];
}

test("a task with ports is DEACTIVATING before it ends, also over a crash", async () => {
  const cluster = await rolledOut({ ports: true, maximumPercent: 200 });
  const during = [4, ["DEACTIVATING", "DEACTIVATING", "RUNNING", "RUNNING"]];
  assert.deepEqual(seen(cluster), during);
  const told = [...cluster.driver.deactivating].sort();
  assert.deepEqual(
    told,
    [...cluster.state.task.all()]
      .filter(({ wire }) => wire.lastStatus === "DEACTIVATING")
      .map(({ id }) => id)
      .sort(),
  );
  cluster.advance(4000);
  assert.deepEqual(seen(cluster), during);
  cluster.driver.deactivating.clear();
  await cluster.open();
  assert.deepEqual([...cluster.driver.deactivating].sort(), told, "who may not have heard it is told again");
  assert.deepEqual(seen(cluster), during);
  cluster.advance(1001);
  assert.deepEqual(seen(cluster), [2, ["RUNNING", "RUNNING", "STOPPED", "STOPPED"]]);
  cluster.close();
});

test("one that nobody calls, that must be alone, or that a user stops ends at once", async () => {
  const ended = [2, ["RUNNING", "RUNNING", "STOPPED", "STOPPED"]];
  for (const more of [
    { ports: false, maximumPercent: 200 },
    { ports: true, maximumPercent: 100 },
  ]) {
    const cluster = await rolledOut(more);
    assert.deepEqual(seen(cluster), ended);
    assert.equal(cluster.driver.deactivating.size, 0);
    cluster.close();
  }
  const cluster = await rolledOut({ ports: true, maximumPercent: 200 });
  cluster.advance(10_000);
  cluster.call("StopTask", { task: cluster.driver.running()[0] ?? "" });
  assert.equal(seen(cluster)[1].filter((state) => state === "STOPPED").length, 3);
  cluster.close();
});

test("a task is found by name while it does its work", () => {
  const healthCheck = { command: ["true"] };
  const held = (health: "HEALTHY" | "UNKNOWN" | "UNHEALTHY", more: object = {}): HeldTask => {
    const containers = [
      { name: "main", status: "RUNNING", restarts: 0, health },
      { name: "beside", status: "RUNNING", restarts: 0, health: "UNHEALTHY" },
    ];
    const containerDefinitions = [
      { name: "main", healthCheck },
      { name: "beside", essential: false, healthCheck },
    ];
    const spec = { definition: { containerDefinitions } };
    return { spec, state: { createdAt: 0, containers }, times: {}, ...more } as unknown as HeldTask;
  };
  assert.equal(isToBeFound(held("HEALTHY")), true);
  for (const health of ["UNKNOWN", "UNHEALTHY"] as const) assert.equal(isToBeFound(held(health)), false);
  assert.equal(isToBeFound(held("HEALTHY", { letGo: true })), false);
  const { state } = held("HEALTHY");
  assert.equal(isToBeFound(held("HEALTHY", { state: { ...state, ending: {} } })), false);
  const starting = state.containers.map((each, index) =>
    index === 0 ? { ...each, status: "STARTING" } : each,
  );
  assert.equal(isToBeFound(held("HEALTHY", { state: { ...state, containers: starting } })), false);
});
