// Who an instance is: what of the old machine is kept, by which ways programs see it, and that two instances never are the same.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, until, whyNot } from "../integration/runtime-fixture.ts";

const source = {
  machineId: "4f9d1bc05dc94fa8a2b5b7a9d31c6e20",
  hostId: "7f010a2c",
  mac: "00:16:3e:12:34:56",
  address: "192.168.77.9",
  serial: "VMW-4711-OLD",
  product: "PowerEdge 2950",
};

/** An old machine of two programs that tell who it is; its network configuration and firmware are seen as files. */
function makeMachine(top: string): void {
  for (const name of [
    "bin",
    "etc/network",
    "tmp",
    "proc",
    "dev",
    "sys/class/dmi/id",
    "root",
    "var/lib/dbus",
    "etc/default",
  ])
    mkdirSync(join(top, name), { recursive: true });
  const put = (path: string, content: string | Buffer) => writeFileSync(join(top, path), content);
  put("etc/hostname", "old-db\n");
  put("etc/hosts", "127.0.0.1 localhost\n192.168.77.9 old-db.corp.example old-db\n192.0.2.7 neighbour\n");
  put("etc/machine-id", `${source.machineId}\n`);
  put("var/lib/dbus/machine-id", `${source.machineId}\n`);
  put("etc/hostid", Buffer.from(source.hostId, "hex").reverse());
  put("etc/timezone", "Europe/Paris\n");
  put("etc/default/locale", "LANG=de_DE.UTF-8\n");
  put("etc/os-release", 'ID=debian\nVERSION_ID="8"\n');
  put(
    "etc/network/interfaces",
    `iface eth0 inet static\n  address ${source.address}\n  hwaddress ether ${source.mac}\n`,
  );
  put("sys/class/dmi/id/product_serial", `${source.serial}\n`);
  put("sys/class/dmi/id/product_name", `${source.product}\n`);
  const program = join(import.meta.dirname, "../fixtures/identity.c");
  execFileSync("gcc", ["-O1", "-static", "-w", "-o", join(top, "bin/static"), program], { stdio: "pipe" });
  execFileSync("gcc", ["-O1", "-w", "-o", join(top, "bin/dynamic"), program]);
  const libraries = execFileSync("ldd", [join(top, "bin/dynamic")], { encoding: "utf8" });
  for (const [library] of libraries.matchAll(/\/\S+/g)) {
    mkdirSync(join(top, dirname(library)), { recursive: true });
    copyFileSync(library, join(top, library));
  }
}

/** What the program says, by way. */
function told(output: string): Record<string, string> {
  return Object.fromEntries(
    output.split("\n").flatMap((line) => {
      const cut = line.indexOf(" ");
      return cut < 1 ? [] : [[line.slice(0, cut), line.slice(cut + 1)]];
    }),
  );
}

function pick(all: Record<string, string>, ...ways: string[]): Record<string, string | undefined> {
  return Object.fromEntries(ways.map((way) => [way, all[way]]));
}

const same = (ways: readonly string[], value: string) => Object.fromEntries(ways.map((way) => [way, value]));

const hostWays = ["gethostname", "uname", "raw-uname", "/proc/sys/kernel/hostname", "/etc/hostname"];
const domainWays = ["getdomainname", "raw-domain", "/proc/sys/kernel/domainname"];
const macWays = ["ioctl-mac", "netlink-mac", "/sys/class/net/eth0/address"];
const addressWays = ["ioctl-address", "netlink-address"];
const machineIdWays = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
const hostIdWays = ["gethostid", "/etc/hostid"];

/** What runs of an instance, and everything of ours that watches it. */
function killAllOf(id: string): void {
  for (const pid of readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  )) {
    try {
      const text = ["cmdline", "environ", "mountinfo"].map((file) =>
        readFileSync(`/proc/${pid}/${file}`, "latin1"),
      );
      if (text.join("\n").includes(id)) process.kill(Number(pid), "SIGKILL");
    } catch {} // gone
  }
}

const skip = whyNot() ?? (existsSync("/usr/bin/gcc") ? false : "needs gcc");

describe("identity of an instance", { skip, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let machine: string;
  const cli = (...args: string[]) => fixture.cli(args);
  const done = async (...args: string[]) => {
    const result = await fixture.cli(args);
    assert.equal(result.status, 0, result.stderr);
    return result;
  };
  /** Starts it listening on port 80; what it told is in its log. */
  const start = async (name: string, ...flags: string[]): Promise<Record<string, string>> => {
    await done("run", "-d", "--name", name, ...flags, "/bin/static", "80");
    return await ready(name);
  };
  const ready = async (name: string): Promise<Record<string, string>> => {
    let text = "";
    await until(async () => {
      text = (await cli("logs", name)).stdout;
      return /^listening/m.test(text.slice(text.lastIndexOf("gethostname")));
    });
    return told(text.slice(text.lastIndexOf("gethostname")));
  };

  before(async () => {
    machine = mkdtempSync(join(tmpdir(), "tranship-machine-"));
    makeMachine(machine);
    fixture = await makeFixture();
    const capture = ["capture", "run", "-m", `rootfs:${machine}`, "--include", "/bin/dynamic"];
    await done(...capture, "-t", "plain", "--", "/bin/static");
    await done(...capture, "-t", "kept", "--keep-identity", "all", "--", "/bin/static");
  });
  after(async () => {
    await fixture?.remove();
    rmSync(machine, { recursive: true, force: true });
  });

  it("captures the identity of the source, shows it in the plan, and keeps what licences bind to only when asked", async () => {
    const planned = await done(
      "capture",
      "run",
      "-m",
      `rootfs:${machine}`,
      "--dry-run",
      "-t",
      "x",
      "--",
      "/bin/static",
    );
    assert.match(
      planned.stdout,
      /identity: debian 8, host old-db, domain corp\.example, Europe\/Paris, de_DE\.UTF-8/,
    );
    assert.match(
      planned.stdout,
      /not kept: MAC 00:16:3e:12:34:56, address 192\.168\.77\.9, machine id 4f9d.*, host id 7f010a2c, DMI VMW-4711-OLD/,
    );
    const show = async (reference: string) =>
      JSON.parse((await done("package", "show", reference, "--format", "json")).stdout) as {
        identity: Record<string, unknown>;
        origin: { identity: Record<string, unknown> };
      };
    const found = {
      macAddresses: [source.mac],
      addresses: [source.address],
      machineId: source.machineId,
      hostId: source.hostId,
      dmi: { product_name: source.product, product_serial: source.serial },
    };
    const names = {
      hostname: "old-db",
      domain: "corp.example",
      timezone: "Europe/Paris",
      locale: "de_DE.UTF-8",
    };
    const nothing = { macAddress: null, addresses: [], machineId: null, hostId: null, dmi: null };
    const plain = await show("plain");
    assert.deepEqual(plain.origin.identity, found);
    assert.deepEqual(plain.identity, { ...names, ...nothing });
    const { machineId, hostId, addresses, dmi } = found;
    assert.deepEqual((await show("kept")).identity, {
      ...names,
      macAddress: source.mac,
      addresses,
      machineId,
      hostId,
      dmi,
    });
  });

  for (const program of ["static", "dynamic"]) {
    it(`tells the kept identity to a ${program} program by every way of asking`, async () => {
      const seen = told((await done("run", "--rm", "kept", `/bin/${program}`)).stdout);
      assert.deepEqual(pick(seen, ...hostWays), same(hostWays, "old-db"));
      assert.deepEqual(pick(seen, ...domainWays), same(domainWays, "corp.example"));
      assert.deepEqual(pick(seen, ...macWays), same(macWays, source.mac));
      assert.deepEqual(pick(seen, ...addressWays), same(addressWays, source.address));
      assert.deepEqual(pick(seen, ...machineIdWays), same(machineIdWays, source.machineId));
      assert.deepEqual(pick(seen, ...hostIdWays), same(hostIdWays, source.hostId));
      assert.match(seen["/etc/hosts"] ?? "", /^10\.[\d.]+ old-db\.corp\.example old-db$/);
      assert.equal(seen["/sys/class/dmi/id/product_serial"], source.serial);
      assert.equal(seen["/sys/devices/virtual/dmi/id/product_name"], source.product);
    });
  }

  it("gives an instance that takes on nothing ids of its own, where host, package and source have others", async () => {
    const names = [...macWays, ...addressWays, ...machineIdWays, ...hostIdWays];
    const one = told((await done("run", "--rm", "plain", "/bin/static")).stdout);
    const two = told((await done("run", "--rm", "plain", "/bin/static")).stdout);
    const host = told((await fixture.inside([join(machine, "bin/static")])).stdout);
    for (const way of names) {
      assert.notEqual(one[way], "-", way);
      assert.notEqual(one[way], two[way], way);
      assert.notEqual(one[way], host[way], way);
    }
    assert.equal(one["/etc/machine-id"]?.length, 32);
    assert.notEqual(one["/etc/machine-id"], source.machineId);
    assert.notEqual(one.gethostid, source.hostId);
    // Kept without being asked for.
    assert.deepEqual(pick(one, ...hostWays, ...domainWays), {
      ...same(hostWays, "old-db"),
      ...same(domainWays, "corp.example"),
    });
    assert.notEqual(host.gethostname, "old-db");
    assert.equal(one["/sys/class/dmi/id/product_serial"], host["/sys/class/dmi/id/product_serial"]);
  });

  it("takes each part from a flag, and the source's where that is asked for at the start", async () => {
    const flags = ["--hostname", "new-db", "--domainname", "lan", "--machine-id", "0".repeat(31).concat("1")];
    const given = [
      ...flags,
      "--hostid",
      "00c0ffee",
      "--mac-address",
      "02:00:00:00:00:07",
      "--dmi",
      "product_serial=X 1",
    ];
    const seen = told((await done("run", "--rm", ...given, "plain", "/bin/static")).stdout);
    assert.deepEqual(pick(seen, ...hostWays), same(hostWays, "new-db"));
    assert.deepEqual(pick(seen, ...domainWays), same(domainWays, "lan"));
    assert.deepEqual(pick(seen, ...machineIdWays), same(machineIdWays, "0".repeat(31).concat("1")));
    assert.deepEqual(pick(seen, ...hostIdWays), same(hostIdWays, "00c0ffee"));
    assert.deepEqual(pick(seen, ...macWays), same(macWays, "02:00:00:00:00:07"));
    assert.equal(seen["/sys/class/dmi/id/product_serial"], "X 1");
    const asked = told(
      (await done("run", "--rm", "--keep-identity", "mac,hostid", "plain", "/bin/static")).stdout,
    );
    assert.deepEqual(pick(asked, ...macWays, ...hostIdWays), {
      ...same(macWays, source.mac),
      ...same(hostIdWays, source.hostId),
    });
    assert.notEqual(asked["/etc/machine-id"], source.machineId);
    const wrong = await cli("run", "--rm", "--machine-id", "short", "plain", "/bin/static");
    assert.match(wrong.stderr, /E_USAGE.*not a machine id: "short"/);
  });

  it("lends what is taken on to one running instance, and says who has it", async () => {
    const first = await start("first", "kept");
    const refused = await cli("run", "-d", "--name", "second", "kept", "/bin/static", "80");
    assert.equal(refused.status, 125);
    assert.match(
      refused.stderr,
      /E_IDENTITY_TAKEN.*the MAC address 00:16:3e:12:34:56 belongs to the running instance first/,
    );
    assert.match(refused.stderr, /--new-identity/);
    const byFlag = await cli("run", "--rm", "--machine-id", source.machineId, "plain", "/bin/static");
    assert.match(byFlag.stderr, /E_IDENTITY_TAKEN.*the machine id/);
    const fresh = await start("fresh", "--new-identity", "kept");
    for (const way of [...macWays, ...addressWays, ...machineIdWays, ...hostIdWays])
      assert.notEqual(fresh[way], first[way], way);
    assert.equal(fresh.gethostname, first.gethostname);
    await done("create", "--name", "third", "kept", "/bin/static", "80");
    assert.match((await cli("start", "third")).stderr, /E_IDENTITY_TAKEN/);
    await done("start", "--new-identity", "third");
    assert.notEqual((await ready("third"))["ioctl-mac"], source.mac);
    await done("stop", "-t", "0", "first", "third");
    // It is free now.
    await done("start", "third");
    assert.deepEqual(pick(await ready("third"), ...macWays), same(macWays, source.mac));
    assert.match(
      (await cli("start", "first")).stderr,
      /E_IDENTITY_TAKEN.*belongs to the running instance third/,
    );
    await done("rm", "-f", "first", "fresh", "third");
    await fixture.clean();
  });

  it("keeps the identity over stop and start, and frees it when the instance is killed with all that could tell", async () => {
    const before = await start("steady", "plain");
    await done("stop", "-t", "0", "steady");
    await done("start", "steady");
    assert.deepEqual(await ready("steady"), before);
    await done("rm", "-f", "steady");
    await start("victim", "kept");
    killAllOf(readlinkSync(join(fixture.root.path, "names/victim")));
    await start("heir", "kept");
    await done("rm", "-f", "victim", "heir");
    await fixture.clean();
  });

  it("lets two instances serve the same port at once, where two on the host's network collide", async () => {
    await start("left", "plain");
    await start("right", "plain");
    const address = async (name: string) =>
      ((await done("logs", name)).stdout.match(/^ioctl-address (\S+)/m) ?? [])[1] ?? "";
    for (const name of ["left", "right"]) {
      const answer = await fixture.inside([
        "sh",
        "-c",
        `busybox nc -w 5 ${await address(name)} 80 </dev/null`,
      ]);
      assert.equal(answer.stdout, "old-db", answer.stderr);
    }
    assert.notEqual(await address("left"), await address("right"));
    await done("rm", "-f", "left", "right");
    await done("run", "-d", "--name", "host", "--network", "host", "plain", "/bin/static", "80");
    await ready("host");
    const second = await cli("run", "--rm", "--network", "host", "plain", "/bin/static", "80");
    assert.match(second.stdout, /bind Address already in use/);
    await done("rm", "-f", "host");
    await fixture.clean();
  });
});
