// Captures of damaged machines work and warn; hostile plans and full disks are refused, and the space comes back.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, statfsSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  type CaptureHost,
  captureHost,
  type Expected,
  failsCleanly,
  noImage,
  nothingLeft,
  tells,
  whyNoCapture,
} from "../support/capture.ts";
import { buildElf } from "../support/elf-builder.ts";
import { addText, treeState } from "../support/small-root.ts";

const skip = whyNoCapture();

function broken(change: (view: DataView) => void, parts: Parameters<typeof buildElf>[0] = {}): Uint8Array {
  const bytes = buildElf({ needed: ["libc.so.6"], ...parts });
  change(new DataView(bytes.buffer));
  return bytes;
}

const sound = (): void => {};
const brokenFiles: Readonly<Record<string, Uint8Array>> = {
  "only-magic": buildElf().subarray(0, 5),
  "cut-in-header": buildElf().subarray(0, 40),
  "cut-in-segments": buildElf().subarray(0, 100),
  "cut-in-dynamic": buildElf({ needed: ["libc.so.6"] }).subarray(0, 1030),
  "segments-beyond-end": broken((view) => view.setBigUint64(32, 1n << 60n, true)),
  "too-many-segments": broken((view) => view.setUint16(56, 0xffff, true)),
  "zero-sized-segments": broken((view) => view.setUint16(54, 0, true)),
  "dynamic-beyond-end": broken((view) => view.setBigUint64(64 + 56 + 8, 1n << 50n, true)),
  "huge-dynamic": broken((view) => view.setBigUint64(64 + 56 + 32, 1n << 40n, true)),
  "name-beyond-strings": broken((view) => view.setBigUint64(1024 + 8, 0xffff_ffffn, true)),
  "endless-symbols": broken((view) => view.setUint32(3072 + 4, 0xffff_ffff, true), { imports: ["dlopen"] }),
  "unknown-class": broken((view) => view.setUint8(4, 9)),
  "no-such-interpreter": broken(sound, { interpreter: "/lib/no-such-loader.so.9" }),
  "own-dependency.so": broken(sound, { soname: "own-dependency.so", needed: ["own-dependency.so"], runpath: "$ORIGIN" }),
  "cycle-a.so": broken(sound, { soname: "cycle-a.so", needed: ["cycle-b.so"], runpath: "$ORIGIN" }),
  "cycle-b.so": broken(sound, { soname: "cycle-b.so", needed: ["cycle-a.so"], rpath: "$ORIGIN/../broken" }),
  "climbing-path": broken(sound, { runpath: `$ORIGIN${"/..".repeat(400)}`, needed: ["../../etc/shadow"] }),
}; // biome-ignore format: a table

test("a FIFO in the place of a file that has to be read is told, with what to do", { skip }, async (t) => {
  const host = await captureHost(t);
  rmSync(join(host.source, "etc/passwd"));
  execFileSync("mkfifo", [join(host.source, "etc/passwd")]);
  const made = await host.tool(["capture", "machine", "-m", host.machine, "-t", "x"]);
  await failsCleanly(host, made, {
    code: "E_IO",
    says: /cannot read \/etc\/passwd: it is a FIFO, a socket or a device, where a file is expected/,
    hint: /a regular file belongs there/,
  });
});

test("broken ELF files do not end a capture", { skip }, async (t) => {
  const host = await captureHost(t);
  for (const [name, bytes] of Object.entries(brokenFiles))
    addText(host.source, { [`opt/broken/${name}`]: bytes });
  const before = treeState(host.source);
  const outcome = await host.tool([
    "capture", "run", "-m", host.machine, "-t", "x", "--", "/bin/sh", "-c", "cat /opt/broken/* >/dev/null; /usr/bin/env",
  ]); // biome-ignore format: a command
  assert.equal(outcome.status, 0, outcome.stderr);
  const plan = await host.tool([
    "capture", "run", "-m", host.machine, "--plan-only", "--", "/bin/sh", "-c", "cat /opt/broken/* >/dev/null",
  ]); // biome-ignore format: a command
  for (const name of Object.keys(brokenFiles))
    assert.match(plan.stdout, new RegExp(`^ +/opt/broken/${name}$`, "m"));
  await nothingLeft(host);
  assert.deepEqual(treeState(host.source), before);
});

test("a corrupt package database is told and does not end a capture", { skip }, async (t) => {
  const host = await captureHost(t);
  const status = join(host.source, "var/lib/dpkg/status");
  const cases: readonly [string, () => void][] = [
    ["binary garbage", () => writeFileSync(status, randomBytes(1 << 20))],
    [
      "missing fields",
      () => writeFileSync(status, "Status: install ok installed\nVersion: 1\n\nPackage: \nDepends\n\n: x\n"),
    ],
    ["100,000 lines without an end", () => writeFileSync(status, "no field at all\n".repeat(100_000))],
    [
      "a directory in its place",
      () => {
        rmSync(status);
        mkdirSync(status);
      },
    ],
  ];
  for (const [name, damage] of cases) {
    await t.test(name, async () => {
      damage();
      const outcome = await host.tool([
        "capture",
        "run",
        "-m",
        host.machine,
        "-t",
        "x",
        "--",
        "/usr/bin/env",
      ]);
      assert.equal(outcome.status, 0, outcome.stderr);
      const warnings = outcome.stderr
        .split("\n")
        .filter((line) => /^warning: \/var\/lib\/dpkg\/status/.test(line));
      assert.ok(warnings.length >= 1 && warnings.length <= 30, outcome.stderr);
      await nothingLeft(host);
    });
  }
});

test("corrupt databases of rpm are told and do not end a capture", { skip }, async (t) => {
  const host = await captureHost(t);
  const names = ["Packages", "Packages.db", "rpmdb.sqlite"];
  // Each begins as its format does.
  const magic = { Packages: [12, 0x61, 0x15, 6, 0], "Packages.db": [0, 0x52, 0x70, 0x6d, 0x50] };
  for (const name of names) {
    const bytes = randomBytes(1 << 16);
    const [at = 0, ...start] = magic[name as keyof typeof magic] ?? [0, ...Buffer.from("SQLite format 3\0")];
    bytes.set(start, at);
    addText(host.source, { [`var/lib/rpm/${name}`]: bytes });
  }
  const outcome = await host.tool(["capture", "run", "-m", host.machine, "-t", "x", "--", "/usr/bin/env"]);
  assert.equal(outcome.status, 0, outcome.stderr);
  assert.match(outcome.stderr, /^warning: \/var\/lib\/rpm\/\S+: /m);
  await nothingLeft(host);
});

test("a whole machine that is mounted into itself, with a path that no call takes", { skip }, async (t) => {
  const host = await captureHost(t);
  const name = "n".repeat(250);
  const deep = `import os; os.chdir("${host.source}/srv")
for _ in range(24): os.mkdir("${name}"); os.chdir("${name}")
open("file", "w").write("deep"); os.mkfifo("pipe")`;
  const loops = `cd ${host.source}; mkdir srv/again srv/third; mount --rbind . srv/again; mount --bind srv srv/third`;
  const made = await host.inside(["sh", "-euc", `python3 -c '${deep}'; ${loops}`]);
  assert.equal(made.status, 0, made.stderr);
  host.rebase();
  const capture = (...words: string[]) =>
    host.tool(["capture", "machine", "-m", host.machine, "-t", "x", ...words, "--", "/bin/sh", "-c", "true"]);
  const refused = await capture();
  tells(refused, {
    code: "E_IO",
    says: /\/srv\/(again\/srv\/)?n{250}\/.*: name too long/,
    hint: /--exclude/,
  });
  await nothingLeft(host);
  const without = await capture("--exclude", `${name}/${name}/**`);
  assert.equal(without.status, 0, without.stderr);
  await nothingLeft(host);
  const undone = await host.inside([
    "sh",
    "-euc",
    `cd ${host.source}; umount srv/third; umount -l srv/again; rm -rf srv/${name}`,
  ]);
  assert.equal(undone.status, 0, undone.stderr);
});

test("a plan that would lose what its programs need is refused; what the machine lacks itself is told", {
  skip,
}, async (t) => {
  const host = await captureHost(t);
  const excluded = [
    "capture",
    "run",
    "-m",
    host.machine,
    "--exclude",
    "libc.so.6",
    "--exclude",
    "libc-2*.so",
  ];
  const command = ["--", "/usr/bin/env"];
  const refused: Expected = {
    code: "E_UNMET",
    says: /usr\/bin\/env needs the library libc\.so\.6/,
    hint: /--allow-unmet/,
  };
  await failsCleanly(host, await host.tool([...excluded, "-t", "x", ...command]), refused);
  const allowed = await host.tool([...excluded, "-t", "x", "--allow-unmet", ...command]);
  assert.equal(allowed.status, 0, allowed.stderr);
  assert.match(
    allowed.stderr,
    /warning: .*\/usr\/bin\/env needs the library libc\.so\.6, which the plan leaves out/,
  );
  await host.tool(["rmi", "x"]);

  const plan = join(host.base, "edited.yaml");
  const made = await host.tool(["capture", "run", "-m", host.machine, "--plan-only", "-o", plan, ...command]);
  assert.equal(made.status, 0, made.stderr);
  const text = readFileSync(plan, "utf8");
  writeFileSync(plan, text.replace(/^ +\/.*\/libc(\.so\.6|-2.*\.so)\n/gm, ""));
  const carryOut = ["capture", "run", "-t", "x", "--plan", plan];
  await failsCleanly(host, await host.tool(carryOut), refused);
  assert.equal((await host.tool([...carryOut, "--allow-unmet"])).status, 0);
  await host.tool(["rmi", "x"]);

  addText(host.source, { "opt/broken/lacking": broken(sound, { needed: ["libnowhere.so.7"] }) });
  chmodSync(join(host.source, "opt/broken/lacking"), 0o755);
  const whole = ["capture", "machine", "-m", host.machine];
  const shown = await host.tool([...whole, "--plan-only", "--format", "json"]);
  const { unmet, missing } = JSON.parse(shown.stdout) as Record<string, { path: string; why: string }[]>;
  assert.deepEqual(unmet, []);
  assert.deepEqual(
    missing?.filter((one) => /nowhere/.test(one.path)),
    [{ path: "libnowhere.so.7", why: "needed by /opt/broken/lacking" }],
  );
  const packed = await host.tool([...whole, "-t", "x", ...command]);
  assert.equal(packed.status, 0, packed.stderr);
  await host.tool(["rmi", "x"]);
  await nothingLeft(host);
});

interface BadPlan {
  name: string;
  change: (text: string) => string | Uint8Array;
  expected: Expected;
}

const invalid = (says: RegExp): Expected => ({ code: "E_PLAN_INVALID", says });
const withFile = (path: string) => (text: string) =>
  text.replace(/^ {4}files: \|$/m, `    files: |\n      ${path}`);
const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi".split("").map((name, i) => `${name}: &${name} [${`*${"abcdefgh"[i]},`.repeat(9)}]`).join("\n")}\n`; // biome-ignore format: a bomb

const badPlans: readonly BadPlan[] = [
  { name: "no text at all", change: () => randomBytes(4096), expected: invalid(/plan\.yaml/) },
  { name: "an empty file", change: () => "", expected: invalid(/plan\.yaml/) },
  { name: "aliases of aliases", change: () => bomb, expected: invalid(/plan\.yaml/) },
  { name: "deep nesting", change: () => "[".repeat(100_000), expected: invalid(/plan\.yaml/) },
  { name: "more than 128 MiB", change: (text) => text + "#".repeat(129 << 20), expected: invalid(/larger than/) },
  { name: "another kind", change: (text) => text.replace("kind: Plan", "kind: Pod"), expected: invalid(/line \d+: kind/) },
  { name: "an unknown layer", change: (text) => text.replace("layer: system", "layer: kernel"), expected: invalid(/layer/) },
  { name: "no moment", change: (text) => text.replace(/asOf: .*/, "asOf: now"), expected: invalid(/asOf/) },
  { name: "a relative path", change: withFile("etc/passwd"), expected: invalid(/absolute path/) },
  { name: "a path that climbs", change: withFile("/etc/../../../etc/shadow"), expected: invalid(/\.\.\/etc\/shadow: not a canonical path/) },
  { name: "a file of the running kernel", change: withFile("/proc/kcore"), expected: invalid(/\/proc\/kcore/) },
  { name: "our own place", change: withFile("/.tranship/init"), expected: invalid(/\/\.tranship\/init/) },
  { name: "a zero byte", change: withFile("/etc/passwd\\x00"), expected: { code: "E_PLAN_INVALID", says: /zero byte/ } },
  { name: "a file below a link", change: withFile("/srv/link/index.html"), expected: invalid(/\/srv\/link is not a directory/) },
  { name: "a kernel", change: withFile("/boot/vmlinuz-5.10"), expected: { code: "E_KERNEL_PART", says: /\/boot\/vmlinuz-5\.10/ } },
  { name: "a file that is not there", change: withFile("/etc/no-such-file"), expected: { code: "E_SOURCE_CHANGED", says: /\/etc\/no-such-file/ } },
  {
    name: "another kind of machine",
    change: (text) => text.replace(/machine: .*/, "machine: tape:/dev/null"),
    expected: { code: "E_MACHINE_UNKNOWN", status: 2, says: /tape:\/dev\/null/ },
  },
]; // biome-ignore format: a table

test("plans that are hostile, damaged or out of date", { skip }, async (t) => {
  const host = await captureHost(t);
  symlinkSync("www", join(host.source, "srv/link"));
  addText(host.source, { "boot/vmlinuz-5.10": "kernel" });
  const plan = join(host.base, "plan.yaml");
  const command = ["--", "/bin/cat", "/srv/link/index.html"];
  const made = await host.tool(["capture", "run", "-m", host.machine, "--plan-only", "-o", plan, ...command]);
  assert.equal(made.status, 0, made.stderr);
  const text = readFileSync(plan, "utf8");
  assert.match(text, /^ {6}\/srv\/link$/m);
  const carryOut = () => host.tool(["capture", "run", "-t", "x", "--plan", plan]);
  for (const { name, change, expected } of badPlans) {
    await t.test(name, async () => {
      writeFileSync(plan, change(text));
      await failsCleanly(host, await carryOut(), expected);
    });
  }
  await t.test("a file without an end, and none", async () => {
    const endless = await host.tool(["capture", "run", "-t", "x", "--plan", "/dev/zero"]);
    await failsCleanly(host, endless, invalid(/\/dev\/zero is larger than/));
    const none = await host.tool(["capture", "run", "-t", "x", "--plan", "/no/plan.yaml"]);
    await failsCleanly(host, none, { code: "E_IO", says: /\/no\/plan\.yaml: no such file/, hint: /.*/ });
  });
  writeFileSync(plan, text);
  await t.test("the source changed", async () => {
    const page = join(host.source, "srv/www/index.html");
    writeFileSync(page, "<h1>other</h1>\n");
    await failsCleanly(host, await carryOut(), {
      code: "E_SOURCE_CHANGED",
      says: /\/srv\/www\/index\.html/,
      hint: /anew/,
    });
  });
  await t.test("the change is accepted, told and recorded", async () => {
    const early = await host.tool([
      "capture",
      "run",
      "-m",
      host.machine,
      "-t",
      "x",
      "--accept-changes",
      ...command,
    ]);
    await failsCleanly(host, early, { code: "E_USAGE", status: 2, says: /--accept-changes is for --plan/ });
    const accepted = await host.tool(["capture", "run", "-t", "x", "--plan", plan, "--accept-changes"]);
    assert.equal(accepted.status, 0, accepted.stderr);
    assert.match(accepted.stderr, /accepted: \/srv\/www\/index\.html is changed since/);
    const why = await host.tool(["why", "x", "/srv/www/index.html"]);
    assert.match(why.stdout, /changed since the plan was made: taken by --accept-changes/);
    await host.tool(["rmi", "x"]);
  });
  await t.test("data of a volume is taken as it is now", async () => {
    addText(host.source, { "srv/data/a": "1", "srv/data/gone": "1", "srv/data/left": "1" });
    const data = ["--exclude", "/srv/data/left", "--include", "/srv/data/**", "--volume", "/srv/data"];
    const again = ["capture", "run", "-m", host.machine, "--plan-only", "-o", plan, ...data, ...command];
    const replanned = await host.tool(again);
    assert.equal(replanned.status, 0, replanned.stderr);
    addText(host.source, { "srv/data/a": "changed", "srv/data/new/b": "2" });
    addText(host.source, { "srv/data/key.pem": "-----BEGIN PRIVATE KEY-----\nx\n" });
    rmSync(join(host.source, "srv/data/gone"));
    const taken = await carryOut();
    assert.equal(taken.status, 0, taken.stderr);
    assert.match(taken.stderr, /1 files changed, 2 new, 1 gone/);
    const packed = async (path: string) => (await host.tool(["why", "x", path])).status;
    const paths = ["/srv/data/a", "/srv/data/new/b", "/srv/data/gone", "/srv/data/left", "/srv/data/key.pem"];
    assert.deepEqual(await Promise.all(paths.map(packed)), [0, 0, 4, 4, 4]);
    await host.tool(["rmi", "x"]);
    rmSync(join(host.source, "srv/data"), { recursive: true });
  });
  await t.test("made anew, it works", async () => {
    await host.tool(["capture", "run", "-m", host.machine, "--plan-only", "-o", plan, ...command]);
    const good = await carryOut();
    assert.equal(good.status, 0, good.stderr);
    await nothingLeft(host);
  });
});

/** Runs a capture with its state on a tmpfs of that size; then there is room again. */
async function onFullDisk(host: CaptureHost, limit: string, command: readonly string[]): Promise<number> {
  const mounted = await host.inside(["mount", "-t", "tmpfs", "-o", limit, "tmpfs", host.state]);
  assert.equal(mounted.status, 0, mounted.stderr);
  host.rebase();
  const outcome = await host.tool(["capture", "run", "-m", host.machine, "-t", "x", "--", ...command]);
  const { blocks, bfree, bsize } = statfsSync(host.view(host.state));
  const grown = await host.inside(["mount", "-o", "remount,size=1g,nr_inodes=10000", host.state]);
  assert.equal(grown.status, 0, grown.stderr);
  host.rebase();
  if (outcome.status !== 0) {
    tells(outcome, { code: "E_NO_SPACE", says: /state|blob sha256/, hint: /--root/ });
    assert.ok(
      (blocks - bfree) * bsize <= 64 << 10,
      `${limit}: ${(blocks - bfree) * bsize} bytes are still in use`,
    );
    await nothingLeft(host);
    await noImage(host);
  } else {
    const verified = await host.tool(["verify", "--read-data", "x"]);
    assert.equal(verified.status, 0, `${limit}: ${verified.stderr}`);
    await nothingLeft(host);
  }
  const gone = await host.inside(["umount", host.state]);
  assert.equal(gone.status, 0, gone.stderr);
  host.rebase();
  return outcome.status;
}

test("full disks", { skip }, async (t) => {
  const host = await captureHost(t);
  mkdirSync(host.state);
  await t.test("no room for files, at ten numbers of inodes", async () => {
    const failed: number[] = [];
    for (const inodes of [4, 9, 12, 14, 17, 21, 26, 31, 37, 44])
      if ((await onFullDisk(host, `nr_inodes=${inodes},size=256m`, ["/usr/bin/env"])) !== 0)
        failed.push(inodes);
    assert.ok(failed.length >= 5, `only ${failed.join(", ")} were too few`);
  });
  await t.test("no room for what is packed, at seven sizes", async () => {
    addText(host.source, { "srv/big": randomBytes(72 << 20) });
    const reader = ["/bin/sh", "-c", "cat /srv/big > /dev/null"];
    for (const size of [1, 30, 64, 66, 68, 70, 73])
      assert.equal(await onFullDisk(host, `size=${size}m`, reader), 1, `${size} MiB`);
    assert.equal(await onFullDisk(host, "size=120m", reader), 0);
    rmSync(join(host.source, "srv/big"));
  });
  await t.test("no room for what the application writes", async () => {
    for (const megabytes of [66, 80]) {
      const script = "dd if=/dev/zero of=/var/tmp/big bs=1M count=100";
      assert.equal(await onFullDisk(host, `size=${megabytes}m`, ["/bin/sh", "-c", script]), 1);
    }
  });
});
