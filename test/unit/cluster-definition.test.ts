// What containers need of each other: declared, by links, by borrowed volumes.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerDefinition, TaskDefinition } from "../../src/cluster/api/shapes.ts";
import { checkDefinition, checkSizes, plainSizes } from "../../src/cluster/control/check-definition.ts";
import { checkWords } from "../../src/cluster/control/check-words.ts";
import { containerSpec } from "../../src/cluster/drivers/docker/container-spec.ts";
import { refusalOfEngine } from "../../src/cluster/drivers/docker/refusals.ts";
import type { TaskSpec } from "../../src/cluster/drivers/driver.ts";
import { refusalOf } from "../../src/cluster/drivers/local/refusals.ts";
import { nextActions, type TaskState } from "../../src/cluster/drivers/supervisor.ts";

const container = (name: string, more: ContainerDefinition = {}): ContainerDefinition => ({
  name,
  image: "box:1",
  memory: 32,
  ...more,
});
const check = (...containerDefinitions: ContainerDefinition[]): void =>
  checkDefinition({ family: "f", containerDefinitions });

test("a circle is refused, by whatever way it closes", () => {
  const links = container("a", { links: ["b:other"] });
  check(links, container("b"));
  for (const back of [
    { links: ["a"] },
    { volumesFrom: [{ sourceContainer: "a" }] },
    { dependsOn: [{ containerName: "a", condition: "START" as const }] },
  ])
    assert.throws(() => check(links, container("b", back)), /in a circle: a -> b -> a/);
  assert.throws(() => check(container("a", { links: ["a"] })), /in a circle: a -> a/);
});

test("words, names of variables and paths that the program would get otherwise are refused", () => {
  const refused: [ContainerDefinition, RegExp][] = [
    [{ command: ["a\0b"] }, /has a NUL/],
    [{ entryPoint: ["a\0b"] }, /has a NUL/],
    [{ environment: [{ name: "A", value: "b\0" }] }, /has a NUL/],
    [{ environment: [{ name: "", value: "b" }] }, /"" cannot be the name of a variable/],
    [{ environment: [{ value: "b" }] }, /cannot be the name/],
    [{ environment: [{ name: "A=B", value: "b" }] }, /"A=B" cannot be the name/],
    [{ secrets: [{ name: "A=B", valueFrom: "s" }] }, /"A=B" cannot be the name/],
  ];
  for (const [more, words] of refused)
    assert.throws(() => check(container("a", more)), words, JSON.stringify(more));
  check(container("a", { secrets: [{ name: "/etc/a=b", valueFrom: "s" }] }));
  check(container("a", { environment: [{ name: "a.b-c", value: "=" }], command: [""] }));
  assert.throws(() => checkWords({ name: "a", environment: [{ name: "A=B" }] }), /"A=B"/);

  const mounted = (containerPath: string | undefined, sourcePath?: string): void =>
    checkDefinition({
      family: "f",
      volumes: [{ name: "v", ...(sourcePath === undefined ? {} : { host: { sourcePath } }) }],
      containerDefinitions: [container("a", { mountPoints: [{ sourceVolume: "v", containerPath }] })],
    });
  mounted("/data", "/srv/data");
  for (const path of [undefined, "", "data", "/", "/..", "/a\0b"])
    assert.throws(() => mounted(path), /is not an absolute path below the root/, path);
  for (const path of ["", "srv", "../etc"])
    assert.throws(() => mounted("/data", path), /sourcePath '.*' is not an absolute path/, path);
});

test("what is needed must be there", () => {
  assert.throws(() => check(container("a", { links: ["c"] })), /'a' needs 'c'/);
  assert.throws(() => check(container("a", { volumesFrom: [{ sourceContainer: "c" }] })), /'a' needs 'c'/);
});

test("what links or lends volumes starts first", () => {
  const definitions = [
    container("a", { links: ["b:other"] }),
    container("b", { volumesFrom: [{ sourceContainer: "c" }] }),
    container("c"),
  ];
  const state: TaskState = {
    createdAt: 0,
    containers: definitions.map(({ name = "" }) => ({ name, status: "PENDING", restarts: 0 })),
  };
  const order: string[] = [];
  for (let round = 0; round < 3; round++)
    for (const action of nextActions(definitions, state, 1)) {
      order.push(`${action.do} ${action.name}`);
      const one = state.containers.find(({ name }) => name === action.name);
      if (one !== undefined) Object.assign(one, { status: "RUNNING", startedAt: 1 });
    }
  assert.deepEqual(order, ["start c", "start b", "start a"]);
});

test("sizes of a task are kept as numbers, so that nobody misses a unit", () => {
  assert.deepEqual(plainSizes({ cpu: "0.25 vCPU", memory: "0.5 GB" }), { cpu: "256", memory: "512" });
  assert.deepEqual(plainSizes({ cpu: "1024" }), { cpu: "1024" });
  assert.deepEqual(plainSizes({}), {});
  for (const given of [{ memory: "much" }, { memory: "1 vCPU" }, { cpu: "-1" }, { cpu: "0" }])
    assert.throws(() => checkSizes(given), /Invalid '(cpu|memory)' setting for task/);
});

test("other hosts have a name, an address, and a network that is the container's", () => {
  const hosts = (hostname: string, ipAddress: string): ContainerDefinition =>
    container("a", { extraHosts: [{ hostname, ipAddress }] });
  check(hosts("db.old", "192.0.2.7"));
  check(hosts("db", "2001:db8::7"));
  assert.throws(() => check(hosts("db old", "192.0.2.7")), /Invalid hostname 'db old'/);
  assert.throws(() => check(hosts("db", "192.0.2.7\n10.0.0.1 x")), /Invalid ipAddress/);
  const given = { family: "f", networkMode: "awsvpc" as const };
  assert.throws(
    () => checkDefinition({ ...given, containerDefinitions: [hosts("db", "192.0.2.7")] }),
    /not supported when networkMode=awsvpc/,
  );
});

test("what no node honours is refused by its name", () => {
  const both = [refusalOf, refusalOfEngine];
  const definition = (more: TaskDefinition): TaskDefinition => ({
    containerDefinitions: [container("a")],
    ...more,
  });
  for (const [more, name] of [
    [
      { runtimePlatform: { operatingSystemFamily: "WINDOWS_SERVER_2022_CORE" } },
      /operatingSystemFamily WINDOWS/,
    ],
    [{ ephemeralStorage: { sizeInGiB: 30 } }, /ephemeralStorage/],
    [{ enableFaultInjection: true }, /enableFaultInjection/],
    [{ volumes: [{ name: "data", configuredAtLaunch: true }] }, /configuredAtLaunch of the volume data/],
    [
      { volumes: [{ name: "data", dockerVolumeConfiguration: { scope: "shared", autoprovision: false } }] },
      /autoprovision false of the volume data/,
    ],
    [
      { containerDefinitions: [container("a", { versionConsistency: "enabled" })] },
      /versionConsistency enabled \(container a\)/,
    ],
  ] as const)
    for (const refuses of both) assert.match(refuses(definition(more as TaskDefinition)) ?? "", name);
  for (const refuses of both)
    assert.equal(refuses(definition({ runtimePlatform: { operatingSystemFamily: "LINUX" } })), undefined);
  const tuned = (linuxParameters: ContainerDefinition["linuxParameters"]): TaskDefinition => ({
    containerDefinitions: [container("a", { linuxParameters })],
  });
  const controls = (namespace: string): TaskDefinition => ({
    containerDefinitions: [container("a", { systemControls: [{ namespace, value: "1" }] })],
  });
  assert.equal(refusalOf(controls("kernel.msgmax")), undefined);
  assert.equal(refusalOf(controls("fs.mqueue.queues_max")), undefined);
  assert.equal(refusalOf(controls("net.ipv4.ip_forward")), undefined);
  for (const refuses of both)
    assert.match(
      refuses({ ...controls("net.ipv4.ip_forward"), networkMode: "host" }) ?? "",
      /systemControls of a network with networkMode host/,
    );
  const mounted = (...mountOptions: string[]): TaskDefinition =>
    tuned({ tmpfs: [{ containerPath: "/t", size: 1, mountOptions }] });
  assert.equal(refusalOf(mounted("exec", "mode=0700", "uid=1")), undefined);
  for (const [given, name] of [
    [tuned({ swappiness: 10 }), /swappiness/],
    [mounted("exec", "suid"), /tmpfs.mountOptions/],
    [mounted("bind"), /tmpfs.mountOptions/],
    [controls("kernel.core_pattern"), /systemControls that are not of the ipc or network namespace/],
  ] as const) {
    assert.match(refusalOf(given) ?? "", name);
    assert.equal(refusalOfEngine(given), undefined);
  }
});

test("name servers are addresses, and domains are names", () => {
  check(
    container("a", { dnsServers: ["192.0.2.53", "2001:db8::53"], dnsSearchDomains: ["old.example", "."] }),
  );
  for (const dnsServers of [["ns.example"], ["192.0.2.53\nsearch x"], [""]])
    assert.throws(() => check(container("a", { dnsServers })), /Invalid address/);
  for (const dnsSearchDomains of [["a b"], ["x\nnameserver 192.0.2.1"], [""]])
    assert.throws(() => check(container("a", { dnsSearchDomains })), /Invalid domain/);
});

test("a narrower filter never allows what the engine's own refuses", () => {
  const label = { "com.tranship.syscalls": "read mount init_module bpf sync" };
  const spec: TaskSpec = {
    ...{ id: "0".repeat(32), taskArn: "arn", cluster: "c", node: "n", family: "f", revision: 1, group: "g" },
    definition: {},
    overrides: {},
    enableExecuteCommand: false,
    containerArns: {},
    inputs: {},
    exclusive: false,
    createdAt: 0,
  };
  const profile = (more: ContainerDefinition): { allowed: string[]; action: string } => {
    const { SecurityOpt } = containerSpec(spec, container("a", more), undefined).HostConfig;
    const [, text = "{}"] = /^seccomp=(.*)$/.exec((SecurityOpt as string[] | undefined)?.[0] ?? "") ?? [];
    const { defaultAction = "", syscalls = [] } = JSON.parse(text) as {
      defaultAction?: string;
      syscalls?: { names: string[]; action: string }[];
    };
    const allowed = syscalls
      .filter(({ action }) => action === "SCMP_ACT_ALLOW")
      .flatMap(({ names }) => names);
    return { allowed, action: defaultAction };
  };
  assert.equal(profile({}).action, "", "without the label the engine's own");
  const { allowed, action } = profile({ dockerLabels: label });
  assert.equal(action, "SCMP_ACT_ERRNO");
  assert.ok(allowed.includes("read") && allowed.includes("sync") && !allowed.includes("mknod"));
  for (const name of ["mount", "init_module", "bpf"]) assert.ok(!allowed.includes(name), name);
});
