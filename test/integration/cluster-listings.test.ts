// Clusters, task definitions and listings as the vendor's SDK sees them: what is told, in which order and in which pages.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as ecs from "@aws-sdk/client-ecs";
import { NullDriver, plainNode } from "../../src/cluster/drivers/null-driver.ts";
import { type TestCluster, testCluster } from "../support/cluster.ts";

const container = { name: "main", image: "box:1", memory: 64 };
/** So many of each kind, which is three pages of ten. */
const many = 25;
const numbers = Array.from({ length: many }, (_, index) => index);

describe("clusters and listings", () => {
  let cluster: TestCluster;
  let client: ecs.ECSClient;
  before(async () => {
    const driver = new NullDriver(numbers.map((index) => plainNode(`n${index}`)));
    cluster = await testCluster({ driver });
    ({ client } = cluster);
    await client.send(new ecs.CreateClusterCommand({}));
  });
  after(() => cluster.close());

  const register = (family: string, more: object = {}): Promise<ecs.RegisterTaskDefinitionCommandOutput> =>
    client.send(
      new ecs.RegisterTaskDefinitionCommand({ family, containerDefinitions: [container], ...more }),
    );

  test("a cluster tells settings, tags and statistics to who asks", async () => {
    const tags = [{ key: "team", value: "web" }];
    const settings = [{ name: "containerInsights" as const, value: "enabled" }];
    await client.send(new ecs.CreateClusterCommand({ clusterName: "told", tags, settings }));
    const see = async (include: ecs.ClusterField[]): Promise<ecs.Cluster> => {
      const clusters = ["told"];
      const seen = await client.send(new ecs.DescribeClustersCommand({ clusters, include }));
      assert.deepEqual(seen.failures, []);
      return seen.clusters?.[0] ?? {};
    };
    const plain = await see([]);
    assert.deepEqual([plain.settings, plain.tags, plain.statistics], [[], [], []]);
    const whole = await see(["SETTINGS", "TAGS", "STATISTICS"]);
    assert.deepEqual([whole.settings, whole.tags], [settings, tags]);
    assert.ok(whole.statistics?.some(({ name }) => name === "runningEC2TasksCount"));
    const only = await see(["TAGS"]);
    assert.deepEqual([only.settings, only.tags, only.statistics], [[], tags, []]);
  });

  test("a cluster that holds something is not deleted, and says what it holds", async () => {
    const name = "full";
    await client.send(new ecs.CreateClusterCommand({ clusterName: name }));
    await register("held");
    const refused = (what: new (...given: never[]) => Error): Promise<void> =>
      assert.rejects(client.send(new ecs.DeleteClusterCommand({ cluster: name })), (error: Error) => {
        assert.ok(error instanceof what, error.name);
        return true;
      });
    const resource = (kind: string) => ({ name: kind, type: "INTEGER", integerValue: 1 });
    const made = await client.send(
      new ecs.RegisterContainerInstanceCommand({
        cluster: name,
        totalResources: [resource("CPU"), resource("MEMORY")],
      }),
    );
    await refused(ecs.ClusterContainsContainerInstancesException);
    const { containerInstanceArn: containerInstance } = made.containerInstance ?? {};
    await client.send(new ecs.DeregisterContainerInstanceCommand({ cluster: name, containerInstance }));
    const { tasks } = await client.send(new ecs.RunTaskCommand({ cluster: name, taskDefinition: "held" }));
    await refused(ecs.ClusterContainsTasksException);
    await client.send(new ecs.StopTaskCommand({ cluster: name, task: tasks?.[0]?.taskArn }));
    const service = { cluster: name, serviceName: "held", taskDefinition: "held", desiredCount: 0 };
    await client.send(new ecs.CreateServiceCommand(service));
    await refused(ecs.ClusterContainsServicesException);
    await client.send(new ecs.DeleteServiceCommand({ cluster: name, service: "held" }));
    await ecs.waitUntilServicesInactive(
      { client, minDelay: 1, maxDelay: 1, maxWaitTime: 30 },
      { cluster: name, services: ["held"] },
    );
    const gone = await client.send(new ecs.DeleteClusterCommand({ cluster: name }));
    assert.equal(gone.cluster?.status, "INACTIVE");
  });

  test("a task definition is found by family, by revision and by ARN; a family is its latest that is ACTIVE", async () => {
    const made = [];
    for (const _ of [1, 2, 3]) made.push((await register("found")).taskDefinition?.taskDefinitionArn ?? "");
    const revision = async (taskDefinition: string): Promise<number | undefined> =>
      (await client.send(new ecs.DescribeTaskDefinitionCommand({ taskDefinition }))).taskDefinition?.revision;
    assert.equal(await revision("found"), 3);
    assert.equal(await revision("found:2"), 2);
    assert.equal(await revision(made[0] ?? ""), 1);
    await client.send(new ecs.DeregisterTaskDefinitionCommand({ taskDefinition: "found:3" }));
    assert.equal(await revision("found"), 2);
    assert.equal(await revision("found:3"), 3, "INACTIVE ones are described on");
    for (const wrong of ["found:x", "found:0", "absent", "found:2:2"])
      await assert.rejects(revision(wrong), { name: "ClientException" }, wrong);
    assert.equal((await register("found")).taskDefinition?.revision, 4, "no number comes twice");
  });

  test("what a task definition lacks is told in the words of the service", async () => {
    const cases: [object, RegExp][] = [
      [{ containerDefinitions: [{ name: "a", memory: 64 }] }, /Container.image should not be null or empty/],
      [{ containerDefinitions: [{ image: "a", memory: 64 }] }, /Container.name should not be null or empty/],
      [
        { containerDefinitions: [{ name: "a", image: "a" }] },
        /Invalid setting for container 'a'. At least one of 'memory' or 'memoryReservation' must be specified/,
      ],
      [{ containerDefinitions: [] }, /containerDefinitions should not be null or empty/],
      [{ networkMode: "vlan" }, /'vlan' at 'networkMode' failed to satisfy constraint/],
    ];
    for (const [more, words] of cases)
      await assert.rejects(register("lacks", more), (error: Error) => {
        assert.match(error.message, words);
        assert.match(error.name, /^(Client|InvalidParameter)Exception$/);
        return true;
      });
    const { families } = await client.send(
      new ecs.ListTaskDefinitionFamiliesCommand({ familyPrefix: "lacks" }),
    );
    assert.deepEqual(families, []);
  });

  test("a definition that is deregistered goes on where it is used", async () => {
    await register("kept");
    const service = { serviceName: "kept", taskDefinition: "kept", desiredCount: 2 };
    await client.send(new ecs.CreateServiceCommand(service));
    const stable = () =>
      ecs.waitUntilServicesStable(
        { client, minDelay: 1, maxDelay: 1, maxWaitTime: 30 },
        { services: ["kept"] },
      );
    await stable();
    await client.send(new ecs.DeregisterTaskDefinitionCommand({ taskDefinition: "kept:1" }));
    const { taskArns = [] } = await client.send(new ecs.ListTasksCommand({ serviceName: "kept" }));
    await client.send(new ecs.StopTaskCommand({ task: taskArns[0] }));
    await stable();
    const now = await client.send(new ecs.ListTasksCommand({ serviceName: "kept" }));
    assert.equal(now.taskArns?.length, 2);
    assert.ok(!now.taskArns?.includes(taskArns[0] ?? ""), "the one that was stopped is replaced");
    await assert.rejects(client.send(new ecs.RunTaskCommand({ taskDefinition: "kept:1" })), {
      name: "ClientException",
      message: "TaskDefinition is inactive",
    });
    await client.send(new ecs.DeleteServiceCommand({ service: "kept", force: true }));
  });

  test("definitions and families are listed by status, prefix and order", async () => {
    for (const family of ["list-a", "list-a", "list-b"]) await register(family);
    for (const taskDefinition of ["list-a:1", "list-b:1"])
      await client.send(new ecs.DeregisterTaskDefinitionCommand({ taskDefinition }));
    await register("list-a");
    const definitions = async (more: object): Promise<string[]> => {
      const listed = await client.send(new ecs.ListTaskDefinitionsCommand(more));
      return (listed.taskDefinitionArns ?? []).map((arn) => arn.split("/").at(-1) ?? "");
    };
    const familyPrefix = "list-a";
    assert.deepEqual(await definitions({ familyPrefix }), ["list-a:2", "list-a:3"]);
    assert.deepEqual(await definitions({ familyPrefix, sort: "DESC" }), ["list-a:3", "list-a:2"]);
    assert.deepEqual(await definitions({ familyPrefix, status: "INACTIVE" }), ["list-a:1"]);
    assert.deepEqual(await definitions({ familyPrefix: "list" }), [], "a family is given whole");
    const families = async (status?: "ACTIVE" | "INACTIVE" | "ALL"): Promise<string[] | undefined> => {
      const given = { familyPrefix: "list-", status };
      return (await client.send(new ecs.ListTaskDefinitionFamiliesCommand(given))).families;
    };
    assert.deepEqual(await families("ACTIVE"), ["list-a"]);
    assert.deepEqual(await families("INACTIVE"), ["list-b"]);
    assert.deepEqual(await families("ALL"), ["list-a", "list-b"]);
    assert.deepEqual(await families(), ["list-a", "list-b"]);
  });

  test("every listing comes in pages in which nothing comes twice, and takes no token of another one", async () => {
    await register("page");
    for (const index of numbers) {
      await client.send(new ecs.CreateClusterCommand({ clusterName: `page-${index}` }));
      await register(`page-${index}`);
      const service = { serviceName: `page-${index}`, taskDefinition: "page", desiredCount: 0 };
      await client.send(new ecs.CreateServiceCommand(service));
    }
    for (const count of [10, 10, 5])
      await client.send(new ecs.RunTaskCommand({ taskDefinition: "page", count, startedBy: "pages" }));
    const { containerInstanceArns = [] } = await client.send(new ecs.ListContainerInstancesCommand({}));
    const attributes = containerInstanceArns.map((targetId) => ({ name: "page", value: "x", targetId }));
    for (let from = 0; from < many; from += 10)
      await client.send(new ecs.PutAttributesCommand({ attributes: attributes.slice(from, from + 10) }));
    const options = { client, pageSize: 10 };
    const target = "container-instance" as const;
    const listings: [string, AsyncIterable<object>, (token: string) => Promise<unknown>][] = [
      ["clusterArns", ecs.paginateListClusters(options, {}), (nextToken) => client.send(new ecs.ListClustersCommand({ nextToken }))],
      ["taskDefinitionArns", ecs.paginateListTaskDefinitions(options, {}), (nextToken) => client.send(new ecs.ListTaskDefinitionsCommand({ nextToken }))],
      ["families", ecs.paginateListTaskDefinitionFamilies(options, { familyPrefix: "page-" }), (nextToken) => client.send(new ecs.ListTaskDefinitionFamiliesCommand({ nextToken, familyPrefix: "page-" }))],
      ["serviceArns", ecs.paginateListServices(options, {}), (nextToken) => client.send(new ecs.ListServicesCommand({ nextToken }))],
      ["taskArns", ecs.paginateListTasks(options, { startedBy: "pages" }), (nextToken) => client.send(new ecs.ListTasksCommand({ nextToken, startedBy: "pages" }))],
      ["containerInstanceArns", ecs.paginateListContainerInstances(options, {}), (nextToken) => client.send(new ecs.ListContainerInstancesCommand({ nextToken }))],
      ["attributes", ecs.paginateListAttributes(options, { targetType: target, attributeName: "page" }), (nextToken) => client.send(new ecs.ListAttributesCommand({ nextToken, targetType: target }))],
    ]; // biome-ignore format: a table
    const foreign = (await client.send(new ecs.ListServicesCommand({ maxResults: 1 }))).nextToken ?? "";
    for (const [member, pages, ask] of listings) {
      const sizes: number[] = [];
      const seen: string[] = [];
      for await (const answered of pages) {
        const items = ((answered as Record<string, unknown>)[member] ?? []) as unknown[];
        sizes.push(items.length);
        seen.push(...items.map((item) => JSON.stringify(item)));
        // Comes in before and behind the place of the token.
        if (member === "clusterArns")
          for (const name of [`a${sizes.length}`, `z${sizes.length}`])
            await client.send(new ecs.CreateClusterCommand({ clusterName: name }));
      }
      assert.ok(sizes.length >= 3 && sizes.slice(0, 2).every((size) => size === 10), `${member}: ${sizes}`);
      assert.equal(new Set(seen).size, seen.length, member);
      assert.ok(seen.length >= many, `${member}: ${seen.length}`);
      for (const token of ["nonsense", ...(member === "serviceArns" ? [] : [foreign])])
        await assert.rejects(ask(token), ecs.InvalidParameterException, `${member} ${token}`);
    }
  });

  test("every time in an answer is one that the SDK can read, and now", async () => {
    await register("timed");
    const begun = Date.now();
    const dates: [string, Date][] = [];
    const collect = (value: unknown, at: string): void => {
      if (value instanceof Date) dates.push([at, value]);
      else if (typeof value === "object" && value !== null)
        for (const [key, member] of Object.entries(value)) collect(member, `${at}.${key}`);
    };
    const send = async <T>(name: string, answered: Promise<T>): Promise<T> => {
      const value = await answered;
      collect(value, name);
      return value;
    };
    await send("RegisterTaskDefinition", register("timed"));
    const service = { serviceName: "timed", taskDefinition: "timed", desiredCount: 1 };
    const made = await send("CreateService", client.send(new ecs.CreateServiceCommand(service)));
    await ecs.waitUntilServicesStable(
      { client, minDelay: 1, maxDelay: 1, maxWaitTime: 30 },
      { services: ["timed"] },
    );
    const services = [made.service?.serviceArn ?? ""];
    const seen = await send("DescribeServices", client.send(new ecs.DescribeServicesCommand({ services })));
    const { tasks: [task] = [] } = await send(
      "RunTask",
      client.send(new ecs.RunTaskCommand({ taskDefinition: "timed" })),
    );
    const arn = task?.taskArn ?? "";
    await send("StopTask", client.send(new ecs.StopTaskCommand({ task: arn })));
    await send("DescribeTasks", client.send(new ecs.DescribeTasksCommand({ tasks: [arn] })));
    const { serviceDeployments = [] } = await send(
      "ListServiceDeployments",
      client.send(new ecs.ListServiceDeploymentsCommand({ service: "timed" })),
    );
    const serviceDeploymentArns = serviceDeployments.map(
      ({ serviceDeploymentArn = "" }) => serviceDeploymentArn,
    );
    await send(
      "DescribeServiceDeployments",
      client.send(new ecs.DescribeServiceDeploymentsCommand({ serviceDeploymentArns })),
    );
    const serviceRevisionArns = serviceDeployments.map(
      ({ targetServiceRevisionArn = "" }) => targetServiceRevisionArn,
    );
    assert.ok(seen.services?.[0]?.currentServiceDeployment !== undefined);
    await send(
      "DescribeServiceRevisions",
      client.send(new ecs.DescribeServiceRevisionsCommand({ serviceRevisionArns })),
    );
    await send(
      "DeregisterTaskDefinition",
      client.send(new ecs.DeregisterTaskDefinitionCommand({ taskDefinition: "timed:1" })),
    );
    for (const [at, date] of dates)
      assert.ok(date.getTime() >= begun - 1000 && date.getTime() <= Date.now() + 1000, `${at} is ${date}`);
    const kinds = new Set(dates.map(([at]) => at.replace(/\.\d+/g, "")));
    for (const kind of [
      "RegisterTaskDefinition.taskDefinition.registeredAt",
      "DeregisterTaskDefinition.taskDefinition.deregisteredAt",
      "CreateService.service.createdAt",
      "DescribeServices.services.events.createdAt",
      "DescribeServices.services.deployments.updatedAt",
      "RunTask.tasks.createdAt",
      "DescribeTasks.tasks.startedAt",
      "DescribeTasks.tasks.stoppingAt",
      "DescribeTasks.tasks.stoppedAt",
      "DescribeServiceDeployments.serviceDeployments.finishedAt",
      "DescribeServiceRevisions.serviceRevisions.createdAt",
    ])
      assert.ok(kinds.has(kind), `${kind} is not among ${[...kinds].join(", ")}`);
    await client.send(new ecs.DeleteServiceCommand({ service: "timed", force: true }));
  });
});
