// Rollouts on this machine, with real starts and ends: their bounds, what counts as a failure, and many tasks at once.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServiceDeploymentsCommand,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from "@aws-sdk/client-ecs";
import { type LocalCluster, makeLocalCluster, quick, startRegistry } from "../support/local-cluster.ts";
import { until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("rollouts on this machine", { skip, timeout: 400_000 }, () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await makeLocalCluster();
  });
  after(() => cluster?.close());

  test("a rolling update keeps within its bounds", async () => {
    for (const version of ["1", "2"])
      await cluster.define("rolls", {
        name: "main",
        command: ["sh", "-c", `echo ${version}; trap 'exit 0' TERM; while :; do sleep 0.1; done`],
      });
    await cluster.client.send(
      new CreateServiceCommand({
        serviceName: "rolls",
        taskDefinition: "rolls:1",
        desiredCount: 4,
        deploymentConfiguration: { minimumHealthyPercent: 60, maximumPercent: 140 },
      }),
    );
    await waitUntilServicesStable({ client: cluster.client, ...quick }, { services: ["rolls"] });
    await cluster.client.send(new UpdateServiceCommand({ service: "rolls", taskDefinition: "rolls:2" }));
    const samples: { running: number; all: number; deployments: number }[] = [];
    for (let done = false; !done; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const { deployments = [] } = await cluster.service("rolls");
      const sum = (field: "runningCount" | "pendingCount"): number =>
        deployments.reduce((total, deployment) => total + (deployment[field] ?? 0), 0);
      const running = sum("runningCount");
      samples.push({ deployments: deployments.length, running, all: running + sum("pendingCount") });
      done = deployments.length === 1 && deployments[0]?.rolloutState === "COMPLETED";
    }
    // Up from 2.4, down from 5.6.
    assert.ok(
      samples.every(({ running }) => running >= 3),
      JSON.stringify(samples),
    );
    assert.ok(
      samples.every(({ all }) => all <= 5),
      JSON.stringify(samples),
    );
    assert.ok(
      samples.filter(({ deployments }) => deployments === 2).length > 3,
      `it was looked at while it went on: ${JSON.stringify(samples)}`,
    );
    const tasks = await cluster.tasksOf("rolls");
    assert.deepEqual(
      tasks.map(({ taskDefinitionArn }) => taskDefinitionArn?.split("/").at(-1)),
      ["rolls:2", "rolls:2", "rolls:2", "rolls:2"],
    );
    await cluster.client.send(new DeleteServiceCommand({ service: "rolls", force: true }));
    await waitUntilServicesInactive({ client: cluster.client, ...quick }, { services: ["rolls"] });
  });

  test("images that a registry has not and programs that end count for the circuit breaker, which goes back", async () => {
    const registry = await startRegistry(cluster.fixture);
    try {
      await cluster.served.end("SIGTERM");
      await cluster.serve("--registry", registry.host, "--plain-http");
      const works = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];
      const image = `${registry.host}/box:1`;
      await cluster.define("breaks", { name: "main", image, command: works });
      await cluster.define("breaks", { name: "main", image: `${registry.host}/absent:1`, command: works });
      await cluster.define("breaks", { name: "main", image, command: ["sh", "-c", "exit 1"] });
      const count = { type: "COUNT" as const, value: 2 };
      for (const [taskDefinition, stopCode, reason, thresholdConfiguration, threshold] of [
        ["breaks:2", "TaskFailedToStart", /^CannotPullContainerError: .*absent/, undefined, 3],
        ["breaks:3", "EssentialContainerExited", /Essential container in task exited/, count, 2],
      ] as const) {
        const [, number] = taskDefinition.split(":");
        const service = `breaks-${number}`;
        const services = [service];
        await cluster.client.send(
          new CreateServiceCommand({
            serviceName: service,
            taskDefinition: "breaks:1",
            desiredCount: 1,
            deploymentConfiguration: {
              deploymentCircuitBreaker: { enable: true, rollback: true, thresholdConfiguration },
            },
          }),
        );
        await waitUntilServicesStable({ client: cluster.client, ...quick }, { services });
        await cluster.client.send(new UpdateServiceCommand({ service, taskDefinition }));
        await until(async () =>
          ((await cluster.service(service)).events ?? []).some(({ message = "" }) =>
            /rolling back to/.test(message),
          ),
        );
        await waitUntilServicesStable({ client: cluster.client, ...quick }, { services });
        const seen = await cluster.service(service);
        assert.match(seen.taskDefinition ?? "", /breaks:1$/);
        const [kept] = await cluster.tasksOf(service);
        assert.equal(kept?.lastStatus, "RUNNING");
        assert.match(kept.taskDefinitionArn ?? "", /breaks:1$/);
        const { serviceDeployments = [] } = await cluster.client.send(
          new ListServiceDeploymentsCommand({ service }),
        );
        assert.deepEqual(
          serviceDeployments.map(({ status }) => status),
          ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"],
        );
        const serviceDeploymentArns = [serviceDeployments[0]?.serviceDeploymentArn ?? ""];
        const described = await cluster.client.send(
          new DescribeServiceDeploymentsCommand({ serviceDeploymentArns }),
        );
        const breaker = described.serviceDeployments?.[0]?.deploymentCircuitBreaker;
        assert.deepEqual([breaker?.status, breaker?.threshold], ["TRIGGERED", threshold]);
        assert.equal(breaker?.failureCount, threshold);
        const { taskArns = [] } = await cluster.client.send(
          new ListTasksCommand({ serviceName: service, desiredStatus: "STOPPED" }),
        );
        const failed = (await Promise.all(taskArns.map(cluster.see))).filter(({ taskDefinitionArn }) =>
          taskDefinitionArn?.endsWith(taskDefinition),
        );
        assert.ok(failed.length >= threshold, `${failed.length} tasks of ${taskDefinition}`);
        for (const task of failed) {
          assert.equal(task.stopCode, stopCode, task.stoppedReason);
          assert.match(task.stoppedReason ?? "", reason);
        }
        await cluster.client.send(new DeleteServiceCommand({ service, force: true }));
        await waitUntilServicesInactive({ client: cluster.client, ...quick }, { services });
      }
    } finally {
      await registry.end();
    }
  });

  test("twenty tasks that are started at once all run", async () => {
    await cluster.define("crowd", {
      name: "main",
      command: ["sleep", "1000"],
      memory: 8,
      stopTimeout: 1,
      portMappings: [{ containerPort: 80 }],
    });
    const crowd = () => cluster.client.send(new RunTaskCommand({ taskDefinition: "crowd", count: 10 }));
    const made = (await Promise.all([crowd(), crowd()])).flatMap(({ tasks = [] }) => tasks);
    const tasks = made.map(({ taskArn = "" }) => taskArn);
    assert.equal(tasks.length, 20);
    const ports = new Set<number>();
    for (const task of tasks) {
      await until(async () => ["RUNNING", "STOPPED"].includes((await cluster.see(task)).lastStatus ?? ""));
      const { lastStatus, stoppedReason, containers } = await cluster.see(task);
      assert.equal(lastStatus, "RUNNING", stoppedReason);
      ports.add(containers?.[0]?.networkBindings?.[0]?.hostPort ?? 0);
    }
    assert.equal(ports.size, 20, "a port each");
    await Promise.all(tasks.map((task) => cluster.client.send(new StopTaskCommand({ task }))));
    for (const task of tasks) await cluster.become(task, "STOPPED");
  });
});
