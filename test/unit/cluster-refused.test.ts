// Calls that are refused, and calls that come again after what they name has changed.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { SimulatedCluster } from "../support/simulated-cluster.ts";

let cluster: SimulatedCluster;

beforeEach(async () => {
  cluster = new SimulatedCluster(7, 3, () => "runs");
  await cluster.open();
  cluster.call("CreateCluster", {});
  for (let revision = 0; revision < 2; revision++)
    cluster.call("RegisterTaskDefinition", {
      family: "web",
      containerDefinitions: [{ name: "main", image: "box:1", memory: 100 }],
    });
  cluster.call("CreateService", { serviceName: "web", taskDefinition: "web:1", desiredCount: 2 });
  cluster.advance(10_000);
});
afterEach(() => cluster.close());

test("an update that is refused changes nothing of the service", () => {
  assert.throws(
    () => cluster.call("UpdateService", { service: "web", desiredCount: 0, taskDefinition: "web:9" }),
    /Unable to find task definition/,
  );
  assert.equal(service().desiredCount, 2);
  cluster.driver.end(cluster.driver.running()[0] ?? "", 1);
  cluster.advance(60_000);
  assert.equal(cluster.driver.running().length, 2);
});

test("bounds that do not go together with those that the service has are refused", () => {
  const wrong = /minimumHealthyPercent must be lower than maximumPercent/;
  const update = (deploymentConfiguration: object): unknown =>
    cluster.call("UpdateService", { service: "web", deploymentConfiguration });
  assert.throws(() => update({ maximumPercent: 100 }), wrong);
  update({ minimumHealthyPercent: 0, maximumPercent: 100 });
  assert.throws(() => update({ minimumHealthyPercent: 100 }), wrong);
});

test("a rollout that its bounds keep from starting and stopping says so once", () => {
  cluster.call("UpdateService", {
    service: "web",
    desiredCount: 1,
    taskDefinition: "web:2",
    deploymentConfiguration: { minimumHealthyPercent: 50, maximumPercent: 150 },
  });
  cluster.advance(60_000);
  const stuck = ({ message }: { message: string }): boolean => message.includes("unable to stop or start");
  assert.equal(service().events.filter(stuck).length, 1);
});

test("providers of the vendor are refused where tasks would be put on them", () => {
  const capacityProviderStrategy = [{ capacityProvider: "FARGATE", weight: 1 }];
  cluster.call("PutClusterCapacityProviders", {
    cluster: "default",
    capacityProviders: ["FARGATE"],
    defaultCapacityProviderStrategy: [],
  });
  const refused = /capacity provider FARGATE is not supported/;
  const call =
    (operation: string, input: object): (() => unknown) =>
    () =>
      cluster.call(operation, { capacityProviderStrategy, ...input });
  assert.throws(call("RunTask", { taskDefinition: "web" }), refused);
  assert.throws(call("CreateService", { serviceName: "b", taskDefinition: "web", desiredCount: 1 }), refused);
  assert.throws(call("UpdateService", { service: "web" }), refused);
});

test("numbers that are to be whole are", () => {
  const container = { name: "main", image: "box:1", memory: 100 };
  for (const more of [
    { memory: 100.5 },
    { stopTimeout: 0.5 },
    { portMappings: [{ containerPort: 80.5 }] },
    { restartPolicy: { enabled: true, ignoredExitCodes: [1, 2.5] } },
  ])
    assert.throws(
      () =>
        cluster.call("RegisterTaskDefinition", {
          family: "b",
          containerDefinitions: [{ ...container, ...more }],
        }),
      /must be a whole number, not /,
      JSON.stringify(more),
    );
  cluster.call("CreateService", {
    serviceName: "outside",
    desiredCount: 3,
    deploymentController: { type: "EXTERNAL" },
  });
  const set = { cluster: "default", service: "outside", taskDefinition: "web" };
  cluster.call("CreateTaskSet", { ...set, scale: { value: 33.5, unit: "PERCENT" } });
});

test("a service is spread over providers of its cluster alone", () => {
  cluster.call("CreateCapacityProvider", {
    name: "own",
    autoScalingGroupProvider: { autoScalingGroupArn: "arn:x" },
  });
  const update = (): unknown =>
    cluster.call("UpdateService", {
      service: "web",
      capacityProviderStrategy: [{ capacityProvider: "own", weight: 1 }],
    });
  assert.throws(update, /not associated with the cluster/);
  cluster.call("PutClusterCapacityProviders", {
    cluster: "default",
    capacityProviders: ["own"],
    defaultCapacityProviderStrategy: [],
  });
  update();
});

test("a token gives the same tasks also when the definition is not to be used any more", () => {
  const run = (): unknown[] =>
    (cluster.call("RunTask", { taskDefinition: "web:2", clientToken: "t" }) as { tasks: unknown[] }).tasks;
  assert.equal(run().length, 1);
  cluster.call("DeregisterTaskDefinition", { taskDefinition: "web:2" });
  assert.equal(run().length, 1);
  assert.equal(cluster.driver.running().length, 3);
});

test("a deleted definition goes when its last task has", () => {
  cluster.call("DeregisterTaskDefinition", { taskDefinition: "web:1" });
  cluster.call("DeleteTaskDefinitions", { taskDefinitions: ["web:1"] });
  cluster.advance(120_000);
  assert.equal(cluster.state.definition.get("web:1")?.wire.status, "DELETE_IN_PROGRESS");
  cluster.call("DeleteService", { service: "web", force: true });
  cluster.advance(120_000);
  cluster.call("ListClusters", {});
  assert.equal(cluster.state.definition.get("web:1"), undefined);
});

test("what cannot be read fails its own task, and a defect in one step keeps no other from its own", () => {
  const { control } = cluster;
  const resolve = control.resolve;
  Object.assign(control, {
    resolve: () => {
      throw new Error("cannot read it");
    },
  });
  const run = (): string =>
    (cluster.call("RunTask", { taskDefinition: "web" }) as { tasks: { taskArn: string }[] }).tasks[0]
      ?.taskArn ?? "";
  const failed = run();
  const stopped = control.state.task.get(failed.split("/").at(-1) ?? "")?.wire;
  assert.equal(stopped?.stopCode, "TaskFailedToStart");
  assert.match(stopped?.stoppedReason ?? "", /^ResourceInitializationError: .*cannot read it$/);
  Object.assign(control, { resolve });
  // The driver is out of order for one of those that are started in one step.
  const { driver } = cluster;
  const start = driver.start.bind(driver);
  let broken = "";
  driver.start = (spec) => {
    broken ||= spec.id;
    if (spec.id === broken) throw new Error("out of order");
    start(spec);
  };
  const before = driver.running().length;
  assert.throws(() => cluster.call("RunTask", { taskDefinition: "web", count: 3 }), /out of order/);
  assert.equal(driver.running().length, before + 2);
  assert.throws(() => cluster.settle(), /out of order/);
  driver.start = start;
  cluster.settle();
  assert.equal(driver.running().length, before + 3);
});

interface Shown {
  desiredCount: number;
  events: { message: string }[];
}

function service(): Shown {
  const { services = [] } = cluster.call("DescribeServices", { services: ["web"] }) as { services?: Shown[] };
  const [found] = services;
  assert.ok(found);
  return found;
}
