import assert from "node:assert/strict";
import { test } from "node:test";
import { applyRules, assess, verdictOf } from "../../src/assess/assess.ts";
import type { Assessment, Finding } from "../../src/assess/assessment.ts";
import type { ProgramFact } from "../../src/assess/programs.ts";
import { renderAssessment, renderReport } from "../../src/assess/report.ts";
import { finding, type RuleContext } from "../../src/assess/rule.ts";
import { rules } from "../../src/assess/rules/index.ts";
import { survey } from "../../src/assess/survey.ts";
import type { TargetFacts } from "../../src/assess/target.ts";
import { ElfReader } from "../../src/closure/elf-reader.ts";
import { Loader } from "../../src/closure/loader.ts";
import { machineTree } from "../../src/closure/tree.ts";
import { discover } from "../../src/discover/discover.ts";
import type { Inventory, ProcessFact } from "../../src/discover/inventory.ts";
import { Source } from "../../src/discover/source.ts";
import type { ElfFile } from "../../src/formats/elf.ts";
import { vsyscallMode } from "../../src/formats/vsyscall.ts";
import { elfHeader, type MadeUpTree, memoryMachine } from "../support/memory-machine.ts";

const target: TargetFacts = {
  name: "new",
  kernel: "6.1.0",
  architecture: "amd64",
  vsyscall: "xonly",
  cgroups: "v2",
  root: true,
  memoryBytes: 1 << 30,
  statePath: "/var/lib/tranship",
  freeBytes: 1 << 30,
  portsInUse: [],
  unprivilegedPort: 1024,
  engines: ["crun"],
  modules: [],
  system: "made up",
};
const shell: MadeUpTree = { "/bin/sh": { bytes: elfHeader(62), mode: 0o755 } };

interface Changes {
  tree?: MadeUpTree;
  target?: Partial<TargetFacts>;
  inventory?: (inventory: Inventory) => void;
  programs?: ProgramFact[];
}

async function contextFor(changes: Changes): Promise<RuleContext> {
  const machine = memoryMachine({ ...shell, ...changes.tree });
  const inventory = await discover(machine);
  changes.inventory?.(inventory);
  const tree = machineTree(machine.files);
  const elves = new ElfReader(tree);
  return {
    inventory,
    target: { ...target, ...changes.target },
    source: new Source(machine.files),
    survey: await survey(machine, inventory),
    programs: changes.programs ?? [],
    tree,
    elves,
    loader: new Loader(tree, elves),
  };
}

async function check(id: string, changes: Changes): Promise<Finding[]> {
  const rule = rules.find((each) => each.id === id) ?? assert.fail(`no rule ${id}`);
  return rule.check(await contextFor(changes));
}

/** One case that must be found, one beside it that must not. */
async function both(id: string, found: Changes, subject: RegExp, clean: Changes): Promise<void> {
  const findings = await check(id, found);
  assert.ok(
    findings.some((each) => subject.test(each.subject)),
    `${id} found ${JSON.stringify(findings)}`,
  );
  assert.deepEqual(
    (await check(id, clean)).filter((each) => each.severity !== "note"),
    [],
    `${id} on the clean case`,
  );
}

const elf = (changes: Partial<ElfFile>): ElfFile => ({
  bits: 64,
  endian: "little",
  machine: 62,
  flags: 0,
  type: "executable",
  interpreter: undefined,
  hasDynamic: true,
  isStatic: false,
  needed: [],
  soname: undefined,
  rpath: undefined,
  runpath: undefined,
  noDefaultLib: false,
  isPie: false,
  filters: [],
  optional: [],
  versionsNeeded: [],
  versionsDefined: [],
  minimumKernel: undefined,
  imports: new Set(),
  problems: [],
  ...changes,
});
const program = (changes: Partial<ElfFile>, architecture = "amd64"): ProgramFact => ({
  path: "/opt/x/p",
  elf: elf(changes),
  architecture,
  because: "service x",
});
const processFact = (changes: Partial<ProcessFact>): ProcessFact => ({
  pid: 7,
  ppid: 1,
  name: "p",
  state: "S",
  startTime: "1",
  executable: "/opt/p",
  executableDeleted: false,
  arguments: [],
  workingDirectory: "/",
  root: "/",
  environment: {},
  uids: [0, 0, 0, 0],
  gids: [0],
  groups: [],
  threads: 1,
  residentKib: 1,
  files: [],
  deletedFiles: [],
  openFiles: [],
  descriptors: { sockets: 0, pipes: 0, files: 0, other: 0 },
  service: "",
  cgroup: "/",
  sameNamespaces: true,
  unread: [],
  ...changes,
});

test("kernel-parts: DKMS and modules of services; a commented line is none", async () => {
  await both("kernel-parts", { tree: { "/var/lib/dkms/vboxhost/5.1": { kind: "directory" } } }, /vboxhost/, {
    tree: { "/etc/modules": "# vboxdrv\nloop\n" },
  });
  await both("kernel-parts", { tree: { "/etc/modules": "nf_fancy\n" } }, /nf_fancy/, {
    tree: { "/etc/modules": "nf-fancy\n" },
    target: { modules: ["nf_fancy"] },
  });
  await both("kernel-parts", { tree: { "/opt/x/driver.ko": "x" } }, /driver/, {
    tree: { "/lib/modules/5.10/kernel/fs/a.ko": "x" },
  });
});

test("devices: open nodes and serial lines in configuration", async () => {
  await both(
    "devices",
    { inventory: (each) => each.processes.push(processFact({ openFiles: ["/dev/ipmi0"] })) },
    /ipmi0/,
    { inventory: (each) => each.processes.push(processFact({ openFiles: ["/dev/null", "/dev/pts/1"] })) },
  );
  await both("devices", { tree: { "/etc/app.conf": "port=/dev/ttyS1\n" } }, /ttyS1/, {
    tree: { "/etc/app.conf": "# port=/dev/ttyS1\n" },
  });
});

test("set-uid: the usual ones are no finding", async () => {
  const findings = await check("set-uid", {
    tree: {
      "/opt/x/helper": { text: "x", mode: 0o4755 },
      "/usr/bin/passwd": { text: "x", mode: 0o4755 },
      "/opt/x/plain": { text: "x", mode: 0o755 },
    },
  });
  assert.deepEqual(
    findings.map((each) => each.subject),
    ["/opt/x/helper"],
  );
});

test("ports: taken and privileged; loopback is nobody's business", async () => {
  const busy = { portsInUse: [{ protocol: "tcp", address: "0.0.0.0", port: 80 }] };
  const nginx = (listen: string): MadeUpTree => ({
    "/etc/nginx/nginx.conf": `server {\n listen ${listen};\n}\n`,
  });
  await both("ports", { tree: nginx("80"), target: busy }, /80\/tcp/, { tree: nginx("8080"), target: busy });
  await both("ports", { tree: nginx("81"), target: { root: false } }, /81\/tcp/, {
    tree: nginx("127.0.0.1:81"),
    target: { root: false },
  });
});

test("architecture: a foreign machine and a foreign program block", async () => {
  await both("architecture", { target: { architecture: "arm64" } }, /amd64/, {});
  await both("architecture", { programs: [program({ machine: 8 }, "mips")] }, /opt/, {
    programs: [program({ machine: 3 }, "386")],
  });
});

test("vsyscall: old static programs die only where the page is gone; a kernel that is too old", async () => {
  const old = [program({ isStatic: true, minimumKernel: "2.6.18" })];
  const dying = await check("vsyscall", { programs: old, target: { vsyscall: "none" } });
  assert.deepEqual(
    dying.map((each) => each.severity),
    ["blocker"],
  );
  assert.deepEqual(
    (await check("vsyscall", { programs: old })).map((each) => each.severity),
    ["note"],
  );
  await both("vsyscall", { programs: [program({ minimumKernel: "7.0.0" })] }, /opt/, {
    programs: [program({ minimumKernel: "3.2.0" })],
  });
});

test("missing-libraries", async () => {
  await both("missing-libraries", { programs: [program({ needed: ["libnone.so.1"] })] }, /opt/, {
    programs: [program({})],
  });
  const needsLoader = [program({ needed: ["ld-linux.so.9"], interpreter: "/odd/ld-linux.so.9" })];
  await both("missing-libraries", { programs: needsLoader }, /opt/, {
    programs: needsLoader,
    tree: { "/odd/ld-linux.so.9": "x" },
  });
});

test("sizes, caches and databases against the free space", async () => {
  const big: MadeUpTree = { "/var/lib/mysql/ibdata1": { text: "x", blocks: 1 << 20 } };
  await both("sizes", { tree: big, target: { freeBytes: 1 << 20 } }, /whole machine/, {
    tree: big,
    target: { freeBytes: 2 ** 40 },
  });
  await both("databases", { tree: big, target: { freeBytes: 1 << 20 } }, /mysql/, {
    tree: big,
    target: { freeBytes: 2 ** 40 },
  });
  const swap = await check("swap-and-caches", {
    tree: {
      "/swapfile": { text: "x", blocks: 8 },
      "/home/a/core": { text: "x", blocks: 1 << 20 },
      "/home/a/core.ts": "x",
    },
  });
  assert.deepEqual(swap.map((each) => each.subject).sort(), ["/home/a/core", "/swapfile"]);
});

test("swap-and-caches: large caches of one directory are one finding", async () => {
  const large = { text: "x", blocks: 1 << 18 };
  const findings = await check("swap-and-caches", {
    tree: {
      "/var/cache/apt/archives/a.deb": large,
      "/var/cache/apt/archives/b.deb": large,
      "/var/cache/small": "x",
    },
  });
  assert.deepEqual(
    findings.map((each) => [each.subject, each.evidence.length]),
    [["/var/cache/apt", 2]],
  );
});

test("host-identity: a licence with the machine's address", async () => {
  const withMac = (each: Inventory): void => void each.identity.macAddresses.push(...["00:16:3e:aa:bb:cc"]);
  await both(
    "host-identity",
    { tree: { "/opt/x/server.lic": "FEATURE a 00163EAABBCC\n" }, inventory: withMac },
    /server\.lic/,
    {
      tree: { "/opt/x/notes.lic": "text\n" },
      inventory: withMac,
    },
  );
});

test("service-manager: what inetd keeps is told, systemd is understood", async () => {
  await both(
    "service-manager",
    { tree: { "/etc/inetd.conf": "finger stream tcp nowait nobody /usr/sbin/tcpd in.fingerd\n" } },
    /inetd/,
    {
      tree: { "/lib/systemd/system/a.service": "[Service]\nExecStart=/a\n" },
    },
  );
});

test("network-file-systems and automounts", async () => {
  await both("network-file-systems", { tree: { "/etc/fstab": "fs:/x /data nfs rw 0 0\n" } }, /\/data/, {
    tree: { "/etc/fstab": "/dev/sda1 / ext4 rw 0 1\n" },
  });
  await both("network-file-systems", { tree: { "/etc/auto.master": "/net -hosts\n" } }, /\/net/, {
    tree: { "/etc/auto.master": "# /net -hosts\n" },
  });
});

test("fixed-addresses: the machine's own, not a longer number", async () => {
  const own = (each: Inventory): void => void each.identity.addresses.push(...["192.0.2.7"]);
  await both(
    "fixed-addresses",
    { tree: { "/etc/app.conf": "bind 192.0.2.7:80\n" }, inventory: own },
    /192\.0\.2\.7/,
    {
      tree: { "/etc/app.conf": "bind 192.0.2.70 1.192.0.2.7\n" },
      inventory: own,
    },
  );
});

test("secrets: paths, never values", async () => {
  const value = "hunter2hunter2";
  const tree = {
    "/etc/app.ini": `[db]\npassword = ${value}\n`,
    "/opt/x/a.key": "-----BEGIN PRIVATE KEY-----\nabc\n",
  };
  const findings = await check("secrets", { tree });
  assert.deepEqual(findings.map((each) => each.subject).sort(), ["/etc/app.ini", "/opt/x/a.key"]);
  assert.doesNotMatch(JSON.stringify(findings), /hunter2|abc/);
  assert.deepEqual(
    await check("secrets", {
      tree: { "/etc/app.ini": "# password = xxxxxx\npassword =\n", "/opt/x/a.key": "public\n" },
    }),
    [],
  );
});

test("schedules: own jobs, not the distribution's upkeep", async () => {
  await both("schedules", { tree: { "/etc/cron.d/x": "0 1 * * * app /opt/x/report\n" } }, /report/, {
    tree: { "/etc/cron.d/x": "0 1 * * * root run-parts /etc/cron.daily\n" },
  });
});

test("access-policies and unreadable", async () => {
  assert.equal(
    (await check("access-policies", { tree: { "/etc/selinux/config": "SELINUX=enforcing\n" } }))[0]?.subject,
    "SELinux",
  );
  assert.deepEqual(
    await check("access-policies", { tree: { "/etc/selinux/config": "SELINUX=disabled\n" } }),
    [],
  );
  await both("unreadable", { tree: { "/srv/x": { error: "EACCES" } } }, /1 paths/, {});
  await both("unreadable", { tree: { "/var/lib/rpm/Packages": "x" } }, /installed packages/, {});
});

test("deleted-binaries", async () => {
  await both(
    "deleted-binaries",
    { inventory: (each) => each.processes.push(processFact({ executableDeleted: true })) },
    /process 7/,
    { inventory: (each) => each.processes.push(processFact({ deletedFiles: ["/tmp/shm-segment"] })) },
  );
});

test("every rule has a name of its own and a test here has seen it", () => {
  assert.equal(new Set(rules.map((each) => each.id)).size, rules.length);
  assert.ok(rules.length >= 16);
});

test("verdict, order and a bound on findings", async () => {
  assert.deepEqual([verdictOf([]), verdictOf([{ severity: "note" } as Finding])], ["Pass", "Pass"]);
  const context = await contextFor({});
  const loud = {
    id: "loud",
    title: "t",
    severity: "warning" as const,
    check: (): Finding[] =>
      Array.from({ length: 500 }, (_, n) =>
        finding({ id: "loud", severity: n === 400 ? "blocker" : "note" }, `s${n}`, [], {
          effect: "e",
          remedy: "r",
        }),
      ),
  };
  const assessment = await applyRules(context, { rules: [loud, ...rules], skip: ["sizes"] });
  assert.equal(assessment.findings.filter((each) => each.rule === "loud").length, 100);
  assert.deepEqual([assessment.verdict, assessment.findings[0]?.subject], ["Blocked", "s400"]);
  assert.equal(assessment.rules.find((each) => each.id === "sizes")?.skipped, "switched off");
});

test("renderings hold hostile names harmless", async () => {
  const machine = memoryMachine({
    ...shell,
    "/opt/<script>alert(1)</script>\x1b[31m/a.key": "-----BEGIN PRIVATE KEY-----\n",
  });
  const assessment: Assessment = await assess(await discover(machine), machine, target);
  const html = renderReport(assessment);
  assert.doesNotMatch(html, /<script|\x1b/);
  assert.match(html, /&lt;script&gt;alert\(1\)&lt;\/script&gt;\\x1b/);
  assert.doesNotMatch(html, /(src|href)=|url\(|@import/);
  const text = renderAssessment(assessment);
  assert.match(text, /verdict: Warning/);
  assert.doesNotMatch(text, /\x1b/);
});

test("vsyscall mode of a target", () => {
  const line = (permissions: string): string =>
    `ffffffffff600000-ffffffffff601000 ${permissions} 00000000 00:00 0                  [vsyscall]\n`;
  assert.equal(vsyscallMode(line("--xp"), "", "x64"), "xonly");
  assert.equal(vsyscallMode(line("r-xp"), "vsyscall=emulate", "x64"), "emulate");
  assert.equal(vsyscallMode("00400000-0040b000 r-xp 00000000 fd:00 1 /bin/a\n", "", "x64"), "none");
  assert.equal(vsyscallMode("", "", "x64"), "unknown");
  assert.equal(vsyscallMode("", "", "arm64"), "none");
});

test("boot-scripts: a daemon of nobody's package that rc.local starts is told, one that only exits is not", async () => {
  const unit = {
    "/lib/systemd/system/rc-local.service": "[Service]\nType=forking\nExecStart=/etc/rc.local start\n",
  };
  const script = "#!/bin/sh -e\n# daemons\n/home/shopd/bin/till --password=x &\nexit 0\n";
  const tree: MadeUpTree = {
    ...unit,
    "/etc/rc.local": { text: script, mode: 0o755 },
    "/home/shopd/bin/till": { bytes: elfHeader(62), mode: 0o755 },
  };
  await both("boot-scripts", { tree }, /^\/etc\/rc\.local$/, {
    tree: { ...unit, "/etc/rc.local": { text: "#!/bin/sh -e\nexit 0\n", mode: 0o755 } },
  });
  const [found] = await check("boot-scripts", { tree });
  assert.equal(found?.severity, "warning");
  assert.match(found?.effect ?? "", /no installed package brought: \/home\/shopd\/bin\/till$/);
  assert.ok(found?.evidence.includes("by rc-local of systemd"));
  assert.ok(!JSON.stringify(found).includes("password=x"));
  const still = await check("boot-scripts", {
    tree: { ...tree, "/etc/rc.local": { text: script, mode: 0o644 } },
  });
  assert.deepEqual(still, []);
});
