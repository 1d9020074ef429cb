// Plans of made-up machines: the same evidence gives the same plan, in whatever order it came.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeApplication } from "../../../src/capture/application/application.ts";
import { type Evidence, newEvidence, noteUse } from "../../../src/capture/evidence/evidence.ts";
import { makePlan, type PlanRequest } from "../../../src/capture/plan/make-plan.ts";
import type { Plan } from "../../../src/capture/plan/plan.ts";
import { printPlan } from "../../../src/capture/plan/print-plan.ts";
import { loadInstalled } from "../../../src/closure/installed.ts";
import { memoryMachine } from "../../support/memory-machine.ts";

const machine = memoryMachine({
  "/etc/os-release": "ID=debian\nVERSION_ID=11\n",
  "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
  "/etc/app/app.conf": "data=/srv/app\n",
  "/etc/app/key.pem": { text: "-----BEGIN PRIVATE KEY-----\nx\n", mode: 0o600 },
  "/opt/app/bin/app": { text: "#!/bin/sh\n", mode: 0o755 },
  "/opt/app/share/a": "a",
  "/opt/app/share/b": "b",
  "/srv/app/data": "d",
  "/var/lib/other/data": "d",
  "/run/app": { kind: "directory" },
  "/run/web": { kind: "directory" },
  "/bin/sh": { text: "sh", mode: 0o755 },
});

type Step = (evidence: Evidence) => void;
const use = (...[path, how, by]: [string, Parameters<typeof noteUse>[2], string]): Step => {
  return (evidence) => {
    noteUse(evidence, path, how, by).found = true;
  };
};
const listen = (port: number, address: string): Step => {
  return (evidence) => evidence.listeners.push({ family: "inet", address, port, protocol: "tcp" });
};
const steps: readonly Step[] = [
  use("/opt/app/bin/app", "exec", "/bin/sh"),
  use("/opt/app/bin/app", "read", "/bin/sh"),
  use("/etc/app/app.conf", "read", "/opt/app/bin/app"),
  use("/etc/app/app.conf", "stat", "/opt/app/bin/app"),
  use("/etc/app/key.pem", "read", "/opt/app/bin/app"),
  use("/opt/app/share", "list", "/opt/app/bin/app"),
  use("/srv/app/data", "write", "/opt/app/bin/app"),
  use("/var/lib/other/data", "write", "/opt/app/bin/app"),
  use("/run/web", "stat", "/opt/app/bin/app"),
  use("/run/app", "stat", "/opt/app/bin/app"),
  listen(8080, "0.0.0.0"),
  listen(80, "0.0.0.0"),
  listen(9000, "127.0.0.1"),
];

async function planOf(evidence: Evidence | undefined, more: Partial<PlanRequest> = {}): Promise<Plan> {
  const none = { name: "app", services: [], command: ["/opt/app/bin/app"], environment: {}, ports: [] };
  const { plan } = await makePlan({
    machine,
    descriptor: await describeApplication(machine, none),
    installed: await loadInstalled(machine.files),
    evidence,
    seeds: [],
    include: [],
    filters: [],
    volumes: [],
    keepSecrets: [],
    closure: true,
    ...more,
  });
  return plan;
}

function evidenceOf(order: readonly Step[]): Evidence {
  const evidence = newEvidence();
  for (const one of order) one(evidence);
  return evidence;
}

test("the order of the evidence tells nowhere in the plan", async () => {
  const first = await planOf(evidenceOf(steps));
  assert.deepEqual(
    first.package.ports.map((port) => port.port),
    [80, 8080],
  );
  assert.deepEqual(
    first.package.volumes.map((volume) => volume.path),
    ["/srv/app", "/var/lib/other"],
  );
  assert.deepEqual(
    first.package.directories.map((directory) => directory.path),
    ["/run/app", "/run/web"],
  );
  const order = fc.shuffledSubarray([...steps], { minLength: steps.length });
  await fc.assert(
    fc.asyncProperty(order, async (shuffled) => {
      assert.equal(printPlan(await planOf(evidenceOf(shuffled))), printPlan(first));
    }),
    { numRuns: 15 },
  );
});

test("secrets are listed and left out, unless they are to be kept", async () => {
  const files = (plan: Plan) => plan.groups.flatMap((group) => group.files);
  const without = await planOf(evidenceOf(steps));
  assert.equal(files(without).includes("/etc/app/key.pem"), false);
  assert.deepEqual(without.package.secrets, [
    { path: "/etc/app/key.pem", delivery: "mount", required: true, reason: "private key" },
  ]);
  const kept = await planOf(evidenceOf(steps), { keepSecrets: ["/etc/app/key.pem"] });
  assert.ok(files(kept).includes("/etc/app/key.pem"));
  assert.deepEqual(kept.package.secrets, []);
});

test("what is asked for and not there is told", async () => {
  const plan = await planOf(evidenceOf(steps), {
    include: ["/opt/nowhere/**", "/opt/app/share/a"],
    keepSecrets: ["/etc/app/none.key"],
  });
  const told = plan.missing.map((one) => `${one.path}: ${one.why}`);
  assert.deepEqual(
    told.filter((line) => line.includes("--")),
    ["/etc/app/none.key: asked for: --keep-secret", "/opt/nowhere/**: asked for: --include"],
  );
});

test("data that a link leads to is a volume, whether the directory or something below it is the link", async () => {
  const linked = memoryMachine({
    "/etc/os-release": "ID=debian\nVERSION_ID=11\n",
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/bin/sh": { text: "sh", mode: 0o755 },
    "/opt/app/bin/app": { text: "#!/bin/sh\n", mode: 0o755 },
    "/var/lib/shop/main": "-> /srv/data/main",
    "/var/lib/shop/conf": "-> /etc/shop",
    "/var/lib/shop/all": "-> /srv",
    "/var/lib/shop/round": "-> /var/lib/shop/round",
    "/var/lib/shop/programs": "-> /usr/local/shop",
    "/var/lib/shop/table": "-> ../../../mnt/fast/shop/table",
    "/srv/data/main/rows": "123456789",
    "/srv/data/main/space": "-> /mnt/more/space",
    "/mnt/more/space/1": "1234",
    "/mnt/fast/shop/table": "12",
    "/etc/shop/conf": "x",
    "/usr/local/shop/program": "x",
    "/var/lib/till": "-> /data/till",
    "/data/till/rows": "123",
  });
  const given = [{ path: "/var/lib/till", initial: "copy" as const, reason: "data base directory" }];
  const none = { name: "app", services: [], command: ["/opt/app/bin/app"], environment: {}, ports: [] };
  const descriptor = { ...(await describeApplication(linked, none)), volumes: given };
  const evidence = evidenceOf([use("/var/lib/shop/lock", "create", "/opt/app/bin/app")]);
  const include = ["/srv/**", "/mnt/**", "/data/**", "/var/lib/**", "/etc/shop/**", "/usr/local/**"];
  const plan = await planOf(evidence, { machine: linked, descriptor, include });
  assert.deepEqual(plan.package.volumes.map(({ path, size, reason }) => `${path} ${size} ${reason}`).sort(), [
    "/data/till 3B data base directory",
    "/mnt/fast/shop 2B data that /var/lib/shop/table leads to",
    "/mnt/more/space 4B data that /srv/data/main/space leads to",
    "/srv/data/main 9B data that /var/lib/shop/main leads to",
    "/var/lib/shop 0B written while traced",
  ]);
  assert.deepEqual(
    (plan.data ?? []).map((one) => one.path).sort(),
    plan.package.volumes.map((volume) => volume.path).sort(),
  );
});

test("data that configuration names and that was written to is one volume, whatever part of it was written", async () => {
  const machine = memoryMachine({ "/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/srv/one/deep/a": "1", "/srv/two/b": "2", "/srv/three/c": "3" }); // biome-ignore format: short
  const written = ["/srv/one/deep/new", "/srv/two/new"];
  const data = ["/srv/one", "/srv/two", "/srv/three", "/srv/none"].map((path) => ({
    path,
    from: "/etc/x.conf",
  }));
  const evidence = evidenceOf(written.map((path) => use(path, "write", "/opt/app/bin/app")));
  const plan = await planOf(evidence, { machine, data });
  assert.deepEqual(plan.package.volumes.map(({ path, reason }) => `${path} ${reason}`).sort(), [
    "/srv/one data directory by /etc/x.conf",
    "/srv/three data directory by /etc/x.conf",
    "/srv/two written while traced",
  ]);
});

test("byte code that Python writes beside its modules is no data", async () => {
  const python = memoryMachine({
    "/etc/os-release": "ID=debian\nVERSION_ID=11\n",
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "/bin/sh": { text: "sh", mode: 0o755 },
    "/opt/app/bin/app": { text: "#!/bin/sh\n", mode: 0o755 },
    "/srv/app/shop.py": "x",
    "/srv/app/__pycache__/shop.cpython-39.pyc": "x",
    "/srv/old/shop.py": "x",
    "/srv/rows/__pycache__/shop.cpython-39.pyc": "x",
    "/srv/rows/table": "x",
  });
  const written = [
    "/srv/app/__pycache__/shop.cpython-39.pyc.140213",
    "/srv/app/__pycache__/shop.cpython-39.pyc",
    "/srv/app/lib/__pycache__",
    "/srv/old/shop.pyc",
    "/srv/rows/__pycache__/shop.cpython-39.pyc",
    "/srv/rows/table",
  ];
  const evidence = evidenceOf(written.map((path) => use(path, "write", "/opt/app/bin/app")));
  const none = { name: "app", services: [], command: ["/opt/app/bin/app"], environment: {}, ports: [] };
  const descriptor = await describeApplication(python, none);
  const plan = await planOf(evidence, { machine: python, descriptor, include: ["/srv/**"] });
  assert.deepEqual(
    plan.package.volumes.map((volume) => volume.path),
    ["/srv/rows"],
  );
});
