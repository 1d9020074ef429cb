// Three machines with Docker in one swarm, which brings the agent to each: spread, a machine that dies, its return, a control plane that is killed in a rollout.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type ContainerDefinition,
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ExecuteCommandCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs";
import { RoleStore } from "../../src/cluster/roles/role-store.ts";
import { type Served, serveCluster } from "../support/cluster-serve.ts";
import { type DockerNode, makeNodes, type Nodes, whyNoNodes } from "../support/docker-nodes.ts";
import { makeSwarm, pushAgentImage, pushBox } from "../support/swarm.ts";
import { programWords, until } from "./runtime-fixture.ts";

/** Not the agent's container. */
const ours = JSON.stringify({ label: ["com.amazonaws.ecs.task-arn"] });
const skip = whyNoNodes() ?? false;

describe("a swarm", { skip, timeout: 400_000 }, () => {
  let machines: Nodes;
  let served: Served;
  let image: string;
  let agentImage: string;
  /** So that a control plane that is started again is found by the agents. */
  let listen = "10.99.0.1:0";

  const serve = async (): Promise<Served> => {
    const root = { path: join(machines.directory, "control") };
    const options = ["--driver", "swarm", "--node-grace", "3s", "--agent-image", agentImage];
    options.push("--engine-host", machines.nodes[0]?.engine.address ?? "", "--registry", machines.registry);
    const made = await serveCluster({ root, enter: machines.enter, listen }, ...options);
    listen = made.url.slice("http://".length);
    return made;
  };
  const define = async (
    family: string,
    containers: readonly ContainerDefinition[],
    more: object = {},
  ): Promise<void> => {
    const containerDefinitions = containers.map((each) => ({ image, memory: 32, ...each }));
    await served.client.send(new RegisterTaskDefinitionCommand({ family, containerDefinitions, ...more }));
  };
  const tasks = async (desiredStatus: "RUNNING" | "STOPPED" = "RUNNING"): Promise<Task[]> => {
    const { taskArns = [] } = await served.client.send(new ListTasksCommand({ desiredStatus }));
    if (taskArns.length === 0) return [];
    return (await served.client.send(new DescribeTasksCommand({ tasks: taskArns }))).tasks ?? [];
  };
  const running = (count: number): Promise<void> =>
    until(async () => {
      const all = await tasks();
      return all.length === count && all.every(({ lastStatus }) => lastStatus === "RUNNING");
    });
  const instances = async (): Promise<Map<string, { arn: string; zone: string; connected: boolean }>> => {
    const { containerInstanceArns = [] } = await served.client.send(new ListContainerInstancesCommand({}));
    if (containerInstanceArns.length === 0) return new Map();
    const { containerInstances = [] } = await served.client.send(
      new DescribeContainerInstancesCommand({ containerInstances: containerInstanceArns }),
    );
    return new Map(
      containerInstances.map(({ containerInstanceArn: arn = "", attributes, agentConnected }) => {
        const zone = attributes?.find(({ name }) => name === "hostname")?.value ?? "";
        return [arn, { arn, zone, connected: agentConnected ?? false }];
      }),
    );
  };
  /** The node that each running task is on. */
  const places = async (): Promise<string[]> => {
    const known = await instances();
    return (await tasks())
      .map(({ containerInstanceArn = "" }) => known.get(containerInstanceArn)?.zone ?? "")
      .sort();
  };
  const containersOn = async (node: DockerNode): Promise<number> =>
    ((await node.engine.get<object[]>("/containers/json", { query: { filters: ours } })) ?? []).length;
  const ask = (address: string, port: number): string =>
    execFileSync(
      machines.enter[0] ?? "",
      [
        ...machines.enter.slice(1),
        "busybox",
        "timeout",
        "5",
        "busybox",
        "wget",
        "-q",
        "-O",
        "-",
        `http://${address}:${port}/`,
      ],
      { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    );

  before(async () => {
    machines = await makeNodes(3);
    image = `${machines.registry}/box:1`;
    await pushBox(machines, image);
    agentImage = await pushAgentImage(machines);
    await makeSwarm(machines);
    served = await serve();
    await served.client.send(new CreateClusterCommand({}));
    await until(
      async () => [...(await instances()).values()].filter(({ connected }) => connected).length === 3,
    );
  });
  after(async () => {
    await served?.end("SIGTERM");
    await machines?.close();
  });

  const httpd: ContainerDefinition = {
    name: "main",
    command: ["sh", "-c", "hostname > /www/index.html; exec httpd -f -h /www"],
    linuxParameters: { initProcessEnabled: true },
    stopTimeout: 2,
    portMappings: [{ containerPort: 80, hostPort: 0 }],
  };

  test("a task with several containers that share a network runs, and its end is told", async () => {
    await define(
      "pair",
      [
        {
          name: "web",
          command: httpd.command,
          linuxParameters: { initProcessEnabled: true },
          ulimits: [{ name: "nofile", softLimit: 100, hardLimit: 200 }],
          stopTimeout: 2,
        },
        {
          name: "main",
          dependsOn: [{ containerName: "web", condition: "START" }],
          command: ["sh", "-c", "until wget -q -O - http://127.0.0.1/; do sleep 0.1; done; exit 5"],
        },
      ],
      { networkMode: "awsvpc" },
    );
    const { tasks: made, failures } = await served.client.send(
      new RunTaskCommand({
        taskDefinition: "pair",
        networkConfiguration: { awsvpcConfiguration: { subnets: ["any"] } },
      }),
    );
    assert.deepEqual(failures, []);
    const arn = made?.[0]?.taskArn ?? "";
    const see = async (): Promise<Task | undefined> =>
      (await served.client.send(new DescribeTasksCommand({ tasks: [arn] }))).tasks?.[0];
    await until(async () => (await see())?.lastStatus === "STOPPED");
    const seen = await see();
    assert.equal(seen?.stopCode, "EssentialContainerExited", seen?.stoppedReason);
    assert.equal(seen?.containers?.find(({ name }) => name === "main")?.exitCode, 5);
    assert.match(seen?.containers?.[0]?.imageDigest ?? "", /^sha256:/);
    await until(async () => {
      const left = await Promise.all(machines.nodes.map(containersOn));
      return left.every((count) => count === 0);
    });
  });

  test("a service is found by its name from another machine", async () => {
    const networkConfiguration = { awsvpcConfiguration: { subnets: ["any"] } };
    const { portMappings: _, ...web } = httpd;
    await define("pages", [web], { networkMode: "awsvpc" });
    const asks = "until wget -q -O - http://pages.default/; do sleep 0.2; done";
    await define("reader", [{ name: "main", command: ["sh", "-c", asks] }], { networkMode: "awsvpc" });
    const placed = (node: string): object => ({
      placementConstraints: [{ type: "memberOf", expression: `attribute:hostname == ${node}` }],
      networkConfiguration,
    });
    await served.client.send(
      new CreateServiceCommand({
        serviceName: "pages",
        taskDefinition: "pages",
        desiredCount: 1,
        ...placed("n2"),
      }),
    );
    const { tasks: made } = await served.client.send(
      new RunTaskCommand({ taskDefinition: "reader", ...placed("n3") }),
    );
    const arn = made?.[0]?.taskArn ?? "";
    await until(async () => {
      const seen = (await tasks("STOPPED")).find(({ taskArn }) => taskArn === arn);
      if (seen?.lastStatus !== "STOPPED") return false;
      assert.equal(seen.containers?.[0]?.exitCode, 0, seen.stoppedReason);
      return true;
    });
    await served.client.send(new DeleteServiceCommand({ service: "pages", force: true }));
    await running(0);
  });

  test("a task on any machine can ask about itself, and for the credentials of its role", async () => {
    new RoleStore(join(machines.directory, "control")).put("watcher", "read-only");
    const taskRoleArn = "arn:aws:iam::000000000000:role/watcher";
    const sleeps = { name: "main", command: ["sleep", "1000"], stopTimeout: 1 };
    await define("other", [sleeps]);
    const networkConfiguration = { awsvpcConfiguration: { subnets: ["any"] } };
    const start = async (taskDefinition: string, more: object): Promise<string> => {
      const placementConstraints = [{ type: "memberOf" as const, expression: "attribute:hostname == n2" }];
      const enableExecuteCommand = true;
      const { tasks: made, failures } = await served.client.send(
        new RunTaskCommand({ taskDefinition, placementConstraints, enableExecuteCommand, ...more }),
      );
      assert.deepEqual(failures, []);
      return made?.[0]?.taskArn ?? "";
    };
    const inTask = async (task: string, script: string): Promise<string> => {
      const command = `sh -c '${script}'`;
      const { session } = await served.client.send(
        new ExecuteCommandCommand({ task, command, interactive: false }),
      );
      return (await execStream(machines, session?.streamUrl ?? "", session?.tokenValue ?? "")).stdout;
    };
    const asks = (task: string, url: string): Promise<string> => inTask(task, `wget -q -O - ${url} 2>&1`);
    for (const networkMode of ["bridge", "awsvpc"] as const) {
      await define("asks", [sleeps], { networkMode, taskRoleArn });
      const arn = await start("asks", networkMode === "awsvpc" ? { networkConfiguration } : {});
      const other = await start("other", {});
      await running(2);
      const seen = (await tasks()).find(({ taskArn }) => taskArn === arn);
      const [container] = seen?.containers ?? [];
      const about = async (what: string): Promise<Record<string, unknown>> =>
        JSON.parse(await asks(arn, `$ECS_CONTAINER_METADATA_URI_V4${what}`)) as Record<string, unknown>;
      const { ContainerARN, DockerId, Name, Limits } = await about("");
      assert.deepEqual(
        [ContainerARN, DockerId, Name, Limits],
        [container?.containerArn, container?.runtimeId, "main", { CPU: 0, Memory: 32 }],
      );
      const { TaskARN, Family, Cluster, KnownStatus } = await about("/task");
      assert.deepEqual([TaskARN, Family, Cluster, KnownStatus], [arn, "asks", "default", "RUNNING"]);
      assert.ok(((await about("/stats")).memory_stats as { usage: number }).usage > 0);
      assert.deepEqual(Object.keys(await about("/task/stats")), [container?.runtimeId]);
      const path = (await inTask(arn, "echo $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")).trim();
      const given = await asks(arn, `http://169.254.170.2${path}`);
      assert.match(given, /^{/, `${path}: ${given}`);
      assert.equal((JSON.parse(given) as { RoleArn: string }).RoleArn, taskRoleArn);
      assert.match(await asks(other, `http://169.254.170.2${path}`), /404/);
      for (const task of [arn, other]) await served.client.send(new StopTaskCommand({ task }));
      await running(0);
    }
  });

  test("what tasks on other machines wrote is read where the control plane is", async () => {
    const options = {
      "awslogs-group": "/pages",
      "awslogs-region": "eu-test-1",
      "awslogs-stream-prefix": "p",
    };
    const logConfiguration = { logDriver: "awslogs" as const, options };
    const command = ["sh", "-c", "echo out; echo err >&2; sleep 2; echo late"];
    await define("writes", [{ name: "main", logConfiguration, command }]);
    const ids: string[] = [];
    for (const node of ["n2", "n3"]) {
      const expression = `attribute:hostname == ${node}`;
      const placementConstraints = [{ type: "memberOf" as const, expression }];
      const { tasks: made } = await served.client.send(
        new RunTaskCommand({ taskDefinition: "writes", placementConstraints }),
      );
      ids.push(made?.[0]?.taskArn?.split("/").at(-1) ?? "");
    }
    const logs = (...words: string[]): string => {
      const [enter = "", ...more] = [...machines.enter, ...programWords(false), "cluster", "logs", ...words];
      const env = { ...process.env, TRANSHIP_ROOT: join(machines.directory, "control") };
      return execFileSync(enter, more, { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
    };
    await until(() => logs("--group", "/pages").split("out\n").length === 3);
    assert.equal(logs("-f", ids[0] ?? "", "--container", "main"), "out\nlate\n");
    await running(0);
    const lines = logs("--group", "/pages").split("\n").filter(Boolean).sort();
    const wanted = ids.flatMap((id) => ["out", "late"].map((word) => `${id.slice(0, 12)}/main | ${word}`));
    assert.deepEqual(lines, wanted.sort());
    assert.equal(logs("--group", "/pages", "--stream", `p/main/${ids[1]}`).split("\n").length, 3);
  });

  test("a task on any machine has the MAC address and the system calls that its labels name", async () => {
    const mac = "02:00:5e:10:d0:c4";
    const asks =
      "busybox grep -q $MAC /sys/class/net/*/address || exit 3; busybox mknod /tmp/p p 2>&1 || exit 4";
    const main = { name: "main", command: ["sh", "-c", asks], environment: [{ name: "MAC", value: mac }] };
    const labels = { "com.tranship.mac-address": mac };
    const narrow = { ...labels, "com.tranship.syscalls": "nanosleep sync" };
    const ended = async (family: string, networkMode: string, dockerLabels: Record<string, string>) => {
      await define(family, [{ ...main, dockerLabels }], { networkMode });
      const vpc = { networkConfiguration: { awsvpcConfiguration: { subnets: ["any"] } } };
      const { tasks: made } = await served.client.send(
        new RunTaskCommand({ taskDefinition: family, ...(networkMode === "awsvpc" ? vpc : {}) }),
      );
      const arn = made?.[0]?.taskArn ?? "";
      const see = async (): Promise<Task | undefined> =>
        (await served.client.send(new DescribeTasksCommand({ tasks: [arn] }))).tasks?.[0];
      await until(async () => (await see())?.lastStatus === "STOPPED");
      return await see();
    };
    for (const networkMode of ["bridge", "awsvpc"])
      for (const [given, status, why] of [
        [{}, 3, "another address"],
        [labels, 0, "its own"],
        [narrow, 4, "mknod is not among its calls"],
      ] as const) {
        const seen = await ended(`labelled-${networkMode}`, networkMode, given);
        assert.equal(seen?.containers?.[0]?.exitCode, status, `${why}: ${seen?.stoppedReason}`);
      }
    const seen = await ended("told", "awsvpc", labels);
    const details = seen?.attachments?.[0]?.details ?? [];
    assert.equal(details.find(({ name }) => name === "macAddress")?.value, mac);
    // The network stays where tasks were on it: an engine that takes it away loses addresses of it.
    await running(0);
    const filters = JSON.stringify({ label: ["com.tranship.network-keeper=tranship-tasks"] });
    const keepers = await Promise.all(
      machines.nodes.map(({ engine }) => engine.get<object[]>("/containers/json", { query: { filters } })),
    );
    assert.ok(keepers.flat().length > 0);
    assert.ok(keepers.every((each) => (each?.length ?? 0) <= 1));
  });

  test("an engine checks the health of its containers itself", async () => {
    const command = ["sh", "-c", "sleep 3; touch /tmp/well; exec sleep 1000"];
    const healthCheck = { command: ["CMD-SHELL", "test -e /tmp/well"], interval: 1, startPeriod: 300 };
    await define("checked", [{ name: "main", command, healthCheck, stopTimeout: 1 }]);
    const { tasks: made } = await served.client.send(
      new RunTaskCommand({
        taskDefinition: "checked",
        placementConstraints: [{ type: "memberOf", expression: "attribute:hostname == n2" }],
      }),
    );
    const arn = made?.[0]?.taskArn ?? "";
    await until(
      async () => (await tasks()).find(({ taskArn }) => taskArn === arn)?.healthStatus === "HEALTHY",
    );
    const seen = (await tasks()).find(({ taskArn }) => taskArn === arn);
    const found = await machines.nodes[1]?.engine.get<{
      State: { Health: { Status: string; Log: { ExitCode: number }[] } };
    }>(`/containers/${seen?.containers?.[0]?.runtimeId}/json`);
    assert.equal(found?.State.Health.Status, "healthy");
    assert.equal(found.State.Health.Log.at(-1)?.ExitCode, 0);
    await served.client.send(new StopTaskCommand({ task: arn }));
    await running(0);
  });

  test("a service is spread over the machines, and each answers", async () => {
    await define("web", [httpd]);
    await served.client.send(
      new CreateServiceCommand({
        serviceName: "web",
        taskDefinition: "web",
        desiredCount: 3,
        enableExecuteCommand: true,
        placementStrategy: [{ type: "spread", field: "instanceId" }],
        deploymentConfiguration: { minimumHealthyPercent: 60, maximumPercent: 200 },
      }),
    );
    await running(3);
    assert.deepEqual(await places(), ["n1", "n2", "n3"]);
    await everyTaskAnswers();
  });

  const everyTaskAnswers = async (): Promise<void> => {
    const known = await instances();
    for (const { containers, containerInstanceArn = "" } of await tasks()) {
      const node = machines.nodes.find(({ name }) => name === known.get(containerInstanceArn)?.zone);
      const port = containers?.[0]?.networkBindings?.[0]?.hostPort ?? 0;
      const id = containers?.[0]?.runtimeId ?? "";
      // RUNNING says that the program has been started, not that it listens already.
      await until(() => {
        try {
          return ask(node?.address ?? "", port).trim() === id.slice(0, 12);
        } catch {
          return false;
        }
      });
    }
  };

  test("a command is executed in a task on another machine", async () => {
    const [task] = await tasks();
    const { session } = await served.client.send(
      new ExecuteCommandCommand({
        task: task?.taskArn ?? "",
        command: "cat /www/index.html",
        interactive: false,
      }),
    );
    assert.ok(session?.streamUrl !== undefined);
    const { stdout } = await execStream(machines, session.streamUrl, session.tokenValue ?? "");
    assert.equal(stdout.trim(), task?.containers?.[0]?.runtimeId?.slice(0, 12));
  });

  test("a machine that dies has its tasks started on the others; its return doubles nothing", async () => {
    const dead = machines.nodes[2] as DockerNode;
    await dead.kill();
    await until(async () =>
      [...(await instances()).values()].some(({ zone, connected }) => zone === "n3" && !connected),
    );
    await until(async () => {
      const where = await places();
      return where.length === 3 && !where.includes("n3");
    });
    await running(3);
    await everyTaskAnswers();
    const lost = (await tasks("STOPPED")).filter(({ stopCode }) => stopCode === "InfrastructureHealth");
    assert.equal(lost.length, 1);
    await dead.start();
    await until(async () => [...(await instances()).values()].every(({ connected }) => connected));
    await running(3);
    const all = await Promise.all(machines.nodes.map(containersOn));
    assert.equal(
      all.reduce((sum, each) => sum + each),
      3,
    );
  });

  test("a control plane that is killed in a rollout is started again and ends it", async () => {
    await define("web", [{ ...httpd, environment: [{ name: "VERSION", value: "2" }] }]);
    await served.client.send(new UpdateServiceCommand({ service: "web", taskDefinition: "web" }));
    await until(async () =>
      (await tasks()).some(({ taskDefinitionArn }) => taskDefinitionArn?.endsWith("web:2")),
    );
    await served.end("SIGKILL");
    served = await serve();
    await until(async () => {
      const { services } = await served.client.send(new DescribeServicesCommand({ services: ["web"] }));
      return (
        services?.[0]?.deployments?.length === 1 && services[0].deployments[0]?.rolloutState === "COMPLETED"
      );
    });
    await running(3);
    const now = await tasks();
    assert.ok(now.every(({ taskDefinitionArn }) => taskDefinitionArn?.endsWith("web:2")));
    await until(async () => {
      const all = await Promise.all(machines.nodes.map(containersOn));
      return all.reduce((sum, each) => sum + each) === 3;
    });
    await everyTaskAnswers();
    await served.client.send(new UpdateServiceCommand({ service: "web", desiredCount: 0 }));
    for (const { taskArn = "" } of now) await served.client.send(new StopTaskCommand({ task: taskArn }));
    await until(async () =>
      (await Promise.all(machines.nodes.map(containersOn))).every((count) => count === 0),
    );
  });
});

/** From within the switch: the stream's address is good there only. */
async function execStream(
  machines: Nodes,
  url: string,
  token: string,
): Promise<{ stdout: string; status: number }> {
  const script = `const socket = new WebSocket(process.argv[1]); socket.binaryType = "arraybuffer"; let out = "";
    socket.onopen = () => { socket.send(JSON.stringify({ token: process.argv[2] })); socket.send('{"eof":true}'); };
    socket.onmessage = ({ data }) => { if (typeof data === "string") console.log(JSON.stringify({ stdout: out, status: JSON.parse(data).exit })); else out += Buffer.from(data).subarray(1); };`;
  const [program = "", ...words] = [...machines.enter, process.execPath, "-e", script, url, token];
  return JSON.parse(execFileSync(program, words, { encoding: "utf8" })) as { stdout: string; status: number };
}
