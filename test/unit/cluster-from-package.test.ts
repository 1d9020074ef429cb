// A package as a task definition.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterTaskDefinitionRequest } from "../../src/cluster/api/shapes.ts";
import { deploymentOf, taskDefinitionOf } from "../../src/cluster/from-package.ts";
import { type Descriptor, newDescriptor } from "../../src/package/descriptor.ts";

const plain = newDescriptor(
  { id: "shop", name: "shop", version: "1", publisher: "" },
  { os: { id: "debian", version: "11" }, kernel: "5.10", architecture: "amd64" },
);

function registered(described: Descriptor): RegisterTaskDefinitionRequest {
  return taskDefinitionOf(described, {
    service: "shop",
    image: "registry.test/shop:1",
    memory: 256,
    needs: [],
    secrets: new Map(),
    hostPorts: new Map([[80, 8080]]),
  });
}

test("a learned list of calls and a MAC address go with it as labels, for nodes beside our own runtime", () => {
  assert.equal(registered(plain).containerDefinitions[0]?.dockerLabels, undefined);
  const own: Descriptor = {
    ...plain,
    identity: { ...plain.identity, macAddress: "02:00:5e:10:d0:c4" },
    syscalls: { ...plain.syscalls, profile: "learned", calls: ["openat", "read"] },
  };
  assert.deepEqual(registered(own).containerDefinitions[0]?.dockerLabels, {
    "com.tranship.mac-address": "02:00:5e:10:d0:c4",
    "com.tranship.syscalls": "openat read",
  });
  // The engine's own list is used where nothing was learned.
  const usual: Descriptor = { ...plain, syscalls: { ...plain.syscalls, calls: ["openat"] } };
  assert.equal(registered(usual).containerDefinitions[0]?.dockerLabels, undefined);
});

test("a task counts when the package's services are ready, where it says what that is", () => {
  const web = { name: "web", program: "web" };
  const checked = (...services: Descriptor["services"][number][]): unknown =>
    registered({ ...plain, services }).containerDefinitions[0]?.healthCheck;
  assert.equal(checked(web), undefined);
  assert.equal(checked({ ...web, readiness: { timeout: "9s" } }), undefined);
  assert.equal(checked({ ...web, startup: "manual", readiness: { port: 80 } }), undefined);
  const check = { command: ["CMD", "/.tranship/init", "--ready"], interval: 5, timeout: 5, retries: 3 };
  assert.deepEqual(checked({ ...web, readiness: { port: 80 } }), { ...check, startPeriod: 30 });
  const slow = { name: "slow", program: "slow", readiness: { log: "ready", timeout: "1500ms" } };
  assert.deepEqual(checked({ ...web, readiness: { file: "/run/web" } }, slow), { ...check, startPeriod: 32 });
  const longest = { ...web, readiness: { exec: ["/bin/true"], timeout: "1h" } };
  assert.deepEqual(checked(longest), { ...check, startPeriod: 300 });
});

test("data is of one task at a time, unless its programs share it", () => {
  const path = "/var/lib/shop";
  const data: Descriptor = { ...plain, volumes: [{ path } as Descriptor["volumes"][number]] };
  const percents = (described: Descriptor, shared: boolean, fixed = false, count = 1): unknown[] => {
    const { minimumHealthyPercent, maximumPercent } = deploymentOf(described, { shared, fixed, count });
    return [minimumHealthyPercent, maximumPercent];
  };
  assert.deepEqual(percents(data, false), [0, 100]);
  assert.deepEqual(percents(data, true), [100, 200]);
  assert.deepEqual(percents(plain, false), [100, 200]);
  // Two tasks of a node cannot have the same of its ports.
  assert.deepEqual(percents(plain, false, true), [0, 100]);
  // On several nodes one lets it go after the other.
  assert.deepEqual(percents(plain, false, true, 2), [50, 100]);
  assert.deepEqual(percents(plain, false, true, 3), [66, 100]);
  assert.deepEqual(percents(data, false, true, 1), [0, 100]);
  assert.deepEqual(registered(data).containerDefinitions[0]?.mountPoints, [
    { sourceVolume: "shop-data-1", containerPath: path },
  ]);
});

test("ports keep the node's that was asked for; others get a free one", () => {
  const ports = [80, 443].map((port) => ({ port, protocol: "tcp" }) as Descriptor["ports"][number]);
  assert.deepEqual(registered({ ...plain, ports }).containerDefinitions[0]?.portMappings, [
    { containerPort: 80, hostPort: 8080, protocol: "tcp" },
    { containerPort: 443, hostPort: 0, protocol: "tcp" },
  ]);
});
