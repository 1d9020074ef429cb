// What a container definition says, seen from inside of the container; and what is given to it and asked of it.

import assert from "node:assert/strict";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  ExecuteCommandCommand,
  InvalidParameterException,
  RegisterTaskDefinitionCommand,
  StopTaskCommand,
  TargetNotConnectedException,
} from "@aws-sdk/client-ecs";
import { type LocalCluster, makeLocalCluster } from "../support/local-cluster.ts";
import { type Fixture, until, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? false;

describe("containers of tasks", { skip, timeout: 400_000 }, () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await makeLocalCluster((fixture) => {
      const buckets = join(fixture.root.path, "buckets");
      mkdirSync(join(buckets, "settings"), { recursive: true });
      writeFileSync(join(buckets, "settings/web.env"), "# of the site\nMODE=fast\nLEVEL=file\n");
      return ["--environment-files", buckets];
    });
  });
  after(() => cluster?.close());

  test("containers of a task share its network", async () => {
    await cluster.client.send(
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
    const task = await cluster.runOne("pair", {
      networkConfiguration: { awsvpcConfiguration: { subnets: ["any"] } },
    });
    const seen = await cluster.become(task, "STOPPED");
    assert.equal(seen.containers?.find(({ name }) => name === "main")?.exitCode, 0, seen.stoppedReason);
    assert.equal(await cluster.logsOf(task, "main"), "100\nfrom the image\n");
    assert.equal(seen.attachments?.length, 1);
    const addresses = seen.containers?.map(
      ({ networkInterfaces }) => networkInterfaces?.[0]?.privateIpv4Address,
    );
    assert.match(addresses?.[0] ?? "", /^\d+\.\d+\.\d+\.\d+$/);
    assert.equal(addresses?.[0], addresses?.[1]);
  });

  test("what a definition says of a container holds inside of it", async () => {
    const inside = [
      "id -u; pwd; hostname; ulimit -n; grep -c '192.0.2.9[[:space:]]*db.old' /etc/hosts",
      "touch /srv/x; dd if=/dev/zero of=/run/small/f bs=1M count=3; wc -c </run/small/f",
      "grep /run/small /proc/mounts; tty; grep CapBnd /proc/self/status; echo $WHERE",
    ];
    await cluster.define("bounded", {
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
        tmpfs: [{ containerPath: "/run/small", size: 1, mountOptions: ["mode=0777", "exec", "gid=33"] }],
        capabilities: { drop: ["NET_RAW"] },
      },
    });
    const task = await cluster.runOne("bounded");
    await cluster.become(task, "STOPPED");
    const lines = (await cluster.logsOf(task, "main")).replaceAll("\r", "").split("\n");
    assert.deepEqual(lines.slice(0, 5), ["33", "/srv/data", "old-shop", "77", "1"]);
    const text = lines.join("\n");
    assert.match(text, /touch: \/srv\/x: Read-only file system/);
    assert.match(text, /No space left on device/);
    const [options = ""] = /^tmpfs \/run\/small tmpfs (.*)$/m.exec(text)?.slice(1) ?? [];
    assert.match(options, /nosuid,nodev,.*size=1024k,mode=777,gid=33/);
    assert.doesNotMatch(options, /noexec/);
    assert.match(text, /\n1048576\ntmpfs .*\n\/dev\/\S+\n/, "as large as it may be, and on a terminal");
    const [, capabilities = "0"] = /CapBnd:\s*([0-9a-f]+)/.exec(text) ?? [];
    assert.equal((BigInt(`0x${capabilities}`) >> 13n) & 1n, 0n, "CAP_NET_RAW");
    assert.match(text, /\nhere\n$/);
  });

  test("what a container borrows, whom it asks for names, and what the kernel tells it", async () => {
    const mac = "02:00:5e:10:be:ef";
    const asks = [
      "until test -s /srv/lent/f; do sleep 0.1; done; cat /srv/lent/f; touch /srv/lent/x 2>&1",
      "grep -v '^#' /etc/resolv.conf; cat /proc/sys/kernel/msgmax /proc/sys/net/core/somaxconn; cat /sys/class/net/eth0/address",
      "busybox timeout 1 cat && echo closed || echo open",
    ];
    const mountPoints = [{ sourceVolume: "lent", containerPath: "/srv/lent" }];
    const lent = ["sh", "-c", "echo lent >/srv/lent/f; exec sleep 1000"];
    await cluster.defineWith(
      { volumes: [{ name: "lent" }] },
      "borrows",
      { name: "lender", command: lent, mountPoints, stopTimeout: 1 },
      {
        name: "main",
        command: ["sh", "-c", asks.join("; ")],
        volumesFrom: [{ sourceContainer: "lender", readOnly: true }],
        dnsServers: ["192.0.2.53"],
        dnsSearchDomains: ["old.example"],
        systemControls: [
          { namespace: "kernel.msgmax", value: "4096" },
          { namespace: "net.core.somaxconn", value: "77" },
        ],
        dockerLabels: { "com.tranship.mac-address": mac },
        interactive: true,
      },
    );
    const task = await cluster.runOne("borrows");
    const ended = await cluster.become(task, "STOPPED");
    const text = await cluster.logsOf(task, "main");
    assert.match(text, /^lent\ntouch: \/srv\/lent\/x: Read-only file system\n/, ended.stoppedReason);
    assert.match(text, /^search old\.example$/m);
    assert.deepEqual(text.match(/^nameserver .*$/gm), ["nameserver 192.0.2.53"]);
    assert.ok(text.endsWith(`4096\n77\n${mac}\nopen\n`), text);
  });

  test("a task has the MAC address that its definition wants, and its containers have what names things", async () => {
    const mac = "02:00:5e:10:ca:fe";
    await cluster.defineWith(
      { networkMode: "awsvpc" },
      "addressed",
      {
        name: "main",
        command: [
          "sh",
          "-c",
          "cat /sys/class/net/eth0/address /proc/sys/net/core/somaxconn; cat /etc/resolv.conf",
        ],
      },
      {
        name: "beside",
        command: ["sleep", "1000"],
        stopTimeout: 1,
        dnsServers: ["192.0.2.54"],
        systemControls: [{ namespace: "net.core.somaxconn", value: "78" }],
        dockerLabels: { "com.tranship.mac-address": mac },
      },
    );
    const vpc = { networkConfiguration: { awsvpcConfiguration: { subnets: ["any"] } } };
    const task = await cluster.runOne("addressed", vpc);
    const seen = await cluster.become(task, "STOPPED");
    const text = await cluster.logsOf(task, "main");
    assert.match(text, new RegExp(`^${mac}\n78\n`));
    assert.match(text, /^nameserver 192\.0\.2\.54$/m);
    const details = seen.attachments?.[0]?.details ?? [];
    assert.equal(details.find(({ name }) => name === "macAddress")?.value, mac);
    const wrong = (value: string, networkMode: "awsvpc" | "host" = "awsvpc") =>
      cluster.defineWith({ networkMode }, "wrong", {
        name: "main",
        dockerLabels: { "com.tranship.mac-address": value },
      });
    await assert.rejects(wrong("ff:ff:ff:ff:ff:ff"), /is not the address of one device/);
    await assert.rejects(wrong(mac, "host"), /needs a network that is the container's own/);
  });

  test("a container may make the system calls of its label, and no others", async () => {
    const command = ["sh", "-c", "mknod /tmp/p p && echo made"];
    const dockerLabels = { "com.tranship.syscalls": "nanosleep sync" };
    await cluster.define("open", { name: "main", command });
    await cluster.define("narrow", { name: "main", command, dockerLabels });
    for (const [family, said] of [
      ["open", /^made$/m],
      ["narrow", /Operation not permitted/],
    ] as const) {
      const task = await cluster.runOne(family);
      await cluster.become(task, "STOPPED");
      const both = await cluster.fixture.cli(["logs", cluster.nameOf(task, "main")]);
      assert.match(both.stdout + both.stderr, said, family);
    }
    const labels = { "com.tranship.syscalls": "read;write" };
    await assert.rejects(cluster.define("wrong", { name: "main", dockerLabels: labels }), /is not a list/);
  });

  test("a linked container is known by its name and alias, and by nobody else's", async () => {
    const serve = { command: ["httpd", "-f", "-h", "/srv"], stopTimeout: 1 };
    const asks =
      "for name in db web-1; do until wget -q -O - http://$name/data/seed.txt; do sleep 0.1; done; done; grep -c '[[:space:]]other' /etc/hosts";
    await cluster.define(
      "linked",
      { name: "main", command: ["sh", "-c", asks], links: ["web-1:db"] },
      { name: "web-1", ...serve },
      { name: "other", ...serve },
    );
    const task = await cluster.runOne("linked");
    await cluster.become(task, "STOPPED");
    const said = await cluster.logsOf(task, "main");
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
      return cluster.client.send(command).then(
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
      await cluster.client.send(
        new RegisterTaskDefinitionCommand({ family: "asks", networkMode, containerDefinitions: [main] }),
      );
      const vpc = { networkConfiguration: { awsvpcConfiguration: { subnets: ["any"] } } };
      const arn = await cluster.runOne("asks", networkMode === "awsvpc" ? vpc : {});
      await until(async () => (await cluster.logsOf(arn, "main")).includes("none"));
      const [own = "", task = "", stats = ""] = (await cluster.logsOf(arn, "main")).split("\n");
      const seen = await cluster.see(arn);
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
      await cluster.client.send(new StopTaskCommand({ task: arn }));
      await cluster.become(arn, "STOPPED");
    }
  });

  test("secrets and environment files reach the program, and are shown nowhere", async () => {
    await cluster.fixture.cli(["secret", "create", "shop/password", "-"], { input: "swordfish" });
    await cluster.fixture.cli(["secret", "create", "shop/json"], { input: '{"user":"web","n":7}' });
    const arn = "arn:aws:secretsmanager:eu-test-1:000000000000:secret:shop/json-a1B2c3:user::";
    await cluster.define("told", {
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
    const task = await cluster.runOne("told");
    await cluster.become(task, "RUNNING");
    await until(async () => (await cluster.logsOf(task, "main")).includes("swordfish\n"));
    assert.equal(await cluster.logsOf(task, "main"), "swordfish web fast own\nswordfish\n");
    const name = `ecs-${task.split("/").at(-1)?.slice(0, 12)}-main`;
    // Commands have them as the program has.
    const asked = await cluster.fixture.cli(["exec", name, "sh", "-c", "echo $PASSWORD $WHO"]);
    assert.equal(asked.stdout, "swordfish web\n", asked.stderr);
    const shown = [
      JSON.stringify(await cluster.see(task)),
      (await cluster.fixture.cli(["inspect", name])).stdout,
      (await cluster.fixture.cli(["secret", "ls", "--format", "json"])).stdout,
      cluster.served.words(),
    ];
    for (const text of shown) assert.doesNotMatch(text, /swordfish/);
    const values = join(cluster.fixture.root.path, "cluster/task-secrets");
    for (const directory of [values, join(values, task.split("/").at(-1) ?? "")])
      assert.equal(statSync(directory).mode & 0o777, 0o700, directory);
    await cluster.client.send(new StopTaskCommand({ task }));
    await cluster.become(task, "STOPPED");
  });

  test("a task whose secret is not known fails with that reason", async () => {
    await cluster.define("untold", { name: "main", secrets: [{ name: "PASSWORD", valueFrom: "nobody" }] });
    const seen = await cluster.become(await cluster.runOne("untold"), "STOPPED");
    assert.equal(seen.stopCode, "TaskFailedToStart");
    assert.match(
      seen.stoppedReason ?? "",
      /ResourceInitializationError: .*the secret nobody of container main/,
    );
  });

  test("commands are executed where that is enabled", async () => {
    await cluster.define("shell", {
      name: "main",
      command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
    });
    const closed = await cluster.runOne("shell");
    const open = await cluster.runOne("shell", { enableExecuteCommand: true });
    await cluster.become(open, "RUNNING");
    const exec = (task: string, ...words: string[]): ReturnType<Fixture["cli"]> =>
      cluster.fixture.cli(["cluster", "exec", ...words.slice(0, -3), task, ...words.slice(-3)], {
        input: "typed\n",
      });
    const done = await exec(open, "sh", "-c", "echo out; echo 'two  words' >&2; exit 7");
    assert.deepEqual([done.status, done.stdout, done.stderr], [7, "out\n", "two  words\n"]);
    assert.equal((await exec(open, "-i", "sh", "-c", "cat")).stdout, "typed\n");
    assert.match((await exec(open, "-t", "sh", "-c", "tty; exit 0")).stdout, /\/dev\/(pts\/\d+|console)/);
    assert.match((await exec(closed, "sh", "-c", "true")).stderr, /execute command was not enabled/);
    const told = (task: string): Promise<unknown> =>
      cluster.client.send(new ExecuteCommandCommand({ task, command: "true", interactive: true }));
    await assert.rejects(told(closed), InvalidParameterException);
    await assert.rejects(told("0".repeat(32)), InvalidParameterException);
    for (const task of [open, closed]) await cluster.client.send(new StopTaskCommand({ task }));
    await cluster.become(open, "STOPPED");
    assert.match((await exec(open, "sh", "-c", "true")).stderr, /TargetNotConnectedException/);
    await assert.rejects(told(open), TargetNotConnectedException);
  });
});
