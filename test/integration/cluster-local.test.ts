// Tasks and services on this machine: the vendor's SDK, the control plane as a process, our runtime below it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type ContainerDefinition,
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from "@aws-sdk/client-ecs";
import { type Served, serveCluster } from "../support/cluster-serve.ts";
import { type Fixture, makeFixture, makePackage, programWords, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;
const quick = { minDelay: 1, maxDelay: 1, maxWaitTime: 120 };

describe("the local driver", { skip, timeout: 400_000 }, () => {
  let fixture: Fixture;
  let served: Served;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    const buckets = join(fixture.root.path, "buckets");
    mkdirSync(join(buckets, "settings"), { recursive: true });
    writeFileSync(join(buckets, "settings/web.env"), "# of the site\nMODE=fast\nLEVEL=file\n");
    served = await serveCluster(fixture, "--environment-files", buckets);
    await served.client.send(new CreateClusterCommand({}));
  });
  after(async () => {
    await served?.end("SIGTERM");
    for (const line of (await fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean))
      await fixture.cli(["rm", "-f", line]);
    await fixture.remove();
  });

  const define = async (family: string, ...containers: ContainerDefinition[]): Promise<void> => {
    const containerDefinitions = containers.map((each) => ({ image: "box:1", memory: 32, ...each }));
    await served.client.send(new RegisterTaskDefinitionCommand({ family, containerDefinitions }));
  };
  const see = async (task: string): Promise<Task> => {
    const { tasks } = await served.client.send(new DescribeTasksCommand({ tasks: [task] }));
    assert.ok(tasks?.[0] !== undefined, `no task ${task}`);
    return tasks[0];
  };
  const runOne = async (family: string, more: object = {}): Promise<string> => {
    const { tasks, failures } = await served.client.send(
      new RunTaskCommand({ taskDefinition: family, ...more }),
    );
    assert.deepEqual(failures, []);
    return tasks?.[0]?.taskArn ?? "";
  };
  const become = async (task: string, status: string): Promise<Task> => {
    await until(async () => (await see(task)).lastStatus === status);
    return see(task);
  };
  const logsOf = async (task: string, container: string): Promise<string> =>
    (await fixture.cli(["logs", `ecs-${task.split("/").at(-1)?.slice(0, 12)}-${container}`])).stdout;

  test("a task runs to its end and tells its status", async () => {
    await define("three", { name: "main", command: ["sh", "-c", "echo $GREETING; exit 3"] });
    const overrides = {
      containerOverrides: [{ name: "main", environment: [{ name: "GREETING", value: "hello" }] }],
    };
    const task = await runOne("three", { overrides, startedBy: "me" });
    const seen = await become(task, "STOPPED");
    assert.equal(seen.stopCode, "EssentialContainerExited");
    assert.equal(seen.containers?.[0]?.exitCode, 3);
    assert.equal(seen.startedBy, "me");
    assert.match(seen.containers?.[0]?.imageDigest ?? "", /^sha256:/);
  });

  test("the end of an essential container ends the others, that of another one does not", async () => {
    const stays = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"];
    await define(
      "stubborn",
      { name: "main", command: stays, stopTimeout: 2 },
      { name: "beside", essential: false, command: ["sh", "-c", "exit 7"] },
    );
    const task = await runOne("stubborn");
    const statusOf = async (name: string): Promise<string> => {
      const container = (await see(task)).containers?.find((each) => each.name === name);
      return `${container?.lastStatus} ${container?.exitCode}`;
    };
    await until(async () => (await statusOf("beside")) === "STOPPED 7");
    await until(async () => (await logsOf(task, "main")) === "up\n");
    assert.equal((await see(task)).lastStatus, "RUNNING");
    // It takes no notice of SIGTERM: SIGKILL comes when its time is over. The second call changes nothing.
    const asked = Date.now();
    for (const reason of ["enough", "again"]) await served.client.send(new StopTaskCommand({ task, reason }));
    const ended = await become(task, "STOPPED");
    assert.ok(Date.now() - asked >= 2000, `${Date.now() - asked} ms`);
    assert.equal(await statusOf("main"), "STOPPED 137");
    assert.deepEqual([ended.stopCode, ended.stoppedReason], ["UserInitiated", "enough"]);

    await define(
      "together",
      { name: "main", command: ["sh", "-c", "sleep 1; exit 3"] },
      { name: "other", command: ["sleep", "1000"], stopTimeout: 1 },
    );
    const seen = await become(await runOne("together"), "STOPPED");
    assert.equal(seen.stopCode, "EssentialContainerExited");
    assert.deepEqual(
      seen.containers?.map(({ name, lastStatus, exitCode }) => [name, lastStatus, exitCode]),
      [
        ["main", "STOPPED", 3],
        ["other", "STOPPED", 143],
      ],
    );
  });

  test("containers start when what they depend on allows it", async () => {
    await define(
      "ordered",
      {
        name: "main",
        command: ["sh", "-c", "echo main; exec sleep 1000"],
        dependsOn: [{ containerName: "prepare", condition: "SUCCESS" }],
      },
      { name: "prepare", essential: false, command: ["sh", "-c", "sleep 1; echo prepared"] },
    );
    const task = await runOne("ordered");
    const seen = await become(task, "RUNNING");
    assert.equal(seen.containers?.find(({ name }) => name === "prepare")?.exitCode, 0);
    assert.equal(await logsOf(task, "main"), "main\n");
    assert.equal(await logsOf(task, "prepare"), "prepared\n");
    await served.client.send(new StopTaskCommand({ task, reason: "done" }));
    const ended = await become(task, "STOPPED");
    assert.equal(ended.stopCode, "UserInitiated");
    assert.equal(ended.stoppedReason, "done");
  });

  test("a dependency that fails and an image that is not there fail the task", async () => {
    await define(
      "doomed",
      { name: "main", command: ["true"], dependsOn: [{ containerName: "prepare", condition: "SUCCESS" }] },
      { name: "prepare", essential: false, command: ["false"] },
    );
    const doomed = await become(await runOne("doomed"), "STOPPED");
    assert.equal(doomed.stopCode, "TaskFailedToStart");
    await define("absent", { name: "main", image: "absent:1" });
    const absent = await become(await runOne("absent"), "STOPPED");
    assert.equal(absent.stopCode, "TaskFailedToStart");
    assert.match(absent.stoppedReason ?? "", /CannotPullContainerError/);
  });

  test("containers of a task share its network", async () => {
    await served.client.send(
      new RegisterTaskDefinitionCommand({
        family: "pair",
        networkMode: "awsvpc",
        containerDefinitions: [
          { name: "web", image: "box:1", memory: 32, command: ["httpd", "-f", "-h", "/srv"], stopTimeout: 1 },
          {
            name: "main",
            image: "box:1",
            memory: 32,
            dependsOn: [{ containerName: "web", condition: "START" }],
            ulimits: [{ name: "nofile", softLimit: 100, hardLimit: 200 }],
            command: [
              "sh",
              "-c",
              "ulimit -n; until wget -q -O - http://127.0.0.1/data/seed.txt; do sleep 0.1; done",
            ],
          },
        ],
      }),
    );
    const task = await runOne("pair", {
      networkConfiguration: { awsvpcConfiguration: { subnets: ["any"] } },
    });
    const seen = await become(task, "STOPPED");
    assert.equal(seen.containers?.find(({ name }) => name === "main")?.exitCode, 0, seen.stoppedReason);
    assert.equal(await logsOf(task, "main"), "100\nfrom the image\n");
    assert.equal(seen.attachments?.length, 1);
    const addresses = seen.containers?.map(
      ({ networkInterfaces }) => networkInterfaces?.[0]?.privateIpv4Address,
    );
    assert.match(addresses?.[0] ?? "", /^\d+\.\d+\.\d+\.\d+$/);
    assert.equal(addresses?.[0], addresses?.[1]);
  });

  test("a service is found by its name", async () => {
    const vpc = { networkMode: "awsvpc" as const };
    const networkConfiguration = { awsvpcConfiguration: { subnets: ["any"] } };
    const box = { image: "box:1", memory: 32, stopTimeout: 1 };
    const ports = { portMappings: [{ containerPort: 80 }] };
    const serve = { ...box, ...ports, name: "web", command: ["httpd", "-f", "-h", "/srv"] };
    const asks =
      "until wget -q -O - http://pages.default/data/seed.txt; do sleep 0.2; done; wget -q -O - http://pages/data/seed.txt";
    const read = { ...box, name: "main", command: ["sh", "-c", asks] };
    for (const [family, container] of Object.entries({ pages: serve, reader: read }))
      await served.client.send(
        new RegisterTaskDefinitionCommand({ family, ...vpc, containerDefinitions: [container] }),
      );
    const service = { serviceName: "pages", taskDefinition: "pages", desiredCount: 1, networkConfiguration };
    await served.client.send(new CreateServiceCommand(service));
    const task = await runOne("reader", { networkConfiguration });
    await become(task, "STOPPED");
    assert.equal(await logsOf(task, "main"), "from the image\nfrom the image\n");

    // One that is let go answers on, and is not found any more: by another task that looks on.
    await served.client.send(
      new RegisterTaskDefinitionCommand({
        family: "looker",
        ...vpc,
        containerDefinitions: [{ ...box, name: "main", command: ["sleep", "1000"] }],
      }),
    );
    const looker = await runOne("looker", { networkConfiguration });
    await become(looker, "RUNNING");
    const holder = `ecs-${looker.split("/").at(-1)?.slice(0, 12)}.network`;
    const id = (await fixture.cli(["inspect", "-f", "{{.Id}}", holder])).stdout.trim();
    const found = (): string[] =>
      readFileSync(join(fixture.root.instances, id, "files/hosts"), "utf8")
        .split("\n")
        .flatMap((line) => (/\spages\b/.test(line) ? [line.split(/\s/)[0] ?? ""] : []));
    const tasks = async (): Promise<Task[]> => {
      const { taskArns } = await served.client.send(new ListTasksCommand({ serviceName: "pages" }));
      return (await served.client.send(new DescribeTasksCommand({ tasks: taskArns }))).tasks ?? [];
    };
    const [old] = await tasks();
    const address = old?.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address ?? "";
    assert.deepEqual(found(), [address]);
    await served.client.send(new UpdateServiceCommand({ service: "pages", forceNewDeployment: true }));
    await become(old?.taskArn ?? "", "DEACTIVATING");
    await until(() => !found().includes(address));
    assert.equal((await see(old?.taskArn ?? "")).lastStatus, "DEACTIVATING", "it still runs");
    await until(() => found().length === 1);
    await served.client.send(new StopTaskCommand({ task: looker }));
    await served.client.send(new DeleteServiceCommand({ service: "pages", force: true }));
    await waitUntilServicesInactive({ client: served.client, ...quick }, { services: ["pages"] });
  });

  test("what a definition says of a container holds inside of it", async () => {
    const inside = [
      "id -u; pwd; hostname; ulimit -n; grep -c '192.0.2.9[[:space:]]*db.old' /etc/hosts",
      "touch /srv/x; dd if=/dev/zero of=/run/small/f bs=1M count=3; wc -c </run/small/f",
      "tty; grep CapBnd /proc/self/status; echo $WHERE",
    ];
    await define("bounded", {
      name: "main",
      command: ["sh", "-c", `(${inside.join("; ")}) 2>&1`],
      user: "web",
      workingDirectory: "/srv/data",
      hostname: "old-shop",
      readonlyRootFilesystem: true,
      pseudoTerminal: true,
      environment: [{ name: "WHERE", value: "here" }],
      extraHosts: [{ hostname: "db.old", ipAddress: "192.0.2.9" }],
      ulimits: [{ name: "nofile", softLimit: 77, hardLimit: 99 }],
      linuxParameters: {
        tmpfs: [{ containerPath: "/run/small", size: 1 }],
        capabilities: { drop: ["NET_RAW"] },
      },
    });
    const task = await runOne("bounded");
    await become(task, "STOPPED");
    const lines = (await logsOf(task, "main")).replaceAll("\r", "").split("\n");
    assert.deepEqual(lines.slice(0, 5), ["33", "/srv/data", "old-shop", "77", "1"]);
    const text = lines.join("\n");
    assert.match(text, /touch: \/srv\/x: Read-only file system/);
    assert.match(text, /No space left on device/);
    assert.match(text, /\n1048576\n\/dev\/\S+\n/, "as large as it may be, and on a terminal");
    const [, capabilities = "0"] = /CapBnd:\s*([0-9a-f]+)/.exec(text) ?? [];
    assert.equal((BigInt(`0x${capabilities}`) >> 13n) & 1n, 0n, "CAP_NET_RAW");
    assert.match(text, /\nhere\n$/);
  });

  test("a limit of the task's memory counts, whatever its unit", async () => {
    const command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
    const containerDefinitions = [{ name: "main", image: "box:1", command }];
    const register = new RegisterTaskDefinitionCommand({
      family: "greedy",
      memory: "0.03125 GB",
      containerDefinitions,
    });
    const made = await served.client.send(register);
    assert.equal(made.taskDefinition?.memory, "32");
    const seen = await become(await runOne("greedy"), "STOPPED");
    assert.equal(seen.containers?.[0]?.exitCode, 137);
    assert.match(seen.containers?.[0]?.reason ?? "", /OutOfMemory/);
    const free = await become(await runOne("greedy", { overrides: { memory: "0.25 GB" } }), "STOPPED");
    assert.equal(free.containers?.[0]?.exitCode, 0);
    const wrong = runOne("greedy", { overrides: { memory: "much" } });
    await assert.rejects(wrong, /Invalid 'memory' setting for task: much/);
  });

  test("a task for another processor is placed nowhere", async () => {
    const other = process.arch === "x64" ? "ARM64" : "X86_64";
    const main = { name: "main", image: "box:1", memory: 32, command: ["true"] };
    const register = (cpuArchitecture: "ARM64" | "X86_64") =>
      new RegisterTaskDefinitionCommand({
        family: "foreign",
        runtimePlatform: { cpuArchitecture, operatingSystemFamily: "LINUX" },
        containerDefinitions: [main],
      });
    await served.client.send(register(other));
    const { tasks, failures } = await served.client.send(new RunTaskCommand({ taskDefinition: "foreign" }));
    assert.deepEqual([tasks?.length, failures?.[0]?.reason], [0, "ATTRIBUTE"]);
    await served.client.send(register(other === "ARM64" ? "X86_64" : "ARM64"));
    await become(await runOne("foreign"), "STOPPED");
  });

  test("a linked container is known by its name and alias, and by nobody else's", async () => {
    const serve = { command: ["httpd", "-f", "-h", "/srv"], stopTimeout: 1 };
    const asks =
      "for name in db web-1; do until wget -q -O - http://$name/data/seed.txt; do sleep 0.1; done; done; grep -c '[[:space:]]other' /etc/hosts";
    await define(
      "linked",
      { name: "main", command: ["sh", "-c", asks], links: ["web-1:db"] },
      { name: "web-1", ...serve },
      { name: "other", ...serve },
    );
    const task = await runOne("linked");
    await become(task, "STOPPED");
    const said = await logsOf(task, "main");
    assert.match(said, /^from the image\nfrom the image\n/);
    assert.match(said, /(^|\n)0\n$/);
    const refused = async (networkMode: "awsvpc" | "host", links: string[]): Promise<string> => {
      const main = { name: "main", image: "box:1", memory: 32, links };
      const containerDefinitions = [main, { name: "web", image: "box:1", memory: 32 }];
      const command = new RegisterTaskDefinitionCommand({
        family: "unlinked",
        networkMode,
        containerDefinitions,
      });
      return served.client.send(command).then(
        () => "taken",
        (error: Error) => error.message,
      );
    };
    assert.match(await refused("awsvpc", ["web"]), /Links are not supported when networkMode=awsvpc/);
    assert.match(await refused("host", ["web:db"]), /Links are not supported/);
  });

  test("a container can ask about itself and its task", async () => {
    const asks =
      "for what in '' /task /stats; do wget -q -O - $ECS_CONTAINER_METADATA_URI_V4$what; echo; done; wget -q -O - ${ECS_CONTAINER_METADATA_URI_V4%-0}-7 || echo none; exec sleep 1000";
    for (const networkMode of ["bridge", "awsvpc"] as const) {
      const main = { name: "main", image: "box:1", memory: 32, stopTimeout: 1, command: ["sh", "-c", asks] };
      await served.client.send(
        new RegisterTaskDefinitionCommand({ family: "asks", networkMode, containerDefinitions: [main] }),
      );
      const vpc = { networkConfiguration: { awsvpcConfiguration: { subnets: ["any"] } } };
      const arn = await runOne("asks", networkMode === "awsvpc" ? vpc : {});
      await until(async () => (await logsOf(arn, "main")).includes("none"));
      const [own = "", task = "", stats = ""] = (await logsOf(arn, "main")).split("\n");
      const seen = await see(arn);
      const [container] = seen.containers ?? [];
      const { ContainerARN, DockerId, Name, Limits } = JSON.parse(own) as Record<string, unknown>;
      assert.deepEqual(
        [ContainerARN, DockerId, Name, Limits],
        [container?.containerArn, container?.runtimeId, "main", { CPU: 0, Memory: 32 }],
      );
      const { TaskARN, Family, Revision, Containers } = JSON.parse(task) as Record<string, unknown>;
      assert.equal(TaskARN, seen.taskArn);
      assert.equal(`${Family}:${Revision}`, seen.taskDefinitionArn?.split("/").at(-1));
      assert.equal((Containers as { ContainerARN: string }[])[0]?.ContainerARN, container?.containerArn);
      assert.ok((JSON.parse(stats) as { memory_stats: { usage: number } }).memory_stats.usage > 0);
      await served.client.send(new StopTaskCommand({ task: arn }));
      await become(arn, "STOPPED");
    }
  });

  test("secrets and environment files reach the program, and are shown nowhere", async () => {
    await fixture.cli(["secret", "create", "shop/password", "-"], { input: "swordfish" });
    await fixture.cli(["secret", "create", "shop/json"], { input: '{"user":"web","n":7}' });
    const arn = "arn:aws:secretsmanager:eu-test-1:000000000000:secret:shop/json-a1B2c3:user::";
    await define("told", {
      name: "main",
      user: "33:44",
      command: ["sh", "-c", "echo $PASSWORD $WHO $MODE $LEVEL; cat /etc/key; echo; exec sleep 1000"],
      secrets: [
        { name: "PASSWORD", valueFrom: "arn:aws:ssm:eu-test-1:000000000000:parameter/shop/password" },
        { name: "WHO", valueFrom: arn },
        { name: "/etc/key", valueFrom: "shop/password" },
      ],
      environmentFiles: [{ type: "s3", value: "arn:aws:s3:::settings/web.env" }],
      environment: [{ name: "LEVEL", value: "own" }],
      stopTimeout: 1,
    });
    const task = await runOne("told");
    await become(task, "RUNNING");
    await until(async () => (await logsOf(task, "main")).includes("swordfish\n"));
    assert.equal(await logsOf(task, "main"), "swordfish web fast own\nswordfish\n");
    const name = `ecs-${task.split("/").at(-1)?.slice(0, 12)}-main`;
    const shown = [
      JSON.stringify(await see(task)),
      (await fixture.cli(["inspect", name])).stdout,
      (await fixture.cli(["secret", "ls", "--format", "json"])).stdout,
      served.words(),
    ];
    for (const text of shown) assert.doesNotMatch(text, /swordfish/);
    const values = join(fixture.root.path, "cluster/task-secrets");
    for (const directory of [values, join(values, task.split("/").at(-1) ?? "")])
      assert.equal(statSync(directory).mode & 0o777, 0o700, directory);
    await served.client.send(new StopTaskCommand({ task }));
    await become(task, "STOPPED");
  });

  test("a task whose secret is not known fails with that reason", async () => {
    await define("untold", { name: "main", secrets: [{ name: "PASSWORD", valueFrom: "nobody" }] });
    const seen = await become(await runOne("untold"), "STOPPED");
    assert.equal(seen.stopCode, "TaskFailedToStart");
    assert.match(
      seen.stoppedReason ?? "",
      /ResourceInitializationError: .*the secret nobody of container main/,
    );
  });

  test("a service keeps its tasks, also over a killed control plane", async () => {
    await define("idle", {
      name: "main",
      command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"],
    });
    await served.client.send(
      new CreateServiceCommand({ serviceName: "idle", taskDefinition: "idle", desiredCount: 2 }),
    );
    await waitUntilServicesStable({ client: served.client, ...quick }, { services: ["idle"] });
    const tasks = async (): Promise<Task[]> => {
      const { taskArns = [] } = await served.client.send(new ListTasksCommand({ serviceName: "idle" }));
      return Promise.all(taskArns.map(see));
    };
    const runtimes = async (): Promise<string[]> =>
      (await tasks()).map(({ containers }) => containers?.[0]?.runtimeId ?? "").sort();
    const before = await runtimes();
    await served.end("SIGKILL");
    served = await serveCluster(fixture);
    await waitUntilServicesStable({ client: served.client, ...quick }, { services: ["idle"] });
    assert.deepEqual(await runtimes(), before, "the same instances go on");
    // Killed behind the control plane's back: replaced.
    assert.equal((await fixture.cli(["kill", before[0] ?? ""])).status, 0);
    await until(async () => {
      const now = await tasks();
      return (
        now.filter(({ lastStatus }) => lastStatus === "RUNNING").length === 2 &&
        !now.some(({ containers }) => containers?.[0]?.runtimeId === before[0])
      );
    });
    await served.client.send(
      new UpdateServiceCommand({ service: "idle", desiredCount: 1, forceNewDeployment: true }),
    );
    await waitUntilServicesStable({ client: served.client, ...quick }, { services: ["idle"] });
    const { services } = await served.client.send(new DescribeServicesCommand({ services: ["idle"] }));
    assert.equal(services?.[0]?.deployments?.[0]?.rolloutState, "COMPLETED");
    await served.client.send(new DeleteServiceCommand({ service: "idle", force: true }));
    await waitUntilServicesInactive({ client: served.client, ...quick }, { services: ["idle"] });
    const { stdout } = await fixture.cli(["ps", "-q"]);
    assert.equal(stdout, "");
  });

  test("images are fetched from registries that were named, and from no others", async () => {
    const port = 5999;
    const [enter = "", ...words] = [
      ...fixture.enter,
      ...programWords(false),
      "registry",
      "serve",
      "--listen",
      `127.0.0.1:${port}`,
    ];
    const registry = spawn(enter, words, {
      env: { ...process.env, TRANSHIP_ROOT: fixture.root.path },
      stdio: "ignore",
    });
    try {
      await until(
        async () => (await fixture.inside(["wget", "-qO-", `http://127.0.0.1:${port}/v2/`])).status === 0,
      );
      await served.end("SIGTERM");
      served = await serveCluster(fixture, "--registry", `127.0.0.1:${port}`, "--plain-http");
      await define("fetched", { name: "main", image: `127.0.0.1:${port}/box:1`, command: ["true"] });
      const fetched = await become(await runOne("fetched"), "STOPPED");
      assert.equal(fetched.containers?.[0]?.exitCode, 0, fetched.stoppedReason);
      assert.ok((fetched.pullStoppedAt?.getTime() ?? 0) >= (fetched.pullStartedAt?.getTime() ?? 1));
      await define("elsewhere", { name: "main", image: "127.0.0.1:6999/box:1" });
      const refused = await become(await runOne("elsewhere"), "STOPPED");
      assert.match(refused.stoppedReason ?? "", /CannotPullContainerError: .*is not in the store/);
    } finally {
      const gone = new Promise((resolve) => registry.once("exit", resolve));
      registry.kill("SIGTERM");
      await gone;
    }
  });

  test("commands are executed where that is enabled", async () => {
    await define("shell", {
      name: "main",
      command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
    });
    const closed = await runOne("shell");
    const open = await runOne("shell", { enableExecuteCommand: true });
    await become(open, "RUNNING");
    const exec = (task: string, ...words: string[]): ReturnType<Fixture["cli"]> =>
      fixture.cli(["cluster", "exec", ...words.slice(0, -3), task, ...words.slice(-3)], { input: "typed\n" });
    const done = await exec(open, "sh", "-c", "echo out; echo 'two  words' >&2; exit 7");
    assert.deepEqual([done.status, done.stdout, done.stderr], [7, "out\n", "two  words\n"]);
    assert.equal((await exec(open, "-i", "sh", "-c", "cat")).stdout, "typed\n");
    assert.match((await exec(open, "-t", "sh", "-c", "tty; exit 0")).stdout, /\/dev\/(pts\/\d+|console)/);
    assert.match((await exec(closed, "sh", "-c", "true")).stderr, /execute command was not enabled/);
    for (const task of [open, closed]) await served.client.send(new StopTaskCommand({ task }));
    await become(open, "STOPPED");
    assert.match((await exec(open, "sh", "-c", "true")).stderr, /TargetNotConnectedException/);
  });

  test("a package says on which nodes it runs", async () => {
    const redirections = {
      files: [{ from: "/opt/old", to: "/srv/data", match: "folder" as const, mode: "full" as const }],
      network: [],
      registry: [],
    };
    await makePackage(fixture.root, "plain:1", { descriptor: {} });
    await makePackage(fixture.root, "led:1", { descriptor: { redirections } });
    const expressions = async (reference: string): Promise<string[]> => {
      const { stdout } = await fixture.cli(["cluster", "deploy", reference, "--service", "s", "--dry-run"]);
      const { placementConstraints } = JSON.parse(stdout) as {
        placementConstraints: { expression: string }[];
      };
      return placementConstraints.map(({ expression }) => expression);
    };
    const architecture = "attribute:ecs.cpu-architecture == x86_64";
    assert.deepEqual(await expressions("plain:1"), [architecture]);
    assert.deepEqual(await expressions("led:1"), [architecture, "attribute:tranship.engines == namespace"]);
  });

  test("a package with data is deployed, updated and rolled back, and never runs twice", async () => {
    for (const version of ["1", "2"]) {
      const write = `echo start ${version} >>/srv/data/log; trap 'echo end ${version} >>/srv/data/log; exit 0' TERM; while :; do sleep 0.1; done`;
      await makePackage(fixture.root, `keeps:${version}`, {
        descriptor: {
          volumes: [{ path: "/srv/data", initial: "copy", reason: "test" }],
          ports: [{ port: 80, protocol: "tcp" }],
        },
        config: { Entrypoint: ["/.tranship/init"], Cmd: ["sh", "-c", write] },
      });
    }
    const deploy = (...words: string[]): ReturnType<Fixture["cli"]> =>
      fixture.cli(["cluster", "deploy", ...words, "--service", "keeps", "--memory", "32"]);
    const copies = await deploy("keeps:1", "--count", "2");
    assert.match(copies.stderr, /2 copies would share the data in \/srv\/data/);
    assert.equal(copies.status, 2);
    const shared = await deploy("keeps:1", "--count", "2", "--shared-volumes", "--dry-run");
    assert.equal(shared.status, 0, shared.stderr);
    // No node has so much memory: nothing starts.
    const large = ["keeps:1", "--service", "several", "--memory", "100000000"];
    const several = await fixture.cli([
      ...["cluster", "deploy", ...large, "--count", "2", "--shared-volumes", "--detach"],
    ]);
    assert.equal(several.status, 0, several.stderr);
    const again = await fixture.cli(["cluster", "deploy", ...large, "--detach"]);
    assert.match(again.stderr, /2 copies would share the data in \/srv\/data/);
    await served.client.send(new DeleteServiceCommand({ service: "several", force: true }));
    for (const version of ["1", "2"]) {
      const done = await deploy(`keeps:${version}`);
      assert.equal(done.status, 0, done.stderr);
    }
    const back = await fixture.cli(["cluster", "rollback", "--service", "keeps"]);
    assert.equal(back.status, 0, back.stderr);
    await served.client.send(new DeleteServiceCommand({ service: "keeps", force: true }));
    await waitUntilServicesInactive({ client: served.client, ...quick }, { services: ["keeps"] });
    const { stdout } = await fixture.inside(["cat", `${fixture.root.volumes}/keeps-data-1/data/log`]);
    assert.deepEqual(stdout.trim().split("\n"), ["start 1", "end 1", "start 2", "end 2", "start 1", "end 1"]);
  });

  test("init checks the health of tasks, over a restart of the control plane, and an unhealthy one is replaced", async () => {
    // Only what init starts has it as its parent.
    const line = 'test $PPID = 1 && test "$WORD" = said && test -e /tmp/well';
    const healthCheck = { command: ["CMD-SHELL", line], interval: 1, retries: 2, startPeriod: 300 };
    const environment = [{ name: "WORD", value: "said" }];
    const command = ["sh", "-c", "chmod 1777 /tmp; exec sleep 1000"];
    await define("checked", { name: "main", command, environment, healthCheck, stopTimeout: 1 });
    const service = { serviceName: "checked", taskDefinition: "checked", desiredCount: 1 };
    await served.client.send(new CreateServiceCommand(service));
    const running = async (): Promise<string | undefined> =>
      (await served.client.send(new ListTasksCommand({ serviceName: "checked" }))).taskArns?.[0];
    await until(async () => (await running()) !== undefined);
    const task = (await running()) ?? "";
    const { containers } = await become(task, "RUNNING");
    const inside = async (...words: string[]): Promise<void> => {
      const done = await fixture.cli(["exec", containers?.[0]?.runtimeId ?? "", ...words]);
      assert.equal(done.status, 0, done.stderr);
    };
    const health = async (): Promise<string | undefined> => (await see(task)).healthStatus;
    const state = async (): Promise<{ Health?: { Log: { ExitCode: number }[] } }> => {
      const { stdout } = await fixture.cli(["inspect", containers?.[0]?.runtimeId ?? ""]);
      return (JSON.parse(stdout) as [{ State: object }])[0].State;
    };
    await until(async () => ((await state()).Health?.Log.length ?? 0) > 2);
    assert.equal(await health(), "UNKNOWN", "failures of the start period do not count");
    await inside("touch", "/tmp/well");
    await until(async () => (await health()) === "HEALTHY");
    await served.end("SIGKILL");
    served = await serveCluster(fixture);
    await become(task, "RUNNING");
    assert.equal(await health(), "HEALTHY");
    await served.end("SIGKILL");
    await inside("rm", "/tmp/well");
    served = await serveCluster(fixture);
    const ended = await become(task, "STOPPED");
    assert.equal(ended.stopCode, "ServiceSchedulerInitiated");
    assert.match(ended.stoppedReason ?? "", /failed container health checks/);
    assert.equal(ended.containers?.[0]?.healthStatus, "UNHEALTHY");
    assert.equal(ended.containers?.[0]?.runtimeId, containers?.[0]?.runtimeId);
    await until(async () => ![undefined, task].includes(await running()));
    await served.client.send(new DeleteServiceCommand({ service: "checked", force: true }));
    await waitUntilServicesInactive({ client: served.client, ...quick }, { services: ["checked"] });
  });

  test("a node that leaves ends its tasks, and keeps nothing of them", async () => {
    await define("left", { name: "main", command: ["sleep", "1000"], stopTimeout: 1 });
    const task = await runOne("left");
    await become(task, "RUNNING");
    const id = task.split("/").at(-1)?.slice(0, 12) ?? "";
    const held = async (): Promise<string> =>
      (await fixture.cli(["ps", "-a", "--format", "{{.Names}}"])).stdout;
    await served.end("SIGKILL");
    assert.ok((await held()).includes(id));
    const left = await fixture.cli(["cluster", "leave"]);
    assert.equal(left.status, 0, left.stderr);
    assert.match(left.stdout, /^[1-9]\d* tasks have been ended$/m);
    assert.ok(!(await held()).includes("ecs-"));
    assert.equal((await fixture.cli(["cluster", "leave"])).stdout, "0 tasks have been ended\n");
    served = await serveCluster(fixture);
    assert.equal((await become(task, "STOPPED")).stopCode, "InfrastructureHealth");
  });
});
