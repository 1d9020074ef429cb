// Rollouts, the circuit breaker, placement, draining, protection, capacity providers, settings and tags, as the vendor's SDK sees them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as ecs from "@aws-sdk/client-ecs";
import { NullDriver, plainNode } from "../../src/cluster/drivers/null-driver.ts";
import { type TestCluster, testCluster } from "../support/cluster.ts";

const quick = { minDelay: 1, maxDelay: 1, maxWaitTime: 120 };

describe("an SDK client and three nodes", () => {
  let cluster: TestCluster;
  let driver: NullDriver;
  let instances: string[];
  before(async () => {
    driver = new NullDriver(
      ["a", "a", "b"].map((zone, index) => ({
        ...plainNode(`n${index}`, 1024, 1024),
        attributes: [{ name: "ecs.availability-zone", value: zone }],
      })),
      ({ family }) => (family === "bad" ? "fails" : "runs"),
    );
    cluster = await testCluster({ driver });
    const { client } = cluster;
    await client.send(new ecs.CreateClusterCommand({}));
    for (const family of ["good", "good", "bad"])
      await client.send(
        new ecs.RegisterTaskDefinitionCommand({
          family,
          containerDefinitions: [
            {
              name: "main",
              image: "box:1",
              memory: 100,
              cpu: 100,
              portMappings: family === "bad" ? [] : [{ containerPort: 80 }],
            },
          ],
        }),
      );
    instances = (await client.send(new ecs.ListContainerInstancesCommand({}))).containerInstanceArns ?? [];
    assert.equal(instances.length, 3);
  });
  after(() => cluster.close());

  const service = async (name: string): Promise<ecs.Service> => {
    const { services } = await cluster.client.send(new ecs.DescribeServicesCommand({ services: [name] }));
    assert.ok(services?.[0] !== undefined);
    return services[0];
  };
  const stable = (name: string): Promise<unknown> =>
    ecs.waitUntilServicesStable({ client: cluster.client, ...quick }, { services: [name] });
  const tasksOf = async (serviceName: string): Promise<ecs.Task[]> => {
    const { taskArns = [] } = await cluster.client.send(new ecs.ListTasksCommand({ serviceName }));
    if (taskArns.length === 0) return [];
    return (await cluster.client.send(new ecs.DescribeTasksCommand({ tasks: taskArns }))).tasks ?? [];
  };
  const remove = async (name: string): Promise<void> => {
    await cluster.client.send(new ecs.DeleteServiceCommand({ service: name, force: true }));
    await ecs.waitUntilServicesInactive({ client: cluster.client, ...quick }, { services: [name] });
  };
  const spreadOf = (tasks: readonly ecs.Task[]): number[] =>
    instances.map((arn) => tasks.filter(({ containerInstanceArn }) => containerInstanceArn === arn).length);

  test("go back to the last version that worked", async () => {
    const { client } = cluster;
    const deploymentConfiguration = { deploymentCircuitBreaker: { enable: true, rollback: true } };
    await client.send(
      new ecs.CreateServiceCommand({
        serviceName: "breaks",
        taskDefinition: "good:1",
        desiredCount: 2,
        deploymentConfiguration,
      }),
    );
    await stable("breaks");
    const arnsOf = async (): Promise<(string | undefined)[]> =>
      (await tasksOf("breaks")).map(({ taskArn }) => taskArn).sort();
    const worked = await arnsOf();
    const [primary] = (await service("breaks")).deployments ?? [];
    await client.send(new ecs.UpdateServiceCommand({ service: "breaks", taskDefinition: "bad" }));
    for (;;) {
      const { events } = await service("breaks");
      if (events?.some(({ message }) => /rolling back to/.test(message ?? ""))) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await stable("breaks");
    const seen = await service("breaks");
    assert.match(seen.taskDefinition ?? "", /good:1$/);
    // What still runs is gone back to, not started anew.
    assert.deepEqual(await arnsOf(), worked);
    assert.deepEqual(
      seen.deployments?.map(({ id, status, rolloutState }) => [id, status, rolloutState]),
      [[primary?.id, "PRIMARY", "COMPLETED"]],
    );
    const { serviceDeployments = [] } = await client.send(
      new ecs.ListServiceDeploymentsCommand({ service: "breaks" }),
    );
    assert.deepEqual(
      serviceDeployments.map(({ status }) => status),
      ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"],
    );
    const described = await client.send(
      new ecs.DescribeServiceDeploymentsCommand({
        serviceDeploymentArns: [serviceDeployments[0]?.serviceDeploymentArn ?? ""],
      }),
    );
    assert.equal(described.serviceDeployments?.[0]?.deploymentCircuitBreaker?.status, "TRIGGERED");
    assert.equal(described.serviceDeployments?.[0]?.deploymentCircuitBreaker?.threshold, 3);
    await assert.rejects(
      client.send(
        new ecs.StopServiceDeploymentCommand({
          serviceDeploymentArn: serviceDeployments[0]?.serviceDeploymentArn,
        }),
      ),
      ecs.ConflictException,
    );
    await remove("breaks");
  });

  test("give up after as many failures as they are told", async () => {
    const { client } = cluster;
    const thresholdConfiguration = { type: "COUNT" as const, value: 2 };
    await client.send(
      new ecs.CreateServiceCommand({
        serviceName: "counts",
        taskDefinition: "bad",
        desiredCount: 1,
        deploymentConfiguration: {
          deploymentCircuitBreaker: { enable: true, rollback: false, thresholdConfiguration },
        },
      }),
    );
    let deployment: ecs.Deployment | undefined;
    for (; deployment?.rolloutState !== "FAILED"; await new Promise((resolve) => setTimeout(resolve, 100)))
      [deployment] = (await service("counts")).deployments ?? [];
    assert.ok((deployment.failedTasks ?? 0) >= 2 && (deployment.failedTasks ?? 0) <= 3);
    await remove("counts");
  });

  test("give up a service of one task on each instance that never runs, instead of calling it complete", async () => {
    const thresholdConfiguration = { type: "COUNT" as const, value: 2 };
    await cluster.client.send(
      new ecs.CreateServiceCommand({
        serviceName: "everywhere",
        taskDefinition: "bad",
        schedulingStrategy: "DAEMON",
        deploymentConfiguration: {
          deploymentCircuitBreaker: { enable: true, rollback: false, thresholdConfiguration },
        },
      }),
    );
    const states = new Set<string | undefined>();
    while (!states.has("FAILED")) {
      states.add((await service("everywhere")).deployments?.[0]?.rolloutState);
      assert.ok(!states.has("COMPLETED"), [...states].join(" "));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await remove("everywhere");
  });

  test("stop a rollout by hand", async () => {
    const { client } = cluster;
    await client.send(
      new ecs.CreateServiceCommand({ serviceName: "stops", taskDefinition: "good:1", desiredCount: 1 }),
    );
    await stable("stops");
    await client.send(new ecs.UpdateServiceCommand({ service: "stops", taskDefinition: "bad" }));
    const record = (await service("stops")).currentServiceDeployment;
    await client.send(
      new ecs.StopServiceDeploymentCommand({ serviceDeploymentArn: record, stopType: "ROLLBACK" }),
    );
    await assert.rejects(
      client.send(new ecs.StopServiceDeploymentCommand({ serviceDeploymentArn: record })),
      ecs.ConflictException,
    );
    await stable("stops");
    const { serviceDeployments } = await client.send(
      new ecs.DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [record ?? ""] }),
    );
    assert.equal(serviceDeployments?.[0]?.status, "ROLLBACK_SUCCESSFUL");
    const revision = serviceDeployments?.[0]?.rollback?.serviceRevisionArn ?? "";
    const revisions = await client.send(
      new ecs.DescribeServiceRevisionsCommand({ serviceRevisionArns: [revision] }),
    );
    assert.match(revisions.serviceRevisions?.[0]?.taskDefinition ?? "", /good:1$/);
    await remove("stops");
  });

  test("place tasks by strategy and constraint", async () => {
    const { client } = cluster;
    const run = async (more: object): Promise<ecs.Task[]> => {
      const { tasks = [], failures } = await client.send(
        new ecs.RunTaskCommand({ taskDefinition: "good", count: 4, ...more }),
      );
      assert.deepEqual(failures, []);
      for (const { taskArn } of tasks) await client.send(new ecs.StopTaskCommand({ task: taskArn }));
      return tasks;
    };
    const byInstance = spreadOf(
      await run({ group: "g1", placementStrategy: [{ type: "spread", field: "instanceId" }] }),
    );
    assert.deepEqual(byInstance.toSorted(), [1, 1, 2]);
    const byZone = await run({
      group: "g2",
      placementStrategy: [{ type: "spread", field: "attribute:ecs.availability-zone" }],
    });
    assert.equal(byZone.filter(({ availabilityZone }) => availabilityZone === "b").length, 2);
    const packed = spreadOf(await run({ placementStrategy: [{ type: "binpack", field: "memory" }] }));
    assert.deepEqual(packed.toSorted(), [0, 0, 4]);
    const inB = await run({
      placementConstraints: [{ type: "memberOf", expression: "attribute:ecs.availability-zone in [b, c]" }],
    });
    assert.ok(inB.every(({ availabilityZone }) => availabilityZone === "b"));
    const distinct = await client.send(
      new ecs.RunTaskCommand({
        taskDefinition: "good",
        count: 4,
        group: "g3",
        placementConstraints: [{ type: "distinctInstance" }],
      }),
    );
    assert.equal(distinct.tasks?.length, 3);
    assert.equal(distinct.failures?.length, 3);
    for (const { taskArn } of distinct.tasks ?? [])
      await client.send(new ecs.StopTaskCommand({ task: taskArn }));
    const nobody = await client.send(
      new ecs.RunTaskCommand({
        taskDefinition: "good",
        placementConstraints: [{ type: "memberOf", expression: "attribute:absent exists" }],
      }),
    );
    assert.equal(nobody.failures?.[0]?.reason, "ATTRIBUTE");
    await assert.rejects(
      client.send(
        new ecs.RunTaskCommand({
          taskDefinition: "good",
          placementConstraints: [{ type: "memberOf", expression: "attribute:x = = y" }],
        }),
      ),
      ecs.InvalidParameterException,
    );
  });

  test("put, list and delete attributes within their limit", async () => {
    const { client } = cluster;
    const targetId = instances[0];
    const attributes = Array.from({ length: 10 }, (_, index) => ({
      name: `a${index}`,
      value: "v",
      targetId,
    }));
    await client.send(new ecs.PutAttributesCommand({ attributes }));
    const more = [{ name: "a10", targetId }];
    await assert.rejects(
      client.send(new ecs.PutAttributesCommand({ attributes: more })),
      ecs.AttributeLimitExceededException,
    );
    const listed = await client.send(
      new ecs.ListAttributesCommand({ targetType: "container-instance", attributeName: "a3" }),
    );
    assert.deepEqual(
      listed.attributes?.map((attribute) => attribute.targetId),
      [targetId],
    );
    const found = await client.send(
      new ecs.ListContainerInstancesCommand({ filter: "attribute:a3 == v and not(attribute:a4 == w)" }),
    );
    assert.deepEqual(found.containerInstanceArns, [targetId]);
    await client.send(new ecs.DeleteAttributesCommand({ attributes }));
    await assert.rejects(
      client.send(new ecs.DeleteAttributesCommand({ attributes: more })),
      ecs.TargetNotFoundException,
    );
  });

  test("drain an instance: tasks of services move, others stay", async () => {
    const { client } = cluster;
    await client.send(
      new ecs.CreateServiceCommand({ serviceName: "moves", taskDefinition: "good", desiredCount: 3 }),
    );
    await stable("moves");
    assert.deepEqual(spreadOf(await tasksOf("moves")).toSorted(), [1, 1, 1]);
    const alone = await client.send(
      new ecs.StartTaskCommand({ taskDefinition: "good", containerInstances: [instances[0] ?? ""] }),
    );
    const status = (value: "ACTIVE" | "DRAINING"): Promise<unknown> =>
      client.send(
        new ecs.UpdateContainerInstancesStateCommand({
          containerInstances: [instances[0] ?? ""],
          status: value,
        }),
      );
    await status("DRAINING");
    for (;;) {
      const spread = spreadOf(await tasksOf("moves"));
      if (spread[0] === 0 && spread.reduce((sum, count) => sum + count) === 3) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const left = await client.send(
      new ecs.DescribeTasksCommand({ tasks: [alone.tasks?.[0]?.taskArn ?? ""] }),
    );
    assert.equal(left.tasks?.[0]?.lastStatus, "RUNNING");
    const refused = await client.send(
      new ecs.StartTaskCommand({ taskDefinition: "good", containerInstances: [instances[0] ?? ""] }),
    );
    assert.equal(refused.failures?.length, 1);
    await client.send(new ecs.StopTaskCommand({ task: alone.tasks?.[0]?.taskArn }));
    await status("ACTIVE");
    await remove("moves");
  });

  test("place nothing on an instance that the driver does not reach", async () => {
    const { client } = cluster;
    const made = await client.send(
      new ecs.RegisterContainerInstanceCommand({
        totalResources: [
          { name: "CPU", type: "INTEGER", integerValue: 9999 },
          { name: "MEMORY", type: "INTEGER", integerValue: 9999 },
        ],
      }),
    );
    const arn = made.containerInstance?.containerInstanceArn ?? "";
    const { tasks = [] } = await client.send(
      new ecs.RunTaskCommand({
        taskDefinition: "good",
        count: 10,
        placementStrategy: [{ type: "spread", field: "instanceId" }],
      }),
    );
    assert.equal(tasks.length, 10);
    assert.ok(tasks.every(({ containerInstanceArn }) => containerInstanceArn !== arn));
    const started = await client.send(
      new ecs.StartTaskCommand({ taskDefinition: "good", containerInstances: [arn] }),
    );
    assert.deepEqual(
      started.failures?.map(({ reason }) => reason),
      ["AGENT"],
    );
    for (const { taskArn } of tasks) await client.send(new ecs.StopTaskCommand({ task: taskArn }));
    await client.send(new ecs.DeregisterContainerInstanceCommand({ containerInstance: arn }));
  });

  test("protect tasks from scaling in", async () => {
    const { client } = cluster;
    await client.send(
      new ecs.CreateServiceCommand({ serviceName: "guarded", taskDefinition: "good", desiredCount: 3 }),
    );
    await stable("guarded");
    const chosen = (await tasksOf("guarded"))[1]?.taskArn ?? "";
    await client.send(
      new ecs.UpdateTaskProtectionCommand({
        cluster: "default",
        tasks: [chosen],
        protectionEnabled: true,
        expiresInMinutes: 1,
      }),
    );
    const told = await client.send(new ecs.GetTaskProtectionCommand({ cluster: "default" }));
    assert.deepEqual(
      told.protectedTasks?.map(({ taskArn }) => taskArn),
      [chosen],
    );
    await client.send(new ecs.UpdateServiceCommand({ service: "guarded", desiredCount: 1 }));
    await stable("guarded");
    assert.deepEqual(
      (await tasksOf("guarded")).map(({ taskArn }) => taskArn),
      [chosen],
    );
    await remove("guarded");
  });

  test("run one task of a daemon on each instance", async () => {
    const { client } = cluster;
    await client.send(
      new ecs.CreateServiceCommand({
        serviceName: "daemon",
        taskDefinition: "good:1",
        schedulingStrategy: "DAEMON",
      }),
    );
    await stable("daemon");
    assert.deepEqual(spreadOf(await tasksOf("daemon")), [1, 1, 1]);
    driver.setNode({ ...plainNode("n3", 1024, 1024) });
    for (;;) if ((await tasksOf("daemon")).length === 4) break;
    await client.send(new ecs.UpdateServiceCommand({ service: "daemon", taskDefinition: "good:2" }));
    await stable("daemon");
    assert.ok((await tasksOf("daemon")).every(({ taskDefinitionArn }) => taskDefinitionArn?.endsWith(":2")));
    await remove("daemon");
    for (const [more, reason] of [
      [{ schedulingStrategy: "DAEMON", desiredCount: 1 }, /takes no desiredCount/],
      [{ schedulingStrategy: "REPLICA" }, /needs a desiredCount/],
      [{}, /needs a desiredCount/],
    ] as const)
      await assert.rejects(
        client.send(new ecs.CreateServiceCommand({ serviceName: "wrong", taskDefinition: "good", ...more })),
        (error: Error) => error.name === "InvalidParameterException" && reason.test(error.message),
      );
  });

  test("spread by capacity providers, keep tags and settings", async () => {
    const { client } = cluster;
    const autoScalingGroupProvider = { autoScalingGroupArn: "arn:aws:autoscaling:x:0:group" };
    for (const name of ["small", "large"])
      await client.send(new ecs.CreateCapacityProviderCommand({ name, autoScalingGroupProvider }));
    await client.send(
      new ecs.PutClusterCapacityProvidersCommand({
        cluster: "default",
        capacityProviders: ["small", "large"],
        defaultCapacityProviderStrategy: [],
      }),
    );
    const capacityProviderStrategy = [
      { capacityProvider: "small", base: 2, weight: 1 },
      { capacityProvider: "large", weight: 3 },
    ];
    const { tasks = [] } = await client.send(
      new ecs.RunTaskCommand({ taskDefinition: "good", count: 10, capacityProviderStrategy }),
    );
    assert.equal(tasks.filter(({ capacityProviderName }) => capacityProviderName === "small").length, 4);
    await assert.rejects(
      client.send(
        new ecs.RunTaskCommand({ taskDefinition: "good", launchType: "EC2", capacityProviderStrategy }),
      ),
      ecs.InvalidParameterException,
    );
    await client.send(
      new ecs.CreateServiceCommand({
        serviceName: "uses",
        taskDefinition: "good",
        desiredCount: 1,
        capacityProviderStrategy,
      }),
    );
    await assert.rejects(
      client.send(
        new ecs.PutClusterCapacityProvidersCommand({
          cluster: "default",
          capacityProviders: [],
          defaultCapacityProviderStrategy: [],
        }),
      ),
      ecs.ResourceInUseException,
    );
    const arn = (await service("uses")).serviceArn ?? "";
    await client.send(new ecs.TagResourceCommand({ resourceArn: arn, tags: [{ key: "team", value: "x" }] }));
    await assert.rejects(
      client.send(
        new ecs.TagResourceCommand({
          resourceArn: arn,
          tags: Array.from({ length: 50 }, (_, index) => ({ key: `k${index}` })),
        }),
      ),
      ecs.InvalidParameterException,
    );
    await assert.rejects(
      client.send(new ecs.TagResourceCommand({ resourceArn: arn, tags: [{ key: "aws:x" }] })),
      ecs.InvalidParameterException,
    );
    assert.deepEqual((await client.send(new ecs.ListTagsForResourceCommand({ resourceArn: arn }))).tags, [
      { key: "team", value: "x" },
    ]);
    await client.send(new ecs.UntagResourceCommand({ resourceArn: arn, tagKeys: ["team"] }));
    await client.send(
      new ecs.PutAccountSettingDefaultCommand({ name: "containerInsights", value: "enabled" }),
    );
    const { settings } = await client.send(
      new ecs.ListAccountSettingsCommand({ name: "containerInsights", effectiveSettings: true }),
    );
    assert.equal(settings?.[0]?.value, "enabled");
    await remove("uses");
    for (const { taskArn } of tasks) await client.send(new ecs.StopTaskCommand({ task: taskArn }));
  });

  test("deregister and delete task definitions", async () => {
    const { client } = cluster;
    const containerDefinitions = [{ name: "main", image: "box:1", memory: 10 }];
    for (const _ of [1, 2])
      await client.send(new ecs.RegisterTaskDefinitionCommand({ family: "old", containerDefinitions }));
    const kept = await client.send(new ecs.DeleteTaskDefinitionsCommand({ taskDefinitions: ["old:1"] }));
    assert.equal(kept.failures?.length, 1);
    await client.send(new ecs.DeregisterTaskDefinitionCommand({ taskDefinition: "old:1" }));
    assert.equal(
      (await client.send(new ecs.DescribeTaskDefinitionCommand({ taskDefinition: "old:1" }))).taskDefinition
        ?.status,
      "INACTIVE",
    );
    await assert.rejects(
      client.send(new ecs.RunTaskCommand({ taskDefinition: "old:1" })),
      ecs.ClientException,
    );
    const gone = await client.send(new ecs.DeleteTaskDefinitionsCommand({ taskDefinitions: ["old:1"] }));
    assert.equal(gone.taskDefinitions?.length, 1);
    const listed = await client.send(
      new ecs.ListTaskDefinitionsCommand({ familyPrefix: "old", sort: "DESC" }),
    );
    assert.deepEqual(
      listed.taskDefinitionArns?.map((arn) => arn.split("/").at(-1)),
      ["old:2"],
    );
    const families = await client.send(new ecs.ListTaskDefinitionFamiliesCommand({ status: "ACTIVE" }));
    assert.deepEqual(families.families, ["bad", "good", "old"]);
  });

  test("have a node's room once for all clusters, and wait for what another cluster gives back", async () => {
    const { client } = cluster;
    const count = driver.nodes().length;
    await client.send(new ecs.CreateClusterCommand({ clusterName: "beside" }));
    const main = {
      name: "main",
      image: "box:1",
      memory: 900,
      portMappings: [{ hostPort: 80, containerPort: 80 }],
    };
    await client.send(
      new ecs.RegisterTaskDefinitionCommand({ family: "large", containerDefinitions: [main] }),
    );
    const first = await client.send(new ecs.RunTaskCommand({ taskDefinition: "large", count }));
    assert.deepEqual([first.tasks?.length, first.failures], [count, []]);
    const beside = { cluster: "beside", taskDefinition: "large" };
    const refused = await client.send(new ecs.RunTaskCommand(beside));
    assert.deepEqual([...new Set(refused.failures?.map(({ reason }) => reason))], ["RESOURCE:MEMORY"]);
    const { containerInstanceArns } = await client.send(
      new ecs.ListContainerInstancesCommand({ cluster: "beside" }),
    );
    const seen = await client.send(
      new ecs.DescribeContainerInstancesCommand({
        cluster: "beside",
        containerInstances: containerInstanceArns,
      }),
    );
    for (const { remainingResources, runningTasksCount, pendingTasksCount } of seen.containerInstances ??
      []) {
      assert.equal(remainingResources?.find(({ name }) => name === "MEMORY")?.integerValue, 124);
      assert.deepEqual([runningTasksCount, pendingTasksCount], [0, 0], "they are the other cluster's");
    }
    const waits = { ...beside, serviceName: "waits", desiredCount: 1 };
    await client.send(new ecs.CreateServiceCommand(waits));
    await client.send(new ecs.StopTaskCommand({ task: first.tasks?.[0]?.taskArn }));
    const asked = { cluster: "beside", services: ["waits"] };
    await ecs.waitUntilServicesStable({ client, ...quick }, asked);
    for (const { taskArn } of first.tasks ?? [])
      await client.send(new ecs.StopTaskCommand({ task: taskArn }));
    await client.send(new ecs.DeleteServiceCommand({ cluster: "beside", service: "waits", force: true }));
    await ecs.waitUntilServicesInactive({ client, ...quick }, asked);
    await client.send(new ecs.DeleteClusterCommand({ cluster: "beside" }));
  });
});
