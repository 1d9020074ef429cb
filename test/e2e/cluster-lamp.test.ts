// The guest book as services of a cluster: one data base, three tasks with its pages; a constant client while they are updated, rolled back and taken down to
// nothing. In soak alone: it takes minutes. Pages still ask 127.0.0.1 for their data, and the data base still listens there and nowhere else; an account that may come from other machines is added, and names are not looked up.

import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type ContainerDefinition,
  CreateClusterCommand,
  CreateServiceCommand,
  type DeploymentConfiguration,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  type Service,
  type Task,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs";
import { type Fixture, makeFixture, until, whyNot } from "../integration/runtime-fixture.ts";
import { type Served, serveCluster } from "../support/cluster-serve.ts";
import { soaking } from "../support/counts.ts";
import { ask, buildLamp, captureGuestbook, whyNoLamp } from "../support/lamp.ts";
import { lamp } from "../support/roots.ts";

const skip = whyNot() ?? whyNoLamp() ?? false;

if (soaking)
  describe("a LAMP application as services", { skip, timeout: 1_800_000 }, () => {
    let fixture: Fixture;
    let served: Served;
    let targets: string;

    before(async () => {
      buildLamp();
      fixture = await makeFixture();
      await captureGuestbook(fixture, fixture.root.path);
      targets = join(fixture.root.path, "targets");
      served = await serveCluster(fixture, "--deregistration-delay", "2s");
      await served.client.send(new CreateClusterCommand({}));
      const key = join(fixture.root.path, "key");
      writeFileSync(key, readFileSync(join(lamp, "etc/guestbook/signing.key")));
      await cli("secret", "create", "signing", key);
    });
    after(async () => {
      await served?.end("SIGTERM");
      for (const line of (await fixture.cli(["ps", "-aq"])).stdout.split("\n").filter(Boolean))
        await fixture.cli(["rm", "-f", "-v", line]);
      // What had watched over them ends after them, and may still be writing.
      await fixture.clean();
      await fixture.remove();
    });

    const cli = async (...words: string[]): Promise<string> => {
      const { status, stdout, stderr } = await fixture.cli(words);
      assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
      return stdout;
    };
    const serviceNow = async (name: string): Promise<Service> => {
      const { services } = await served.client.send(new DescribeServicesCommand({ services: [name] }));
      assert.ok(services?.[0] !== undefined);
      return services[0];
    };
    const tasksOf = async (serviceName: string): Promise<Task[]> => {
      const { taskArns = [] } = await served.client.send(new ListTasksCommand({ serviceName }));
      if (taskArns.length === 0) return [];
      return (await served.client.send(new DescribeTasksCommand({ tasks: taskArns }))).tasks ?? [];
    };
    /** Of the tasks that do their work: what a load balancer would be told. */
    const ports = async (): Promise<number[]> =>
      (await tasksOf("web"))
        .filter(({ lastStatus, healthStatus }) => lastStatus === "RUNNING" && healthStatus === "HEALTHY")
        .flatMap(
          ({ containers }) => containers?.[0]?.networkBindings?.map(({ hostPort = 0 }) => hostPort) ?? [],
        );
    /** The waiter of the SDK does not wait for health. */
    const completed = (name: string): Promise<void> =>
      until(async () => {
        const { deployments = [] } = await serviceNow(name);
        return deployments.length === 1 && deployments[0]?.rolloutState === "COMPLETED";
      });
    const tell = (text: string): void => {
      writeFileSync(`${targets}.new`, text);
      renameSync(`${targets}.new`, targets);
    };
    /** Asks several times a second for pages with data while something is done to the service; what failed. */
    const during = async (act: () => Promise<void>): Promise<{ asked: number; failures: string[] }> => {
      tell(JSON.stringify(await ports()));
      const script = join(import.meta.dirname, "../support/constant-client.ts");
      const client = fixture.inside([process.execPath, script, targets, "/entry/301", "150"]);
      let over = false;
      const balancer = (async () => {
        while (!over) {
          tell(JSON.stringify(await ports()));
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        tell("");
      })();
      try {
        await act();
      } finally {
        over = true;
        await balancer;
      }
      const { status, stdout, stderr } = await client;
      assert.equal(status, 0, stderr);
      return JSON.parse(stdout) as { asked: number; failures: string[] };
    };
    const define = (family: string, container: ContainerDefinition): Promise<unknown> =>
      served.client.send(
        new RegisterTaskDefinitionCommand({
          family,
          containerDefinitions: [{ memory: 512, stopTimeout: 10, ...container, name: "main" }],
        }),
      );
    const web = (more: ContainerDefinition = {}): Promise<unknown> =>
      define("web", {
        image: "guestbook:web",
        portMappings: [{ containerPort: 80, hostPort: 0 }],
        secrets: [{ name: "/etc/guestbook/signing.key", valueFrom: "signing" }],
        healthCheck: {
          command: [
            "CMD",
            "/bin/bash",
            "-c",
            'exec 3<>/dev/tcp/127.0.0.1/80; printf "GET /entry/7 HTTP/1.0\\r\\n\\r\\n" >&3; read -r line <&3; [[ $line == *200* ]]',
          ],
          interval: 5,
          timeout: 30,
          retries: 5,
          startPeriod: 120,
        },
        ...more,
      });
    const create = (name: string, desiredCount: number, deploymentConfiguration: DeploymentConfiguration) =>
      served.client.send(
        new CreateServiceCommand({
          serviceName: name,
          taskDefinition: name,
          desiredCount,
          deploymentConfiguration,
        }),
      );
    const update = (more: object) =>
      served.client.send(new UpdateServiceCommand({ service: "web", taskDefinition: "web", ...more }));

    test("one data base, three tasks with the pages", async () => {
      const rule = (kind: string, from: string, to: string) => [
        "--set",
        `redirections.network[+]={kind: ${kind}, from: "${from}", to: "${to}"}`,
      ];
      const alone = ["--set", "schedules=[]", "--set", "volumes=[]"];
      const database = [
        "--unset",
        "services[apache2]",
        "--set",
        "secrets=[]",
        "--set",
        "ports=[{port: 3306}]",
      ];
      // Else it asks DNS, which there is none here, who each of them is.
      database.push("--set", "programs[mariadb].command[+]=--skip-name-resolve");
      await cli("package", "edit", ...database, ...alone, ...rule("bind", "127.0.0.1:3306", "*:3306"), "-t", "guestbook:db", "guestbook"); // biome-ignore format: a command line
      const once = { minimumHealthyPercent: 0, maximumPercent: 100 };
      await define("db", { image: "guestbook:db", portMappings: [{ containerPort: 3306, hostPort: 3306 }] });
      await create("db", 1, once);
      await completed("db");
      const [{ taskArn = "" } = {}] = await tasksOf("db");
      const instance = `ecs-${taskArn.split("/").at(-1)?.slice(0, 12)}-main`;
      // The old data base lets in who asks on its own machine: the one thing that is changed.
      const grant =
        "CREATE USER guestbook@'%' IDENTIFIED BY 'autumn-leaves-1998'; GRANT ALL ON guestbook.* TO guestbook@'%'";
      await until(
        async () => (await fixture.cli(["exec", instance, "/usr/bin/mysqladmin", "ping"])).status === 0,
      );
      await cli("exec", instance, "/usr/bin/mariadb", "-e", grant);

      const [gateway = ""] =
        /(?<="Gateway": ?")[0-9.]+/.exec(await cli("network", "inspect", "bridge")) ?? [];
      const pages = ["--unset", "services[mariadb]", "--set", "services[apache2].after=[]"];
      await cli("package", "edit", ...pages, ...alone, ...rule("connect", "127.0.0.1:3306", `${gateway}:3306`), "-t", "guestbook:web", "guestbook"); // biome-ignore format: a command line
      await web();
      const breaker = { deploymentCircuitBreaker: { enable: true, rollback: true } };
      await create("web", 3, { minimumHealthyPercent: 100, maximumPercent: 200, ...breaker });
      await completed("web");
      const now = await ports();
      assert.equal(now.length, 3);
      // What is written by one is read by all.
      const form = "author=Zo%C3%AB&message=In%20all";
      const [signed] = await ask(fixture, now[0] ?? 0, [{ path: "/sign.php", form }]);
      assert.equal(signed?.status, 200, signed?.body.toString());
      for (const port of now) {
        const [there] = await ask(fixture, port, [{ path: "/entry/301" }]);
        assert.match(there?.body.toString() ?? "", /<blockquote>In all<\/blockquote>/);
      }
    });

    test("a rolling update fails no request", async () => {
      const before = await ports();
      const { asked, failures } = await during(async () => {
        await web({ environment: [{ name: "VERSION", value: "2" }] });
        await update({});
        await completed("web");
      });
      assert.deepEqual(failures, []);
      assert.ok(asked > 30, `${asked} requests`);
      const now = await ports();
      assert.equal(now.filter((port) => !before.includes(port)).length, 3, "all are other ones");
    });

    test("a version that does not start is rolled back, and fails no request", async () => {
      const { failures } = await during(async () => {
        await web({ command: ["/bin/false"] });
        await update({});
        const back = async () =>
          (await serviceNow("web")).events?.some(({ message }) => /rolling back/.test(message ?? ""));
        await until(async () => (await back()) === true);
        await completed("web");
      });
      assert.deepEqual(failures, []);
      assert.match((await serviceNow("web")).taskDefinition ?? "", /web:2$/);
      assert.equal((await ports()).length, 3);
    });

    test("without a healthy minimum the same client is not served", async () => {
      const { failures } = await during(async () => {
        const taskDefinition = "web:2";
        const deploymentConfiguration = { minimumHealthyPercent: 0, maximumPercent: 100 };
        await update({ taskDefinition, forceNewDeployment: true, deploymentConfiguration });
        await completed("web");
      });
      assert.ok(failures.length > 0);
    });
  });
else
  console.log(
    "# the LAMP application as services is updated and rolled back in long runs alone: npm run soak -- cluster-lamp",
  );
