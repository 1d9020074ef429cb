// The runtime's arithmetic and texts: subnets, ports, rules, volumes, capabilities, the OCI configuration.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import { bootId } from "../../src/host/boot-id.ts";
import { stampAfter } from "../../src/host/stamp.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { learnedCapabilities } from "../../src/package/capabilities.ts";
import { newDescriptor, type Service } from "../../src/package/descriptor.ts";
import { compileInitPlan } from "../../src/package/init-plan.ts";
import { mergeEnvironment } from "../../src/runtime/environment.ts";
import { healthRule } from "../../src/runtime/health/rule.ts";
import { instancePaths } from "../../src/runtime/instance-paths.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import { parseLine } from "../../src/runtime/logs.ts";
import { macOf } from "../../src/runtime/network/devices.ts";
import { describePorts, exposedPorts, parsePublish } from "../../src/runtime/network/ports.ts";
import { addPortsText, deletePortsText } from "../../src/runtime/network/rules.ts";
import {
  capacity,
  collision,
  contains,
  formatAddress,
  formatSubnet,
  gatewayOf,
  parseAddress,
  parseRoutes,
  parseSubnet,
} from "../../src/runtime/network/subnet.ts";
import { capabilitySet, neededCapabilities } from "../../src/runtime/oci/capabilities.ts";
import { ociConfig } from "../../src/runtime/oci/config.ts";
import { defaultRules, seccompJson } from "../../src/runtime/oci/seccomp.ts";
import type { InstanceRecord } from "../../src/runtime/record.ts";
import { delayAfter } from "../../src/runtime/restart-delay.ts";
import { waitFor, waitInstance } from "../../src/runtime/stop.ts";
import { stopTime } from "../../src/runtime/stop-time.ts";
import { parseVolume } from "../../src/runtime/volumes/parse.ts";

const usage = (error: unknown): boolean => isTranshipError(error, "E_USAGE");

describe("subnets", () => {
  it("reads and writes addresses", () => {
    for (const text of ["0.0.0.0", "10.213.0.1", "255.255.255.255"]) {
      assert.equal(formatAddress(parseAddress(text) ?? -1), text);
    }
    for (const text of ["", "1.2.3", "1.2.3.256", "01.2.3.4", "a.b.c.d", "1.2.3.4.5"])
      assert.equal(parseAddress(text), undefined);
  });

  it("reads subnets and refuses what is none", () => {
    const subnet = parseSubnet("10.213.0.0/16");
    assert.equal(formatSubnet(subnet), "10.213.0.0/16");
    assert.equal(gatewayOf(subnet), "10.213.0.1");
    assert.equal(capacity(subnet), 65_533);
    assert.ok(contains(subnet, parseAddress("10.213.255.254") ?? 0));
    assert.ok(!contains(subnet, parseAddress("10.214.0.1") ?? 0));
    for (const text of ["10.213.0.1/16", "10.0.0.0/7", "10.0.0.0/30", "10.0.0.0", "x/16"])
      assert.throws(() => parseSubnet(text), usage);
  });

  it("finds the route that a subnet collides with, but not the default one or its own", () => {
    const routes = parseRoutes(
      "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n" +
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n" +
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n" +
        "tranship0\t0000D50A\t00000000\t0001\t0\t0\t0\t0000FFFF\n",
    );
    assert.deepEqual(
      routes.map((route) => formatSubnet(route.subnet)),
      ["0.0.0.0/0", "192.0.2.0/24", "10.213.0.0/16"],
    );
    assert.equal(collision(parseSubnet("192.0.2.0/25"), routes, "tranship0")?.device, "eth0");
    assert.equal(collision(parseSubnet("192.0.0.0/16"), routes, "tranship0")?.device, "eth0");
    assert.equal(collision(parseSubnet("10.213.0.0/16"), routes, "tranship0"), undefined);
    assert.equal(collision(parseSubnet("10.213.0.0/16"), routes, "tr12345678")?.device, "tranship0");
  });

  it("gives a locally administered unicast MAC", () => {
    assert.equal(macOf("a1b2c3d4e5f6"), "02:a1:b2:c3:d4:e5");
  });
});

describe("published ports", () => {
  it("reads docker's forms", () => {
    const port = (hostAddress: string, hostPort: number, containerPort: number, protocol = "tcp") => ({
      hostAddress,
      hostPort,
      containerPort,
      protocol,
    });
    assert.deepEqual(parsePublish("8080:80"), [port("", 8080, 80)]);
    assert.deepEqual(parsePublish("127.0.0.1:8080:80/udp"), [port("127.0.0.1", 8080, 80, "udp")]);
    assert.deepEqual(parsePublish("127.0.0.1::80"), [port("127.0.0.1", 0, 80)]);
    assert.deepEqual(parsePublish("0.0.0.0:1:2"), [port("", 1, 2)]);
    assert.deepEqual(parsePublish("80"), [port("", 0, 80)]);
    assert.deepEqual(parsePublish("127.0.0.1:0:80"), [port("127.0.0.1", 0, 80)]);
    assert.deepEqual(parsePublish("0:80-81"), [port("", 0, 80), port("", 0, 81)]);
    assert.deepEqual(parsePublish("7000-7001:80-81"), [port("", 7000, 80), port("", 7001, 81)]);
    assert.deepEqual(exposedPorts(["80/tcp", "53/udp", "nonsense", "99999"]), [
      port("", 0, 80),
      port("", 0, 53, "udp"),
    ]);
  });

  for (const text of [
    "",
    "x",
    "80:",
    "70000:80",
    "1:2:3:4",
    "1-2:80",
    "300.1.1.1:1:2",
    "[::1:80:80",
    "[fe80::x]:80:80",
    "80/sctp",
    "1-60000:1-60000",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parsePublish(text), usage);
    });
  }

  it("becomes elements of the maps", () => {
    const ports = [...parsePublish("8080:80"), ...parsePublish("127.0.0.1:53:53/udp")];
    assert.equal(
      addPortsText("t", "10.213.0.2", ports),
      "add element ip t ports { tcp . 8080 : 10.213.0.2 . 80 }\nadd element ip t bound { 127.0.0.1 . udp . 53 : 10.213.0.2 . 53 }\n",
    );
    assert.equal(
      deletePortsText("t", ports),
      "delete element ip t ports { tcp . 8080 }\ndelete element ip t bound { 127.0.0.1 . udp . 53 }\n",
    );
    assert.equal(describePorts(ports), "0.0.0.0:8080->80/tcp, 127.0.0.1:53->53/udp");
    const ranges = ["7000-7002:80-82", "53:53/udp", "7003:83", "127.0.0.1:7004:84", "9000:85", "9002:86"];
    assert.equal(
      describePorts(ranges.flatMap(parsePublish)),
      "0.0.0.0:7000-7003->80-83/tcp, 0.0.0.0:53->53/udp, 127.0.0.1:7004->84/tcp, 0.0.0.0:9000->85/tcp, 0.0.0.0:9002->86/tcp",
    );
  });
});

describe("volumes", () => {
  it("reads directories, names and anonymous ones", () => {
    const common = { readOnly: false, anonymous: false };
    assert.deepEqual(parseVolume("/a:/b/"), {
      ...common,
      kind: "bind",
      source: "/a",
      target: "/b",
      seed: false,
    });
    assert.deepEqual(parseVolume("data:/b:ro"), {
      ...common,
      kind: "volume",
      source: "data",
      target: "/b",
      seed: true,
      readOnly: true,
    });
    assert.deepEqual(parseVolume("/b"), {
      ...common,
      kind: "volume",
      source: "",
      target: "/b",
      seed: true,
      anonymous: true,
    });
  });

  for (const text of ["", "a", "a:b", "./a:/b", "/a:/", "/a:/b/../c", "/a:/b:rx", ":/b", "/a:/b:ro:rw"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseVolume(text), usage);
    });
  }
});

const record: InstanceRecord = {
  tranship: "instance",
  version: 1,
  id: "a".repeat(64),
  name: "able_anchor",
  createdAt: "2024-01-01T00:00:00Z",
  image: { reference: "box:1", digest: "sha256:0", diffIds: [] },
  engine: "namespace",
  command: [],
  terminal: false,
  interactive: false,
  environment: [],
  workingDirectory: "/",
  user: "",
  hostname: "old-web",
  network: { mode: "none", address: null, mac: null, ports: [] },
  mounts: [],
  secrets: [],
  limits: { memory: 64 << 20, cpus: 1.5, pids: 100 },
  capAdd: [],
  capDrop: [],
  readOnly: false,
  restart: { policy: "no", attempts: 0 },
  stop: { signal: "SIGTERM", timeout: 10_000 },
  labels: { "run.oci.keep_original_groups": "1" },
  autoRemove: false,
};

interface Config {
  annotations?: unknown;
  hooks?: unknown;
  process: {
    rlimits: { soft: number; hard: number }[];
    capabilities: { bounding: string[]; ambient: string[] };
  };
  linux: {
    cgroupsPath?: string;
    resources?: Record<string, Record<string, unknown>>;
    namespaces: { type: string }[];
  };
}

const configOf = (more: Partial<Parameters<typeof ociConfig>[0]> = {}): Config =>
  ociConfig({
    record,
    user: { uid: 0, gid: 0, groups: [] },
    terminal: false,
    console: {},
    rootfs: "/mnt",
    mounts: [],
    args: ["/.tranship/init"],
    environment: [],
    given: { ulimits: [{ name: "nofile", soft: 1024, hard: 20_000 }], oomScoreAdj: undefined, lowered: [] },
    rates: {},
    filter: {},
    devices: [],
    cgroups: true,
    rootless: false,
    ...more,
  }) as Config;

describe("OCI configuration", () => {
  it("sets the limits that were asked for, and no others", () => {
    const { process, linux } = configOf();
    assert.deepEqual(process.rlimits, [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 20_000 }]);
    const whole = {
      ...record.limits,
      memorySwap: 128 << 20,
      cpuShares: 512,
      cpusetCpus: "0",
      blkioWeight: 300,
      shmSize: 4096,
    };
    const given = { ulimits: [{ name: "core", soft: 0, hard: null }], oomScoreAdj: 300, lowered: [] };
    const rates = { "read-bps": [{ major: 8, minor: 0, rate: 1000 }] };
    const text = JSON.stringify(configOf({ record: { ...record, limits: whole }, given, rates }));
    assert.match(text, /"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615\}/);
    for (const part of [
      '"oomScoreAdj":300',
      '"memory":{"limit":67108864,"swap":134217728}',
      '"cpu":{"quota":150000,"period":100000,"shares":512,"cpus":"0"}',
      '"blockIO":{"weight":300,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1000}]}',
      '"mode=1777","size=4096"',
    ])
      assert.ok(text.includes(part), `${part} in ${text}`);
    assert.equal(linux.cgroupsPath, `/${instanceGroup(record.id)}`);
    assert.deepEqual(linux.resources?.memory, { limit: 64 << 20 });
    assert.deepEqual(linux.resources?.cpu, { quota: 150_000, period: 100_000 });
    assert.equal(configOf({ cgroups: false }).linux.cgroupsPath, undefined);
  });

  it("carries nothing of an image but what is meant to: no annotations, no hooks, no network namespace", () => {
    const config = configOf();
    assert.equal(config.annotations, undefined);
    assert.equal(config.hooks, undefined);
    assert.doesNotMatch(JSON.stringify(config), /run\.oci/);
    assert.deepEqual(
      config.linux.namespaces.map((one) => one.type),
      ["pid", "ipc", "uts", "mount", "cgroup"],
    );
    assert.deepEqual(config.process.capabilities.ambient, []);
  });

  it("counts capabilities as docker does", () => {
    assert.equal(capabilitySet([], []).length, 14);
    assert.deepEqual(capabilitySet(["net_admin"], ["ALL"]), ["CAP_NET_ADMIN"]);
    assert.ok(!capabilitySet([], ["CAP_NET_RAW"]).includes("CAP_NET_RAW"));
    assert.ok(capabilitySet(["ALL"], ["SYS_ADMIN"]).length > 30);
    assert.throws(() => capabilitySet(["NONSENSE"], []), usage);
    assert.deepEqual(capabilitySet(["NET_ADMIN"], ["KILL"], ["KILL", "CHOWN"]), [
      "CAP_CHOWN",
      "CAP_NET_ADMIN",
    ]);
    assert.deepEqual(neededCapabilities(["CHOWN", "SYS_ADMIN"]), {
      given: ["CHOWN"],
      withheld: ["SYS_ADMIN"],
    });
  });

  it("drops what a package had no call for, and nothing that any call may need", () => {
    const few = learnedCapabilities(["read", "openat", "setuid"]);
    assert.deepEqual(few, ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"]);
    assert.equal(learnedCapabilities(["mknod", "socket", "bind", "setxattr", "prctl", "chroot"]).length, 14);
  });

  it("refuses a system call only without the capability that permits it", () => {
    const allowed = (name: string, ...capabilities: string[]): boolean =>
      defaultRules(capabilities).allowed.has(name);
    assert.deepEqual(
      ["mount", "clone3", "clone", "keyctl"].map((name) => allowed(name)),
      [false, false, false, false],
    );
    assert.deepEqual(
      ["mount", "clone3", "clone", "keyctl"].map((name) => allowed(name, "CAP_SYS_ADMIN")),
      [true, true, true, false],
    );
    assert.equal(defaultRules([]).errno.get("clone3"), 38);
    const told = JSON.stringify(
      seccompJson(defaultRules([]), "x64", { socket: "/s", names: ["mount", "read"] }),
    );
    assert.match(told, /"listenerPath":"\/s".*"names":\["mount"\],"action":"SCMP_ACT_NOTIFY"/);
  });
});

describe("environment and log", () => {
  it("lets later variables win and drops what is none", () => {
    assert.deepEqual(mergeEnvironment(["A=1", "B=2"], ["A=3", "=x", "none"]), ["A=3", "B=2"]);
  });

  it("takes lines of init only: the instance can write into its log", () => {
    const line = { log: "text\n", stream: "stderr", time: "2024-01-01T00:00:00Z", service: "web" };
    assert.deepEqual(parseLine(JSON.stringify(line)), {
      text: "text\n",
      stream: "stderr",
      time: line.time,
      service: "web",
      partial: false,
    });
    for (const text of ["", "{", "null", "[]", '{"log":1,"time":"x"}'])
      assert.equal(parseLine(text), undefined);
  });
});

it("an instance is given the time to stop that its services have together", () => {
  const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" };
  const descriptor = {
    ...newDescriptor({ id: "a", name: "a", version: "1", publisher: "" }, origin),
    programs: [{ name: "p", command: ["/x"] }],
  };
  const withServices = (...services: Partial<Service>[]) =>
    compileInitPlan({
      ...descriptor,
      services: services.map((one, i) => ({ name: `s${i}`, program: "p", ...one })),
    });
  const slow = { stop: { timeout: "60s" } };
  assert.equal(stopTime(withServices(slow, slow), []), 123_000);
  assert.equal(stopTime(withServices(slow, { ...slow, startup: "disabled" }), []), 63_000);
  assert.equal(stopTime(withServices({ stop: { timeout: "1s" } }), []), 10_000);
  assert.equal(stopTime(withServices(slow), ["@p"]), 10_000);
  assert.equal(stopTime(undefined, []), 10_000);
});

it("names sort in the order in which they were made, also where the clock was set back", () => {
  const ahead = String(Date.now() + 3_600_000).padStart(15, "0");
  const next = stampAfter([`${ahead}-1-0.json`, "events.jsonl", `events-${"0".repeat(15)}-2-3.jsonl`]);
  assert.equal(next, String(Number(ahead) + 1).padStart(15, "0"));
  assert.ok(Math.abs(Number(stampAfter([])) - Date.now()) < 60_000);
});

it("a restart rule waits twice as long after each end, and from the beginning after ten seconds, by a clock that nobody sets", () => {
  let last: { delay?: number; startedClock: number } = { startedClock: 1000 };
  const waits = Array.from({ length: 12 }, () => {
    const delay = delayAfter(last, last.startedClock + 50);
    last = { delay, startedClock: last.startedClock + 50 + delay };
    return delay;
  });
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  assert.equal(delayAfter(last, last.startedClock + 10_000), 100);
  // A record of an older Tranship has no such clock.
  assert.equal(delayAfter({ delay: 400 }, 1e9), 800);
});

it("a health check takes its times from the image as far as they are any, else docker's", () => {
  const Test = ["CMD", "check"];
  const rule = (more: object): unknown => healthRule({}, { Test, ...more });
  const plain = {
    command: ["check"], interval: 30_000, timeout: 30_000, retries: 3, startPeriod: 0, startInterval: 5000, onFailure: "none",
  }; // biome-ignore format: short
  assert.deepEqual(rule({}), plain);
  assert.deepEqual(rule({ Interval: 2_000_000_000, Timeout: 1, Retries: 7 }), {
    ...plain, interval: 2000, timeout: 1, retries: 7,
  }); // biome-ignore format: short
  for (const wrong of ["5s", {}, [3], true, null, -1, 1e300, Number.NaN])
    assert.deepEqual(
      rule({ Interval: wrong, Timeout: wrong, StartPeriod: wrong, StartInterval: wrong, Retries: wrong }),
      plain,
    );
  for (const wrong of ["CMD", ["CMD"], ["CMD", 3], ["OTHER", "x"], ["NONE"], undefined])
    assert.equal(healthRule({}, { Test: wrong as never }), undefined);
  assert.throws(() => healthRule({ interval: 5 }, undefined), usage);
  assert.throws(() => healthRule({ command: ["\u{1f600}".repeat(20_000)] }, undefined), usage);
});

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

it("waiting for a condition ends with the instance that is removed", { timeout: 10_000 }, async (t) => {
  const root = openStateRoot(mkdtempSync(join(tmpdir(), "tranship-unit-wait-")));
  t.after(() => rmSync(root.path, { recursive: true, force: true }));
  const id = "a".repeat(64);
  const { directory, record } = instancePaths(root, id);
  mkdirSync(directory);
  const value = { tranship: "instance", version: 1, id, name: "x", restart: { policy: "no" } };
  writeFileSync(record, JSON.stringify(value));
  const waiting = waitFor(root, id, new Set(["running"]), silent);
  setTimeout(() => rmSync(directory, { recursive: true }), 120);
  assert.equal(await waiting, 255);
});

it("the status of a killed instance is what its monitor saw, whoever else deals with the end", {
  timeout: 30_000,
}, async (t) => {
  const root = openStateRoot(mkdtempSync(join(tmpdir(), "tranship-unit-end-")));
  t.after(() => rmSync(root.path, { recursive: true, force: true }));
  const launch = {
    bootId: bootId(),
    startedAt: "2026-01-01T00:00:00.000Z",
    mode: "detached",
    acknowledged: true,
    starter: { pid: 1, startTime: "-" },
  };
  const name = `${launch.startedAt}/1`;
  for (const [digit, ended, status] of [
    ["a", `${name} 137`, 137],
    ["b", `${name}0 137`, 255],
    ["c", name, 255],
  ] as const) {
    const id = digit.repeat(64);
    const paths = instancePaths(root, id);
    mkdirSync(paths.run, { recursive: true });
    const value = {
      tranship: "instance", version: 1, id, name: digit, restart: { policy: "no" }, image: { reference: "x" }, labels: {},
      limits: { memory: null }, network: { mode: "none", ports: [] }, mounts: [],
    }; // biome-ignore format: short
    writeFileSync(paths.record, JSON.stringify(value));
    writeFileSync(paths.launch, JSON.stringify(launch));
    writeFileSync(paths.chainEnded, ended);
    assert.equal(await waitInstance(root, id, silent), status);
  }
});
