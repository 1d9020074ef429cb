// What tasks are given on their node, from within: credentials of their role with the vendor's SDK in the network of a task.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type ContainerDefinition,
  CreateClusterCommand,
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { type Served, serveCluster } from "../support/cluster-serve.ts";
import { type Fixture, makeFixture, makePackage, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

/** As a program of a task has it: no settings but those that the task is given. */
const program = `import { ECSClient, ListClustersCommand, RunTaskCommand } from "${import.meta.resolve("@aws-sdk/client-ecs")}";
  const client = new ECSClient({ endpoint: process.argv[1], region: "eu-test-1", maxAttempts: 1 });
  const outcome = (command) => client.send(command).then(() => "done", (error) => error.name);
  const list = await outcome(new ListClustersCommand({}));
  const run = await outcome(new RunTaskCommand({ taskDefinition: "shell" }));
  const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
  console.log(JSON.stringify({ list, run, accessKeyId, secretAccessKey, sessionToken }));`;

describe("what tasks are given", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let served: Served;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    // Where tasks reach it too.
    served = await serveCluster({ ...fixture, listen: "0.0.0.0:0" });
    await served.client.send(new CreateClusterCommand({}));
  });
  after(async () => {
    await served?.end("SIGTERM");
    for (const line of (await fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean))
      await fixture.cli(["rm", "-f", line]);
    await fixture.remove();
  });

  const define = async (
    family: string,
    containers: readonly ContainerDefinition[],
    more: object = {},
  ): Promise<void> => {
    const containerDefinitions = containers.map((each) => ({ image: "box:1", memory: 32, ...each }));
    await served.client.send(new RegisterTaskDefinitionCommand({ family, containerDefinitions, ...more }));
  };
  const become = (id: string, status: string): Promise<void> =>
    until(async () => {
      const { tasks } = await served.client.send(new DescribeTasksCommand({ tasks: [id] }));
      const [task] = tasks ?? [];
      assert.ok(status === "STOPPED" || task?.lastStatus !== "STOPPED", task?.stoppedReason);
      return task?.lastStatus === status;
    });
  const runOne = async (family: string, more: object = {}): Promise<string> => {
    const { tasks } = await served.client.send(new RunTaskCommand({ taskDefinition: family, ...more }));
    const id = tasks?.[0]?.taskArn?.split("/").at(-1) ?? "";
    await become(id, "RUNNING");
    return id;
  };
  const stop = async (id: string): Promise<void> => {
    await served.client.send(new StopTaskCommand({ task: id }));
    await become(id, "STOPPED");
  };
  const nameOf = (id: string, container = "main"): string => `ecs-${id.slice(0, 12)}-${container}`;
  const variables = async (id: string): Promise<Map<string, string>> => {
    const { stdout } = await fixture.cli(["exec", nameOf(id), "env"]);
    return new Map(stdout.split("\n").map((line) => [line.split("=")[0] ?? "", line.split("=")[1] ?? ""]));
  };
  /** The status with which the endpoint answers a container of a task. */
  const asked = async (id: string, path: string): Promise<number> => {
    const words = ["exec", nameOf(id), "wget", "-q", "-O", "/dev/null", `http://169.254.170.2${path}`];
    const { stderr, status } = await fixture.cli(words);
    return status === 0 ? 200 : Number(/ (\d{3}) /.exec(stderr)?.[1] ?? stderr);
  };
  const sleeps = { name: "main", stopTimeout: 1, command: ["sleep", "1000"] };

  test("the vendor's SDK in a task has the credentials of its role, and others have not", async () => {
    const taskRoleArn = "arn:aws:iam::000000000000:role/watcher";
    const role = (policy: string): Promise<unknown> =>
      fixture.cli(["role", "create", "watcher", "--policy", policy]);
    await role("read-only");
    await define("shell", [sleeps], { taskRoleArn });
    await define("plain", [sleeps]);
    const [task, plain] = [await runOne("shell"), await runOne("plain")];
    const uri = (await variables(task)).get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ?? "";
    assert.match(uri, /^\/v2\/credentials\/[0-9a-f-]{36}$/);
    assert.equal((await variables(plain)).get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), undefined);
    assert.equal(await asked(task, uri), 200);
    assert.equal(await asked(plain, uri), 404, "from another task");
    assert.equal(
      await asked(
        task,
        uri.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
      ),
      404,
    );
    const own = await fixture.inside(["wget", "-q", "-O", "-", `http://127.0.0.1:51679${uri}`]);
    assert.notEqual(own.status, 0, "from the machine itself");

    const inTask = async (): Promise<Record<string, string>> => {
      const pid = (await fixture.cli(["inspect", nameOf(task), "--format", "{{.State.Pid}}"])).stdout.trim();
      const route = await fixture.cli(["exec", nameOf(task), "ip", "route"]);
      const gateway = /default via ([0-9.]+)/.exec(route.stdout)?.[1] ?? "";
      const url = `http://${gateway}:${new URL(served.url).port}`;
      const environment = [`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=${uri}`, "AWS_EC2_METADATA_DISABLED=true"];
      const words = ["nsenter", "-t", pid, "-n", "env", ...environment, process.execPath];
      const { stdout, stderr } = await fixture.inside([...words, "--input-type=module", "-e", program, url]);
      assert.match(stdout, /^{/, stderr);
      return JSON.parse(stdout) as Record<string, string>;
    };
    const seen = await inTask();
    assert.deepEqual([seen.list, seen.run], ["done", "AccessDeniedException"]);
    await role("full");
    assert.equal((await inTask()).run, "done");

    // Nowhere but in the answers to the task.
    const secret = seen.secretAccessKey ?? "";
    assert.ok(secret.length > 30);
    const shown = [
      served.words(),
      JSON.stringify(await served.client.send(new DescribeTasksCommand({ tasks: [task] }))),
      (await fixture.cli(["inspect", nameOf(task)])).stdout,
    ];
    for (const text of shown) assert.ok(!text.includes(secret) && !text.includes(seen.sessionToken ?? "-"));
    assert.equal((await fixture.inside(["grep", "-rlF", secret, fixture.root.path])).stdout, "");

    // Adopted: the same path answers after a control plane that was killed.
    const { port } = new URL(served.url);
    await served.end("SIGKILL");
    served = await serveCluster({ ...fixture, listen: `0.0.0.0:${port}` });
    assert.equal((await inTask()).list, "done");
    for (const id of [task, plain]) await stop(id);
  });

  test("with the host's network the SDK is led to loopback", async () => {
    await define("host", [sleeps], {
      taskRoleArn: "arn:aws:iam::000000000000:role/watcher",
      networkMode: "host",
    });
    const task = await runOne("host");
    const url = (await variables(task)).get("AWS_CONTAINER_CREDENTIALS_FULL_URI") ?? "";
    assert.match(url, /^http:\/\/127\.0\.0\.1:51679\/v2\/credentials\//);
    const { stdout } = await fixture.inside(["wget", "-q", "-O", "-", url]);
    assert.match(stdout, /"RoleArn":"arn:aws:iam::000000000000:role\/watcher"/);
    await stop(task);
    assert.notEqual((await fixture.inside(["wget", "-q", "-O", "-", url])).status, 0, "it has ended");
  });
});
