// What calls say of tasks and services: refused by name where it would have no effect, else kept; what does not fit; scaling; settings.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ClusterNotFoundException,
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteAccountSettingCommand,
  DeleteServiceCommand,
  DescribeTasksCommand,
  InvalidParameterException,
  ListAccountSettingsCommand,
  ListTasksCommand,
  PutAccountSettingCommand,
  PutAccountSettingDefaultCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from "@aws-sdk/client-ecs";
import { type TestCluster, testCluster } from "../support/cluster.ts";

const container = { name: "web", image: "box:1", memory: 64 };
const quick = { minDelay: 1, maxDelay: 1, maxWaitTime: 60 };

describe("calls on tasks and services", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await testCluster();
    const { client } = cluster;
    await client.send(new CreateClusterCommand({}));
    await client.send(
      new RegisterTaskDefinitionCommand({ family: "web", containerDefinitions: [container] }),
    );
  });
  after(() => cluster.close());

  test("refuses by name what would have no effect", async () => {
    const { client } = cluster;
    const create = (more: object) =>
      client.send(
        new CreateServiceCommand({ serviceName: "vain", taskDefinition: "web", desiredCount: 0, ...more }),
      );
    const alarms = { alarmNames: ["errors"], enable: true, rollback: true };
    const deployment = (deploymentConfiguration: object) => create({ deploymentConfiguration });
    await assert.rejects(deployment({ alarms }), /deploymentConfiguration.alarms is not supported/);
    await assert.rejects(deployment({ bakeTimeInMinutes: 5 }), /bakeTimeInMinutes is not supported/);
    const disk = { name: "disk", managedEBSVolume: { roleArn: "arn:aws:iam::000000000000:role/disk" } };
    const volumeConfigurations = [disk];
    await assert.rejects(create({ volumeConfigurations }), /volumeConfigurations is not supported/);
    await assert.rejects(
      client.send(new RunTaskCommand({ taskDefinition: "web", volumeConfigurations })),
      /volumeConfigurations is not supported/,
    );
    const run = (more: object) => client.send(new RunTaskCommand({ taskDefinition: "web", ...more }));
    const publicly = { awsvpcConfiguration: { subnets: ["any"], assignPublicIp: "ENABLED" } };
    for (const call of [create, run]) {
      await assert.rejects(call({ launchType: "FARGATE" }), /launch type FARGATE is not supported/);
      await assert.rejects(call({ platformVersion: "1.4.0" }), /platform version must be null/);
      await assert.rejects(call({ networkConfiguration: publicly }), /Assign public IP is not supported/);
    }
    const requirement = { type: "GPU", value: "1" };
    for (const [more, field] of [
      [{ ephemeralStorage: { sizeInGiB: 30 } }, /overrides.ephemeralStorage/],
      [{ inferenceAcceleratorOverrides: [{ deviceName: "a", deviceType: "b" }] }, /inferenceAccelerator/],
      [{ containerOverrides: [{ name: "web", resourceRequirements: [requirement] }] }, /resourceRequire/],
    ] as const)
      await assert.rejects(run({ overrides: more }), field);
    for (const [more, field] of [
      [{ availabilityZoneRebalancing: "ENABLED" }, /availabilityZoneRebalancing ENABLED is not/],
      [{ role: "lb" }, /role is not/],
      [{ loadBalancers: [{ containerName: "web", containerPort: 80 }] }, /loadBalancers is not/],
      [{ serviceConnectConfiguration: { enabled: true } }, /serviceConnectConfiguration is not/],
      [{ deploymentConfiguration: { strategy: "BLUE_GREEN" } }, /strategy BLUE_GREEN is not/],
    ] as const)
      await assert.rejects(create(more), field);
    const clusterName = "vain";
    const exec = { executeCommandConfiguration: { logging: "OVERRIDE" as const } };
    for (const more of [{ serviceConnectDefaults: { namespace: "n" } }, { configuration: exec }])
      await assert.rejects(
        client.send(new CreateClusterCommand({ clusterName, ...more })),
        /is not supported/,
      );
    await create({ availabilityZoneRebalancing: "DISABLED", launchType: "EXTERNAL" });
    await assert.rejects(
      client.send(new UpdateServiceCommand({ service: "vain", deploymentController: { type: "EXTERNAL" } })),
      /deployment controller of a service cannot be changed/,
    );
    const { tasks } = await run({ launchType: "EXTERNAL" });
    assert.equal(tasks?.[0]?.launchType, "EXTERNAL");
    await client.send(new StopTaskCommand({ task: tasks?.[0]?.taskArn }));
    await client.send(new DeleteServiceCommand({ service: "vain" }));
  });

  test("what a task is called and tagged stays with it", async () => {
    const { client } = cluster;
    const tags = [
      { key: "from", value: "definition" },
      { key: "team", value: "definition" },
    ];
    await client.send(
      new RegisterTaskDefinitionCommand({ family: "tagged", containerDefinitions: [container], tags }),
    );
    const overrides = { containerOverrides: [{ name: "web", command: ["other"], cpu: 7, memory: 48 }] };
    const given = { startedBy: "me", group: "night", tags: [{ key: "team", value: "call" }], overrides };
    const { tasks } = await client.send(
      new RunTaskCommand({ taskDefinition: "tagged", ...given, propagateTags: "TASK_DEFINITION" }),
    );
    const arn = tasks?.[0]?.taskArn ?? "";
    const see = async (include?: ["TAGS"]) =>
      (await client.send(new DescribeTasksCommand({ tasks: [arn], include }))).tasks?.[0];
    const seen = await see(["TAGS"]);
    assert.deepEqual([seen?.startedBy, seen?.group], ["me", "night"]);
    assert.deepEqual(seen?.overrides?.containerOverrides, overrides.containerOverrides);
    assert.deepEqual(seen?.tags?.map(({ key, value }) => `${key}=${value}`).toSorted(), [
      "from=definition",
      "team=call",
    ]);
    assert.deepEqual((await see())?.tags, []);
    const listed = await client.send(new ListTasksCommand({ startedBy: "me" }));
    assert.deepEqual(listed.taskArns, [arn]);
    await client.send(new StopTaskCommand({ task: arn }));
  });

  test("what does not fit is told, and nothing of it is left", async () => {
    const { client } = cluster;
    const port = { ...container, portMappings: [{ containerPort: 80, hostPort: 8080 }] };
    for (const [family, containerDefinition] of Object.entries({
      port,
      large: { ...container, cpu: 99_999 },
    }))
      await client.send(
        new RegisterTaskDefinitionCommand({ family, containerDefinitions: [containerDefinition] }),
      );
    const run = (taskDefinition: string, more: object = {}) =>
      client.send(new RunTaskCommand({ taskDefinition, startedBy: "fits", ...more }));
    const held = (await run("port")).tasks?.[0]?.taskArn ?? "";
    const nobody = [{ type: "memberOf" as const, expression: "attribute:absent exists" }];
    for (const [family, more, reason] of [
      ["port", {}, "RESOURCE:PORTS"],
      ["large", {}, "RESOURCE:CPU"],
      ["web", { overrides: { memory: "999999" } }, "RESOURCE:MEMORY"],
      ["web", { placementConstraints: nobody }, "ATTRIBUTE"],
    ] as const) {
      const { tasks, failures } = await run(family, more);
      assert.deepEqual([tasks, failures?.map((failure) => failure.reason)], [[], [reason]]);
      assert.match(failures?.[0]?.arn ?? "", /:container-instance\//);
    }
    await assert.rejects(run("web", { cluster: "absent" }), ClusterNotFoundException);
    const left = await client.send(new ListTasksCommand({ startedBy: "fits" }));
    assert.deepEqual(left.taskArns, [held]);
    await client.send(new StopTaskCommand({ task: held }));
    const again = (await run("port")).tasks?.[0]?.taskArn;
    assert.ok(again !== undefined, "the port of a task that has ended is free");
    await client.send(new StopTaskCommand({ task: again }));
  });

  test("a service follows its desired count, and starts anew where it is told to", async () => {
    const { client } = cluster;
    const stable = () => waitUntilServicesStable({ client, ...quick }, { services: ["scales"] });
    const tasks = async () =>
      (await client.send(new ListTasksCommand({ serviceName: "scales" }))).taskArns ?? [];
    await client.send(
      new CreateServiceCommand({ serviceName: "scales", taskDefinition: "web", desiredCount: 3 }),
    );
    for (const desiredCount of [3, 0, 5]) {
      await client.send(new UpdateServiceCommand({ service: "scales", desiredCount }));
      await stable();
      assert.equal((await tasks()).length, desiredCount);
    }
    const before = await tasks();
    await client.send(new UpdateServiceCommand({ service: "scales", forceNewDeployment: true }));
    await stable();
    const now = await tasks();
    assert.equal(now.length, 5);
    assert.ok(!now.some((arn) => before.includes(arn)), "none of before");
    await assert.rejects(
      client.send(new DeleteServiceCommand({ service: "scales" })),
      InvalidParameterException,
    );
    await client.send(new UpdateServiceCommand({ service: "scales", desiredCount: 0 }));
    await client.send(new DeleteServiceCommand({ service: "scales" }));
    const gone = await waitUntilServicesInactive({ client, ...quick }, { services: ["scales"] });
    assert.equal(gone.state, "SUCCESS");
    assert.deepEqual(await tasks(), []);
  });

  test("a setting is a caller's own before it is the account's", async () => {
    const { client } = cluster;
    const name = "containerInsights" as const;
    const effective = async (principalArn?: string): Promise<string | undefined> => {
      const given = { name, effectiveSettings: true, principalArn };
      return (await client.send(new ListAccountSettingsCommand(given))).settings?.[0]?.value;
    };
    const other = "arn:aws:iam::000000000000:user/other";
    await client.send(new PutAccountSettingDefaultCommand({ name, value: "enabled" }));
    await client.send(new PutAccountSettingCommand({ name, value: "disabled" }));
    assert.deepEqual([await effective(), await effective(other)], ["disabled", "enabled"]);
    await client.send(new DeleteAccountSettingCommand({ name }));
    assert.equal(await effective(), "enabled");
  });
});
