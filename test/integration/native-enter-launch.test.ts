// Instances: overlay, veth and OCI runtime in namespaces that end with them. All of it inside a network namespace of
// the test's own, which a holder process keeps.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { removeCgroup } from "../../src/host/cgroup.ts";
import { type EnterMount, launchCall } from "../../src/host/enter.ts";
import {
  bridgeDownArguments,
  bridgeUpArguments,
  rewireArguments,
  type VethOptions,
} from "../../src/host/enter-network.ts";
import { type StartOptions, startEnter } from "../../src/host/enter-process.ts";
import { nativePath } from "../../src/host/native.ts";
import {
  debianRoot,
  eventually,
  linksOf,
  makeDir,
  mountTargets,
  noRoot,
  runEnter,
  temporary,
} from "../support/enter.ts";

const skip = noRoot;

interface Net {
  holder: number;
  through: readonly string[];
  enter(args: readonly string[]): { status: number | null; stderr: string };
}

/** A network namespace that ends with the test. */
async function privateNet(t: TestContext): Promise<Net> {
  const holder: ChildProcess = spawn("unshare", ["-n", "sleep", "600"], { stdio: "ignore" });
  const pid = holder.pid ?? 0;
  t.after(() => holder.kill("SIGKILL"));
  await eventually(
    "the holder is in its namespace",
    () => readFileSync(`/proc/${pid}/comm`, "latin1") === "sleep\n",
  );
  const through = ["nsenter", "-t", String(pid), "-n"];
  const enter = (args: readonly string[]) =>
    spawnSync("nsenter", [...through.slice(1), nativePath("enter"), ...args], { encoding: "latin1" });
  return { holder: pid, through, enter };
}

const bridge = "br-test";

function veth(number: number): VethOptions {
  return {
    name: `vt${number}`,
    bridge,
    addresses: [`10.99.7.${number}/24`, `fd00:99:7::${number}/64`],
    gateways: ["10.99.7.1", "fd00:99:7::1"],
    mac: `02:00:00:00:00:0${number}`,
  };
}

function overlayAt(dir: string): { mounts: EnterMount[]; at: string; upper: string } {
  const at = makeDir(dir, "rootfs");
  const upper = makeDir(dir, "upper");
  const mount: EnterMount = {
    kind: "overlay",
    target: at,
    lowers: [debianRoot],
    upper: { dir: upper, work: makeDir(dir, "work") },
    nodev: true,
  };
  return { mounts: [mount], at, upper };
}

test("bridge up and down are idempotent and touch nothing else", { skip }, async (t) => {
  const net = await privateNet(t);
  const host = linksOf("self");
  for (let i = 0; i < 2; i++) assert.equal(net.enter(bridgeUpArguments(bridge, ["10.99.7.1/24"])).status, 0);
  assert.deepEqual(linksOf(net.holder), [bridge, "lo"]);
  const loop = net.enter(bridgeDownArguments("lo"));
  assert.equal(loop.status, 125);
  assert.equal(loop.stderr, "enter: network: lo is there, but is no bridge\n");
  const taken = net.enter(bridgeUpArguments("lo", ["10.99.8.1/24"]));
  assert.equal(taken.stderr, "enter: network: lo is there, but is no bridge\n");
  assert.equal(net.enter(bridgeUpArguments("bad/name", ["10.99.8.1/24"])).status, 125);
  assert.equal(net.enter(bridgeUpArguments(bridge, ["10.99.8.1"])).status, 125, "no prefix length");
  for (let i = 0; i < 2; i++) assert.equal(net.enter(bridgeDownArguments(bridge)).status, 0);
  assert.deepEqual(linksOf(net.holder), ["lo"]);
  assert.deepEqual(linksOf("self"), host);
});

const serverScript = `require("net").createServer((s) => s.end("hello")).listen(80, "::", () => console.log("on"))`;
const clientScript = (host: string) =>
  `require("net").connect(80, "${host}").on("data", (d) => process.stdout.write(d)).on("error", (e) => { console.log(String(e)); process.exit(1); })`;

test("two instances on one bridge reach each other; kill -9 takes link and overlay away", {
  skip,
}, async (t) => {
  const net = await privateNet(t);
  const mounts = mountTargets();
  assert.equal(net.enter(bridgeUpArguments(bridge, ["10.99.7.1/24", "fd00:99:7::1/64"])).status, 0);
  const dir = temporary(t);
  const { mounts: overlay, at } = overlayAt(dir);
  const options: StartOptions = { stdio: ["ignore", "pipe", "inherit"], through: net.through };
  const call = launchCall({
    mounts: overlay,
    network: { veths: [veth(2)] },
    command: { argv: [process.execPath, "-e", serverScript] },
  });
  const server = startEnter(call, options);
  t.after(() => server.child.kill("SIGKILL"));
  const { pid, overlay: api } = await server.ready;
  assert.ok(api);
  assert.equal(pid, server.child.pid);
  await new Promise((resolve) => server.child.stdout?.once("data", resolve));
  assert.deepEqual(linksOf(net.holder), [bridge, "lo", "vt2"]);
  assert.deepEqual(linksOf(pid), ["eth0", "lo"]);
  assert.ok(existsSync(`/proc/${pid}/root${at}/etc`), "seen through the process");
  assert.deepEqual(readdirSync(at), [], "not seen by others");
  assert.deepEqual(mountTargets(), mounts);
  for (const host of ["10.99.7.2", "fd00:99:7::2"]) {
    const client = await runEnter(
      launchCall({
        network: { veths: [veth(3)] },
        command: { argv: [process.execPath, "-e", clientScript(host)] },
      }),
      { through: net.through },
    );
    assert.deepEqual([client.status, client.stdout], [0, "hello"], client.stderr);
  }
  server.child.kill("SIGKILL");
  await server.exit;
  await eventually("the ends on the host are gone", () => linksOf(net.holder).join() === `${bridge},lo`);
  assert.deepEqual(readdirSync(at), []);
  assert.deepEqual(mountTargets(), mounts);
});

test("the name of an instance just killed can be taken at once", { skip }, async (t) => {
  const net = await privateNet(t);
  assert.equal(net.enter(bridgeUpArguments(bridge, ["10.99.7.1/24"])).status, 0);
  const call = launchCall({ network: { veths: [veth(2)] }, command: { argv: ["sleep", "600"] } });
  for (let i = 0; i < 10; i++) {
    const one = startEnter(call, { stdio: ["ignore", "ignore", "inherit"], through: net.through });
    await one.ready;
    one.child.kill("SIGKILL");
    await one.exit;
  }
  await eventually("the ends on the host are gone", () => linksOf(net.holder).join() === `${bridge},lo`);
});

test("a launch joins the network of a process, and a network in use is rewired", { skip }, async (t) => {
  const net = await privateNet(t);
  assert.equal(net.enter(bridgeUpArguments(bridge, ["10.99.7.1/24"])).status, 0);
  const plain = (number: number): VethOptions => ({
    ...veth(number),
    addresses: [`10.99.7.${number}/24`],
    gateways: [],
  });
  const options: StartOptions = { stdio: ["ignore", "ignore", "inherit"], through: net.through };
  const owner = startEnter(
    launchCall({ network: { veths: [plain(2), plain(3)] }, command: { argv: ["sleep", "600"] } }),
    options,
  );
  t.after(() => owner.child.kill("SIGKILL"));
  const { pid } = await owner.ready;
  assert.deepEqual(linksOf(pid), ["eth0", "eth1", "lo"]);
  const namespace = { pid, inode: statSync(`/proc/${pid}/ns/net`).ino };
  const join = (inode: number) =>
    runEnter(
      launchCall({
        network: { join: { pid, inode } },
        command: { argv: ["sh", "-c", "cat /proc/self/net/dev"] },
      }),
      { through: net.through },
    );
  assert.match((await join(namespace.inode)).stdout, /eth1:/);
  assert.match((await join(namespace.inode + 1)).stderr, /has another network than was expected/);
  assert.equal(net.enter(rewireArguments(namespace, { unplug: ["vt2"], plug: [plain(4)] })).status, 0);
  assert.deepEqual(linksOf(net.holder), [bridge, "lo", "vt3", "vt4"]);
  assert.deepEqual(linksOf(pid), ["eth0", "eth1", "lo"]);
  assert.doesNotMatch(readFileSync(`/proc/${pid}/net/route`, "latin1"), /\t00000000\t0107630A/);
  assert.equal(net.enter(rewireArguments(namespace, { gateways: ["10.99.7.1"] })).status, 0);
  assert.equal(net.enter(rewireArguments(namespace, { gateways: ["10.99.7.1"] })).status, 0);
  assert.match(readFileSync(`/proc/${pid}/net/route`, "latin1"), /\t00000000\t0107630A/);
  const refused = net.enter(rewireArguments(namespace, { unplug: [bridge] }));
  assert.equal(refused.stderr, `enter: network: ${bridge} is there, but is no veth\n`);
  assert.equal(net.enter(rewireArguments(namespace, { unplug: ["vt2", "vt3"] })).status, 0);
  assert.deepEqual(linksOf(pid), ["eth0", "lo"]);
});

test("network errors are said in words and leave nothing", { skip }, async (t) => {
  const net = await privateNet(t);
  const said = async (network: VethOptions) => {
    const call = launchCall({ network: { veths: [network] }, command: { argv: ["true"] } });
    const result = await runEnter(call, { through: net.through });
    assert.equal(result.status, 125);
    return result.stderr;
  };
  assert.equal(await said(veth(2)), "enter: network: no bridge br-test\n");
  assert.equal(net.enter(bridgeUpArguments(bridge, ["10.99.7.1/24"])).status, 0);
  assert.match(await said({ ...veth(2), mac: "01:00:00:00:00:02" }), /group address/);
  assert.match(await said({ ...veth(2), mac: "02:00" }), /not a MAC address: 02:00/);
  assert.match(await said({ ...veth(2), addresses: ["10.99.7.300/24"] }), /not an address: 10.99.7.300\/24/);
  assert.match(await said({ ...veth(2), gateways: ["10.1.1.1"] }), /cannot add a route by 10.1.1.1/);
  assert.match(
    await said({ ...veth(2), name: "a-name-that-is-too-long" }),
    /not a name of a network interface/,
  );
  await eventually("no end is left", () => linksOf(net.holder).join() === `${bridge},lo`);
});

test("launch refuses a root of its own", { skip }, async () => {
  const mounts: EnterMount[] = [{ kind: "bind", source: "/", target: "/" }];
  const result = await runEnter(launchCall({ mounts, command: { argv: ["true"] } }));
  assert.match(result.stderr, /only a sandbox has a root of its own/);
});

/** A bundle with everything of `spec` but what this caller may not set: rlimits above its own. */
function writeBundle(dir: string, runtime: string, cgroup: string, argv: string[]): void {
  assert.equal(spawnSync(runtime, ["spec"], { cwd: dir }).status, 0);
  const path = join(dir, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  config.process.terminal = false;
  config.process.args = argv;
  config.process.rlimits = [];
  config.root = { path: "rootfs", readonly: false };
  config.linux.cgroupsPath = cgroup;
  config.linux.namespaces = config.linux.namespaces.filter((one: { type: string }) => one.type !== "network");
  writeFileSync(path, JSON.stringify(config));
}

for (const runtime of ["crun", "runc"]) {
  const missing = spawnSync(runtime, ["--version"]).error !== undefined && `${runtime} is not installed`;
  test(`${runtime} runs a bundle on the overlay, with the veth, in its own cgroup`, {
    skip: skip || missing,
  }, async (t) => {
    const net = await privateNet(t);
    const mounts = mountTargets();
    assert.equal(net.enter(bridgeUpArguments(bridge, ["10.99.7.1/24"])).status, 0);
    const dir = temporary(t);
    const { mounts: overlay, upper } = overlayAt(dir);
    const id = `tranship-test-${process.pid}-${runtime}`;
    t.after(() => removeCgroup(id));
    const script =
      "dpkg -l dpkg | grep -c ^ii; echo x >/etc/made-inside; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | sort";
    writeBundle(dir, runtime, `/${id}`, ["/bin/sh", "-c", script]);
    const result = await runEnter(
      launchCall({
        mounts: overlay,
        network: { veths: [veth(2)] },
        hideCgroup2: true,
        command: { argv: [runtime, "--root", makeDir(dir, "state"), "run", "-b", dir, id] },
      }),
      { through: net.through },
    );
    assert.equal(result.stderr, "");
    assert.equal(result.stdout, "1\neth0\nlo\n");
    assert.equal(result.status, 0);
    assert.equal(readFileSync(join(upper, "etc/made-inside"), "latin1"), "x\n");
    assert.equal(existsSync(join(debianRoot, "etc/made-inside")), false);
    await eventually("the end on the host is gone", () => linksOf(net.holder).join() === `${bridge},lo`);
    assert.deepEqual(mountTargets(), mounts);
  });
}

test("a cloned runtime is executed from a mount that nobody can write to", { skip }, async (t) => {
  const out = join(temporary(t), "out");
  const program = join(temporary(t), "busybox");
  spawnSync("cp", ["/bin/busybox", program]);
  const script = `echo "$_LIBCONTAINER_CLONED_BINARY" > ${out}; chmod 700 /proc/$$/exe 2>> ${out}; chmod 700 ${program}`;
  const result = await runEnter(
    launchCall({ network: "none", clonedRuntime: true, command: { argv: [program, "sh", "-c", script] } }),
  );
  const [told, refused = ""] = readFileSync(out, "utf8").trim().split("\n");
  assert.equal(told, "1");
  assert.match(refused, /Read-only file system/);
  assert.equal(result.status, 0, "the program itself stays as it was");
  assert.deepEqual(
    mountTargets().filter((target) => target.includes("busybox")),
    [],
  );
});

test("names the file system and the kernel where owners cannot be mapped", { skip }, (t) => {
  const work = temporary(t);
  const place = join(work, "place");
  const script = `mkdir ${work}/lower ${work}/upper ${work}/work ${work}/merged ${place} && mount -t overlay o -o lowerdir=${work}/lower,upperdir=${work}/upper,workdir=${work}/work ${work}/merged && exec "$@"`;
  const call = [
    "launch",
    "--userns",
    place,
    "200000",
    "65536",
    "--idmap",
    `${work}/merged`,
    `${place}/x`,
    "--",
    "true",
  ];
  const done = spawnSync("unshare", ["-m", "sh", "-c", script, "sh", nativePath("enter"), ...call], {
    encoding: "utf8",
  });
  assert.equal(done.status, 125);
  const words = "it lies on overlay, which has no idmapped mounts; this kernel is ";
  assert.ok(done.stderr.includes(`the owners of ${work}/merged cannot be mapped`), done.stderr);
  assert.ok(done.stderr.includes(words), done.stderr);
});
