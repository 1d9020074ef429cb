// What tasks are given on their node, from within: credentials of their role with the vendor's SDK in the network of a task.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
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

/** So that containers go soon after their tasks. */
const short = ["--task-cleanup-wait", "1s"];
const skip = whyNot() ?? false;

/** As a program of a task has it: no settings but those that the task is given. */
const program = `import { ECSClient, ListClustersCommand, RunTaskCommand } from "${import.meta.resolve("@aws-sdk/client-ecs")}";
  const client = new ECSClient({ endpoint: process.argv[1], region: "eu-test-1", maxAttempts: 1 });
  const outcome = (command) => client.send(command).then(() => "done", (error) => error.name);
  const list = await outcome(new ListClustersCommand({}));
  const run = await outcome(new RunTaskCommand({ taskDefinition: "shell" }));
  const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
  console.log(JSON.stringify({ list, run, accessKeyId, secretAccessKey, sessionToken }));`;

/** Writes what it hears by TCP and UDP into a file, a message a line. */
const listener = `const { appendFileSync } = require("node:fs"); const file = process.argv[1];
  require("node:dgram").createSocket("udp4").on("message", (data) => appendFileSync(file, data + "\\n")).bind(5514, "127.0.0.1");
  require("node:net").createServer((socket) => socket.on("error", () => {}).on("data", (data) => appendFileSync(file, data)))
    .listen(5514, "127.0.0.1", () => console.log("ready"));`;

describe("what tasks are given", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let served: Served;
  before(async () => {
    fixture = await makeFixture();
    await makePackage(fixture.root, "box:1");
    // Where tasks reach it too.
    served = await serveCluster({ ...fixture, listen: "0.0.0.0:0" }, ...short);
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
    served = await serveCluster({ ...fixture, listen: `0.0.0.0:${port}` }, ...short);
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

  test("what a task wrote is read while it runs, and when it has gone", async () => {
    const options = {
      "awslogs-group": "/shop/web",
      "awslogs-region": "eu-test-1",
      "awslogs-stream-prefix": "web",
    };
    const logConfiguration = { logDriver: "awslogs" as const, options };
    const words = "echo first; echo wrong >&2; while ! [ -e /go ]; do sleep 0.1; done; printf last";
    await define("talks", [
      { name: "main", logConfiguration, command: ["sh", "-c", words] },
      { name: "beside", essential: false, command: ["sh", "-c", "echo beside"] },
    ]);
    const task = await runOne("talks");
    const logs = (...more: string[]): ReturnType<Fixture["cli"]> => fixture.cli(["cluster", "logs", ...more]);
    await until(async () => (await logs(task)).stdout.includes("beside"));
    const followed = logs("-f", task, "--container", "main");
    await fixture.cli(["exec", nameOf(task), "touch", "/go"]);
    assert.deepEqual(await followed, { status: 0, stdout: "first\nlast", stderr: "wrong\n" });
    await become(task, "STOPPED");
    const short = task.slice(0, 12);
    const stream = `web/main/${task}`;
    const whole = `${short}/main | first\n${short}/main | last\n`;
    const told = async (): Promise<void> => {
      assert.equal((await logs("--group", "/shop/web")).stdout, whole);
      assert.equal((await logs(task, "--container", "beside")).stdout, "beside\n", "of another driver");
    };
    const asked = async (): Promise<void> => {
      assert.equal((await logs("--group", "/shop/web", "--stream", stream)).stdout, whole);
      assert.equal((await logs("--group", "/shop")).stdout, "", "another group");
      for (const words of [
        ["-f", "0123456789abcdef0123456789abcdef"],
        ["--service", "nobody"],
      ]) {
        const unknown = await logs(...words);
        assert.equal(unknown.status, 1, unknown.stdout);
        assert.match(
          unknown.stderr,
          /knows no (task 0123456789abcdef|service nobody).*no line of it is kept/,
        );
      }
      assert.equal((await logs(task, "--container", "main", "--tail", "1")).stdout, "last");
      assert.equal((await logs(task, "--since", new Date(Date.now() + 60_000).toISOString())).stdout, "");
      const [stamp = ""] = (await logs(task, "--container", "main", "-t")).stdout.split(" ");
      assert.ok(Math.abs(Date.parse(stamp) - Date.now()) < 120_000, stamp);
    };
    await told();
    await asked();
    await until(async () => (await fixture.cli(["inspect", nameOf(task)])).status !== 0);
    await told();
    await served.end("SIGKILL");
    served = await serveCluster({ ...fixture, listen: "0.0.0.0:0" }, "--log-retention", "/shop/web=1s");
    assert.equal((await logs("--group", "/shop/web")).stdout, "", "its time is over");
    assert.equal((await logs(task, "--container", "beside")).stdout, "beside\n", "that of others is not");
  });

  test("options that a log driver has not are refused", async () => {
    const refusal = (logConfiguration: object): Promise<string> =>
      define("odd", [{ name: "main", logConfiguration } as ContainerDefinition]).then(
        () => "taken",
        (error: Error) => error.message,
      );
    const cases: [object, RegExp][] = [
      [{ logDriver: "awslogs" }, /requires options: awslogs-group/],
      [
        { logDriver: "awslogs", options: { "awslogs-group": "a b" } },
        /Invalid value 'a b' of the option awslogs-group/,
      ],
      [{ logDriver: "json-file", options: { "max-size": "big" } }, /Invalid value 'big'/],
      [{ logDriver: "json-file", options: { labels: "a" } }, /The option labels of the log driver json-file/],
      [{ logDriver: "syslog", options: { "syslog-address": "http://x" } }, /Invalid value 'http:\/\/x'/],
      [{ logDriver: "none" }, /logDriver|InvalidParameter|none/],
      [{ logDriver: "splunk" }, /does not support logConfiguration.logDriver splunk/],
      [{ logDriver: "json-file", options: { "max-size": "1m", "max-file": "2" } }, /^taken$/],
    ];
    for (const [configuration, words] of cases) assert.match(await refusal(configuration), words);
  });
  test("syslog servers that were named get every line, also over a killed control plane", async () => {
    const heard = join(fixture.root.path, "heard");
    const [program = "", ...words] = [...fixture.enter, process.execPath, "-e", listener, heard];
    let server: ChildProcess | undefined;
    const listen = async (): Promise<void> => {
      server = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
      await new Promise((resolve) => server?.stdout?.once("data", resolve));
    };
    const silence = async (): Promise<void> => {
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
      const gone = new Promise((resolve) => server?.once("exit", resolve));
      server.kill("SIGKILL");
      await gone;
    };
    try {
      await listen();
      const allowed = ["--syslog", "udp://127.0.0.1:5514", "--syslog", "tcp://127.0.0.1:5514"];
      await served.end("SIGTERM");
      served = await serveCluster({ ...fixture, listen: "0.0.0.0:0" }, ...short, ...allowed);
      const to = (address: string, more: object = {}): ContainerDefinition["logConfiguration"] => ({
        logDriver: "syslog",
        options: { "syslog-address": address, tag: "t-{{.Name}}", ...more },
      });
      const count = "for n in 1 2 3 4 5 6; do echo line $n; sleep 0.5; done; echo end >&2; sleep 1";
      await define("sends", [
        {
          name: "main",
          logConfiguration: to("tcp://127.0.0.1:5514", { "syslog-format": "rfc5424micro" }),
          command: ["sh", "-c", count],
        },
        {
          name: "beside",
          essential: false,
          logConfiguration: to("udp://127.0.0.1:5514", { "syslog-facility": "local3" }),
          command: ["sh", "-c", "echo by datagram; sleep 1000"],
        },
      ]);
      const lines = (): string[] =>
        existsSync(heard) ? readFileSync(heard, "utf8").split("\n").filter(Boolean) : [];
      const task = await runOne("sends");
      await until(() => lines().some((line) => line.endsWith("line 1")));
      await served.end("SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 500));
      served = await serveCluster({ ...fixture, listen: "0.0.0.0:0" }, ...short, ...allowed);
      await until(() => lines().some((line) => line.endsWith("end")));
      const sent = lines().filter((line) => line.includes(`t-${nameOf(task)} `) && line.startsWith("<"));
      const texts = [...new Set(sent.map((line) => line.split(" - ").at(-1)))];
      assert.deepEqual(texts, ["line 1", "line 2", "line 3", "line 4", "line 5", "line 6", "end"]);
      // Facility daemon: 3 * 8, with severity 6 for what was written to stdout and 3 for stderr.
      assert.match(
        sent[0] ?? "",
        /^<30>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ t-ecs-\S+-main - t-ecs-\S+-main - line 1$/,
      );
      assert.match(sent.at(-1) ?? "", /^<27>1 /);
      const datagram = lines().find((line) => line.endsWith("by datagram")) ?? "";
      assert.match(datagram, /^<158>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ t-ecs-\S+-beside: by datagram$/);
      await become(task, "STOPPED");
      await define("strays", [{ name: "main", logConfiguration: to("udp://192.0.2.1:514") }]);
      const { tasks } = await served.client.send(new RunTaskCommand({ taskDefinition: "strays" }));
      const stray = tasks?.[0]?.taskArn ?? "";
      await become(stray, "STOPPED");
      const seen = await served.client.send(new DescribeTasksCommand({ tasks: [stray] }));
      assert.match(seen.tasks?.[0]?.stoppedReason ?? "", /the node sends no logs to udp:\/\/192.0.2.1:514/);

      // One that had ended before anybody listened, and before the control plane did.
      await served.end("SIGTERM");
      served = await serveCluster({ ...fixture, listen: "0.0.0.0:0" }, ...allowed);
      await silence();
      await define("early", [
        {
          name: "main",
          logConfiguration: to("tcp://127.0.0.1:5514"),
          command: ["sh", "-c", "echo unheard; sleep 1"],
        },
      ]);
      await become(await runOne("early"), "STOPPED");
      await served.end("SIGKILL");
      await listen();
      served = await serveCluster({ ...fixture, listen: "0.0.0.0:0" }, ...allowed);
      await until(() => lines().some((line) => line.endsWith("unheard")));
    } finally {
      await silence();
    }
  });
});
