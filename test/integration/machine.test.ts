// Machines: addresses, files, streams under back-pressure, and servers that never outlive their client.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TranshipError } from "../../src/base/errors.ts";
import type { Entry } from "../../src/formats/entry.ts";
import { isUnreadable, type Machine } from "../../src/machine/machine.ts";
import { openMachine } from "../../src/machine/open.ts";
import { debian11 as bullseye } from "../support/roots.ts";
import { openTree, temporaryDirectory, ways } from "../support/tree.ts";

/** A small old system. */
function smallRoot(t: TestContext): string {
  const root = temporaryDirectory(t);
  for (const directory of ["etc", "usr/lib/app", "srv", "var/empty"]) {
    fs.mkdirSync(join(root, directory), { recursive: true });
  }
  fs.symlinkSync("usr/lib", join(root, "lib"));
  fs.symlinkSync("libapp.so.1.2", join(root, "usr/lib/app/libapp.so.1"));
  fs.symlinkSync("/lib/app/libapp.so.1", join(root, "usr/lib/libapp.so"));
  fs.symlinkSync("/srv/gone", join(root, "etc/dangling"));
  fs.writeFileSync(join(root, "usr/lib/app/libapp.so.1.2"), "\x7fELF and more");
  fs.writeFileSync(join(root, "etc/hostname"), "old\n");
  return root;
}

async function open(t: TestContext, address: string): Promise<Machine> {
  const machine = await openMachine(address);
  t.after(() => machine.close());
  return machine;
}

async function refusal(address: string): Promise<[code: string, message: string, hint: string | undefined]> {
  const error = await openMachine(address).then(
    () => assert.fail(`${address} opened`),
    (reason: TranshipError) => reason,
  );
  return [error.code, error.message, error.hint];
}

test("addresses that name no machine are refused with what to write instead", async (t) => {
  assert.deepEqual(await refusal("rotfs:/srv"), [
    "E_MACHINE_UNKNOWN",
    "unknown machine: rotfs:/srv",
    "did you mean rootfs:/srv?",
  ]);
  assert.equal((await refusal("lokal"))[2], "did you mean local:?");
  assert.equal((await refusal("/srv/old"))[2], "did you mean rootfs:/srv/old?");
  assert.match((await refusal("quantum:x"))[2] ?? "", /^use local:/);
  assert.equal((await refusal("local:there"))[0], "E_MACHINE_UNKNOWN");
  const empty = temporaryDirectory(t);
  fs.writeFileSync(join(empty, "file"), "");
  const unreachable: [address: string, message: RegExp][] = [
    ["rootfs:", /names no directory/],
    [`rootfs:${empty}/gone`, /cannot open .*: ENOENT/],
    [`rootfs:${empty}/file`, /is not a directory/],
    [`rootfs:${empty}`, /no \/etc and no \/usr/],
  ];
  for (const [address, message] of unreachable) {
    const [code, text, hint] = await refusal(address);
    assert.equal(code, "E_MACHINE_UNREACHABLE");
    assert.match(text, message);
    assert.ok(hint !== undefined);
  }
});

test("a root directory is a machine: stat, list, resolve, read", async (t) => {
  const machine = await open(t, `rootfs:${smallRoot(t)}`);
  assert.deepEqual([machine.kind, machine.live], ["rootfs", false]);
  const { files } = machine;
  assert.equal((await files.stat("/lib"))?.kind, "symlink");
  assert.equal((await files.stat("/lib", { follow: true }))?.kind, "directory");
  assert.equal(await files.stat("/etc/hostname/x"), undefined);
  assert.deepEqual(
    (await files.list("/lib/app/"))?.map((entry) => entry.path),
    ["/lib/app/libapp.so.1", "/lib/app/libapp.so.1.2"],
  );
  assert.deepEqual((await files.list("/var/empty"))?.length, 0);
  assert.equal(await files.list("/etc/hostname"), undefined);
  const { links, entry } = await files.resolve("/lib/libapp.so");
  assert.deepEqual(
    links.map((link) => link.path),
    ["/lib", "/usr/lib/libapp.so", "/lib", "/usr/lib/app/libapp.so.1"],
  );
  assert.equal(entry?.path, "/usr/lib/app/libapp.so.1.2");
  const dangling = await files.resolve("/etc/dangling");
  assert.deepEqual([dangling.links[0]?.target, dangling.entry], ["/srv/gone", undefined]);
  assert.equal(Buffer.from((await files.read("/etc/hostname")) ?? []).toString(), "old\n");
  assert.deepEqual(Buffer.from((await files.readRange("/lib/libapp.so", 1, 3)) ?? []).toString(), "ELF");
  assert.equal((await files.readRange("/lib/libapp.so", 1000, 3))?.length, 0);
  assert.equal(await files.read("/etc/dangling"), undefined);
  assert.equal(await files.stream("/nope"), undefined);
  assert.equal((await files.read("/etc/hostname", { maxBytes: 4 }))?.length, 4);
  await assert.rejects(files.read("/etc/hostname", { maxBytes: 3 }), { code: "E_LIMIT" });
  await assert.rejects(files.read("/etc"), {
    code: "E_IO",
    message: "cannot read /etc: it is a directory, where a file is expected (EISDIR)",
    hint: /a regular file belongs there/,
  });
});

test("this host is a machine whose processes show", async (t) => {
  const machine = await open(t, "local:");
  assert.deepEqual([machine.root, machine.live], ["/", true]);
  assert.equal((await machine.files.stat("/proc/self"))?.kind, "symlink");
  const status = await machine.files.read(`/proc/${process.pid}/status`);
  assert.match(Buffer.from(status ?? []).toString(), new RegExp(`^Pid:\\s+${process.pid}$`, "m"));
  const exe = await machine.files.resolve(`/proc/${process.pid}/exe`);
  assert.equal(exe.entry?.path, fs.realpathSync(process.execPath));
});

test("a walk leaves out what it is told to, and a missing start is reported", async (t) => {
  const { files } = await open(t, `rootfs:${smallRoot(t)}`);
  const paths: string[] = [];
  for await (const entry of files.walk("/lib/..", { exclude: ["/usr/lib/app", "/var/", "/et"] }))
    paths.push(entry.path);
  assert.deepEqual(paths, ["/usr", "/usr/lib", "/usr/lib/libapp.so"]);
  const found: unknown[] = [];
  for await (const entry of files.walk("/gone")) found.push(entry);
  assert.deepEqual(found, [{ path: "/gone", error: "ENOENT" }]);
});

test("requests may be asked inside a walk and inside streams, in any number", async (t) => {
  const root = smallRoot(t);
  fs.mkdirSync(join(root, "many"));
  for (let i = 0; i < 6000; i++) fs.writeFileSync(join(root, "many", `${"n".repeat(200)}${i}`), "x");
  const files = openTree(t, root);
  let count = 0;
  for await (const entry of files.walk("/many")) {
    if (isUnreadable(entry)) continue;
    const { entry: same } = await files.resolve(entry.path);
    assert.deepEqual(same, entry);
    count++;
  }
  assert.equal(count, 6001);
  const streams = await Promise.all([1, 2, 3, 4, 5].map(() => files.stream("/etc/hostname")));
  for (const stream of streams) {
    for await (const { offset, bytes } of stream?.data ?? []) {
      assert.deepEqual([offset, Buffer.from(bytes).toString()], [0, "old\n"]);
    }
  }
  const all = await Promise.all(Array.from({ length: 2000 }, (_, i) => files.stat(i % 2 ? "/etc" : "/nope")));
  assert.deepEqual(
    all.map((entry) => entry?.path),
    all.map((_, i) => (i % 2 ? "/etc" : undefined)),
  );
});

test("a stream that nobody reads holds little memory and can be given up", async (t) => {
  const root = smallRoot(t);
  fs.writeFileSync(join(root, "big"), Buffer.alloc(128 << 20, 7));
  const files = openTree(t, root);
  const before = process.memoryUsage().arrayBuffers;
  const streams = await Promise.all([1, 2, 3].map(() => files.stream("/big")));
  for (let i = 0; i < 200; i++) await files.stat("/etc");
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < 48 << 20, `${held} bytes are held`);
  const [first, second, third] = streams;
  let sum = 0;
  for await (const { bytes } of first?.data ?? []) sum += bytes.length;
  assert.equal(sum, 128 << 20);
  for await (const { bytes } of second?.data ?? []) {
    assert.ok(bytes.length > 0);
    break;
  }
  const data = third?.data[Symbol.asyncIterator]();
  await data?.return?.();
  for await (const _ of files.walk("/")) break;
  assert.equal((await files.stat("/etc/hostname"))?.size, 4);
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A zombie has ended.
  return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
}

async function gone(pid: number): Promise<void> {
  while (alive(pid)) await sleep(5);
}

test("a server that dies fails what was asked and what is asked later", async (t) => {
  const root = smallRoot(t);
  fs.writeFileSync(join(root, "big"), Buffer.alloc(32 << 20, 7));
  const files = openTree(t, root);
  await files.stat("/");
  const [server] = files.pids();
  assert.ok(server !== undefined);
  process.kill(server, "SIGSTOP");
  const asked = [files.stat("/etc"), files.resolve("/etc"), files.read("/etc/hostname")];
  process.kill(server, "SIGKILL");
  for (const answer of asked) await assert.rejects(answer, { code: "E_TOOL_FAILED", message: /status 137/ });
  await assert.rejects(files.stat("/"), { code: "E_TOOL_FAILED" });
  const stream = await files.stream("/big");
  for (const pid of files.pids()) if (pid !== server) process.kill(pid, "SIGKILL");
  await assert.rejects(
    async () => {
      for await (const _ of stream?.data ?? []);
    },
    { code: "E_TOOL_FAILED" },
  );
});

test("close ends every server, also those of open walks and streams", async (t) => {
  const root = smallRoot(t);
  fs.writeFileSync(join(root, "big"), Buffer.alloc(32 << 20, 7));
  const files = openTree(t, root);
  await files.stat("/");
  await files.stream("/big");
  const walk = files.walk("/");
  await walk.next();
  const pids = files.pids();
  assert.ok(pids.length >= 2);
  await files.close();
  for (const pid of pids) assert.equal(alive(pid), false);
  await assert.rejects(files.stat("/"), { code: "E_INTERNAL" });
});

test("servers end with their client, killed or just at its end", async (t) => {
  const root = smallRoot(t);
  fs.writeFileSync(join(root, "big"), Buffer.alloc(32 << 20, 7));
  const client = (last: string): string => `
    import { TreeFiles } from ${JSON.stringify(join(import.meta.dirname, "../../src/machine/tree-files.ts"))};
    const files = new TreeFiles(${JSON.stringify(root)});
    await files.stat("/");
    await files.stream("/big");
    console.log(files.pids().join(" "));
    ${last}`;
  for (const [last, signal] of [
    ["setInterval(() => {}, 1000);", "SIGKILL"],
    ["process.exitCode = 0; await files.stat('/'); process.exit();", null],
  ] as const) {
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", client(last)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => child.on("exit", (_, by) => resolve(by)));
    const line = await new Promise<string>((resolve) =>
      child.stdout.once("data", (chunk: Uint8Array) => resolve(Buffer.from(chunk).toString())),
    );
    const pids = line.trim().split(" ").map(Number);
    assert.equal(pids.length, 2);
    if (signal !== null) child.kill(signal);
    assert.equal(await ended, signal);
    for (const pid of pids) await gone(pid);
  }
});

test("an idle machine does not keep a program running", async (t) => {
  const root = smallRoot(t);
  const code = `
    import { openMachine } from ${JSON.stringify(join(import.meta.dirname, "../../src/machine/open.ts"))};
    const machine = await openMachine(${JSON.stringify(`rootfs:${root}`)});
    await machine.files.stat("/");`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", code], { stdio: "inherit" });
  assert.equal(await new Promise((resolve) => child.on("exit", resolve)), 0);
});

test("both ways tell the same of a whole Debian 11", {
  skip: fs.existsSync(bullseye) ? false : `${bullseye} is not there`,
}, async (t) => {
  const told: Entry[][] = [];
  for (const [, options] of ways) {
    const files = openTree(t, bullseye, options);
    const entries: Entry[] = [];
    for await (const entry of files.walk("/", { exclude: ["/proc", "/sys", "/dev", "/run", "/tmp"] })) {
      assert.ok(!isUnreadable(entry), entry.path);
      entries.push(entry);
    }
    told.push(entries);
    const { links, entry } = await files.resolve("/lib64/ld-linux-x86-64.so.2");
    assert.equal(links[0]?.path, "/lib64");
    assert.equal(entry?.path, "/usr/lib/x86_64-linux-gnu/ld-2.31.so");
  }
  assert.ok((told[0]?.length ?? 0) > 5000);
  assert.deepEqual(told[1], told[0]);
});

test("files without a name are read through links of a real proc only", async (t) => {
  const root = smallRoot(t);
  fs.mkdirSync(join(root, "proc/1/fd"), { recursive: true });
  fs.symlinkSync("/etc/hostname", join(root, "proc/1/exe"));
  fs.symlinkSync("../../../../../../etc/passwd", join(root, "proc/1/fd/3"));
  const made = await open(t, `rootfs:${root}`);
  for (const path of ["/proc/1/exe", "/proc/1/fd/3", "/etc/hostname"])
    assert.equal(await made.files.opened?.(path), undefined);
  const gone = join(root, "srv/gone");
  fs.writeFileSync(gone, "still here");
  const fd = fs.openSync(gone, "r");
  t.after(() => fs.closeSync(fd));
  fs.rmSync(gone);
  const live = await open(t, "local:");
  const stream = await live.files.opened?.(`/proc/${process.pid}/fd/${fd}`);
  const parts: Uint8Array[] = [];
  for await (const { bytes } of stream?.data ?? []) parts.push(bytes);
  assert.deepEqual(
    [Buffer.concat(parts).toString(), stream?.entry.nlink, stream?.entry.size],
    ["still here", 0, 10],
  );
  assert.equal(await live.files.opened?.(`/proc/${process.pid}/cwd`), undefined, "a directory");
  assert.equal(await live.files.opened?.(`/proc/${process.pid}/fd/9999`), undefined, "no such descriptor");
});
