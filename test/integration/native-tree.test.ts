// Every attribute of a tree survives `tree serve` -> `tree unpack`, judged by our own reading and by find, getfattr, getcap, getfacl.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Entry } from "../../src/formats/entry.ts";
import { isUnreadable } from "../../src/machine/machine.ts";
import type { TreeFiles } from "../../src/machine/tree-files.ts";
import {
  copyFrames,
  fileFrames,
  finish,
  judge,
  openTree,
  temporaryDirectory,
  unpack,
  ways,
} from "../support/tree.ts";

const strangeName = Buffer.from(Array.from({ length: 255 }, (_, i) => (i + 1 === 0x2f ? 0x80 : i + 1)));

function sparse(path: string, size: number, pieces: readonly number[]): void {
  const fd = fs.openSync(path, "w");
  fs.ftruncateSync(fd, size);
  for (const at of pieces) fs.writeSync(fd, "data", at);
  fs.closeSync(fd);
}

/** One of everything. */
function makeEverything(root: string): void {
  fs.mkdirSync(join(root, "dir/below"), { recursive: true });
  fs.writeFileSync(join(root, "dir/plain"), "hello\n");
  fs.writeFileSync(join(root, "empty"), "");
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), strangeName]), "strange");
  fs.writeFileSync(join(root, "big"), Buffer.alloc((3 << 20) + 17, "0123456789abcdef"));
  sparse(join(root, "sparse"), 1 << 30, [0, 512 << 20, (1 << 30) - 4]);
  sparse(join(root, "hole-at-end"), 5 << 20, [0]);
  sparse(join(root, "only-hole"), 7 << 20, []);
  fs.linkSync(join(root, "dir/plain"), join(root, "link-to-plain"));
  fs.symlinkSync("dir/\xe9\u0001", join(root, "symlink"));
  fs.symlinkSync("/etc/passwd", join(root, "absolute"));
  judge(root, "mkfifo", ["-m", "622", "fifo"]);
  fs.linkSync(join(root, "fifo"), join(root, "dir/fifo-again"));
  judge(root, "mknod", ["null", "c", "1", "3"]);
  judge(root, "mknod", ["block", "b", "254", "7"]);
  judge(root, "python3", ["-c", "import socket; socket.socket(socket.AF_UNIX).bind('socket')"]);
  fs.writeFileSync(join(root, "setuid"), "x");
  fs.writeFileSync(join(root, "capable"), "x");
  fs.chownSync(join(root, "setuid"), 3_000_000, 3_000_001);
  fs.lchownSync(join(root, "symlink"), 3_000_000, 33);
  fs.chmodSync(join(root, "setuid"), 0o6755);
  fs.chmodSync(join(root, "dir/below"), 0o3777);
  judge(root, "setcap", ["cap_net_bind_service,cap_sys_admin+ep", "capable"]);
  judge(root, "setfattr", ["-n", "user.bytes", "-v", "0x00ff00c3280a", "dir/plain"]);
  judge(root, "setfattr", ["-n", "user.none", "dir"]);
  judge(root, "setfattr", ["-n", "trusted.other", "-v", `0x${"5a".repeat(2000)}`, "big"]);
  judge(root, "setfattr", ["-h", "-n", "trusted.on-link", "-v", "0x00", "symlink"]);
  judge(root, "setfacl", ["-m", "u:1234:rwx,g:4321:r,m::rx", "dir/plain"]);
  judge(root, "setfacl", ["-d", "-m", "u:77:rwx", "dir"]);
  fs.writeFileSync(join(root, "dir/inherits"), "");
  fs.writeFileSync(join(root, "dir/inherits-not"), "");
  judge(root, "setfacl", ["-b", "dir/inherits-not"]);
  fs.chmodSync(join(root, "dir/inherits-not"), 0o640);
  let seconds = 0;
  for (const path of judge(root, "find", [".", "-print0"]).split("\0").slice(0, -1)) {
    const when = 1_500_000_000 + seconds++ * 1000;
    fs.lutimesSync(
      Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, "latin1")]),
      when,
      when + 0.123456,
    );
  }
  judge(root, "touch", ["-h", "-d", "1955-11-05 06:15:00.000000001 UTC", "symlink", "dir/below"]);
  judge(root, "touch", ["-d", "2030-01-01 00:00:00.999999999 UTC", "empty", "dir"]);
}

async function all(files: TreeFiles): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of files.walk("/")) {
    if (isUnreadable(entry)) throw new Error(`${entry.path}: ${entry.error}`);
    entries.push(entry);
  }
  return entries;
}

/** What a copy has in common with its original; hard links by the first name. */
function comparable(entries: readonly Entry[]): unknown[] {
  const first = new Map<string, string>();
  return entries.map((entry) => {
    const object = `${entry.dev}:${entry.ino}`;
    if (!first.has(object)) first.set(object, entry.path);
    const { dev: _dev, ino: _ino, ctime: _ctime, blocks: _blocks, ...rest } = entry;
    return { ...rest, same: first.get(object) };
  });
}

/** What other programs say of a tree. */
function judged(root: string): string[] {
  const print = "%P\\0%y %m %U %G %n %s %T@ %l\\0";
  return [
    judge(root, "find", [".", "-mindepth", "0", "-printf", print]).split("\0").sort().join("\n"),
    judge(root, "sh", ["-c", "find . -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - -e hex --"]),
    judge(root, "sh", ["-c", "find . ! -type l -print0 | LC_ALL=C sort -z | xargs -0 getfacl -n --"]),
    judge(root, "getcap", ["-r", "."]),
    judge(root, "sh", ["-c", "find . -type f -size -9M -print0 | LC_ALL=C sort -z | xargs -0 sha256sum"]),
    judge(root, "stat", ["-c", "%F %t:%T", "null", "block", "fifo", "socket"]),
  ];
}

async function roundTrip(t: TestContext, from: TreeFiles, options: readonly string[]): Promise<string> {
  const to = join(temporaryDirectory(t), "copy");
  fs.mkdirSync(to);
  const result = await unpack(to, copyFrames(from), options);
  assert.deepEqual(result, { status: 0, errno: 0, path: undefined, stderr: "" });
  return to;
}

for (const [way, options] of ways) {
  test(`every attribute survives serve and unpack (${way})`, async (t) => {
    const root = temporaryDirectory(t);
    makeEverything(root);
    const before = judged(root);
    const from = openTree(t, root, options);
    const entries = await all(from);
    const devices = ["--allow-device", "1:3", "--allow-device", "254:7"];
    const copy = await roundTrip(t, from, [...(options.noOpenat2 ? ["--no-openat2"] : []), ...devices]);
    assert.deepEqual(comparable(await all(openTree(t, copy))), comparable(entries));
    assert.deepEqual(judged(copy), before);
    assert.deepEqual(judged(root), before, "the source is as it was");
    assert.ok(fs.statSync(join(copy, "sparse")).blocks < 200, "the copy is sparse");
    assert.equal(fs.statSync(join(copy, "only-hole")).blocks, 0);
  });
}

test("both ways of resolving tell the same", async (t) => {
  const root = temporaryDirectory(t);
  makeEverything(root);
  fs.symlinkSync("../../../../dir/../link-to-plain", join(root, "dir/below/up"));
  fs.symlinkSync("/dir/below/up", join(root, "chain"));
  fs.symlinkSync("loop", join(root, "loop"));
  fs.symlinkSync("dir", join(root, "to-dir"));
  const paths = [
    "/",
    "//",
    "/.",
    "/dir/plain",
    "dir//./plain/",
    "/..",
    "/../..",
    "/to-dir/below/up",
    "/chain",
    "/loop",
  ];
  paths.push(
    "/loop/x",
    "/nope",
    "/nope/../dir",
    "/empty/x",
    "/to-dir/..",
    "/absolute",
    "/dir/below/../../chain",
    "",
  );
  paths.push("/a\0b", `/${"n".repeat(256)}`, `/${strangeName.toString("latin1")}`, "/to-dir/nope/x");
  const told: unknown[] = [];
  for (const [, options] of ways) {
    const files = openTree(t, root, options);
    const answers: unknown[] = [await all(files)];
    for (const path of paths) {
      answers.push([path, await files.stat(path), await files.stat(path, { follow: true })]);
      answers.push(
        await files.resolve(path),
        (await files.list(path))?.map((entry) => entry.path),
      );
    }
    told.push(answers);
  }
  assert.deepEqual(told[1], told[0]);
});

test("a tree deeper than PATH_MAX and than descriptors is made, told, replaced", async (t) => {
  const root = temporaryDirectory(t);
  const path = `/${"d".repeat(20)}`.repeat(3000);
  const made = await unpack(root, [...fileFrames(`${path}/file`, "deep"), finish]);
  assert.equal(made.errno, 0, made.stderr);
  const files = openTree(t, root);
  const entries = await all(files);
  assert.equal(entries.length, 3002);
  assert.equal(entries.at(-1)?.path, `${path}/file`);
  assert.equal(Buffer.from((await files.read(`${path}/file`)) ?? []).toString(), "deep");
  const name = `/${"d".repeat(20)}`;
  const replaced = await unpack(root, [...fileFrames(name, "flat"), finish]);
  assert.equal(replaced.errno, 0, replaced.stderr);
  assert.equal(fs.readFileSync(root + name, "utf8"), "flat");
});

test("a path of 4,000 bytes is like any other", async (t) => {
  const root = temporaryDirectory(t);
  const path = `${`/${"x".repeat(249)}`.repeat(15)}/${"y".repeat(249)}`;
  assert.equal(path.length, 4000);
  assert.equal((await unpack(root, [...fileFrames(path, "long"), finish])).errno, 0);
  for (const [, options] of ways) {
    const files = openTree(t, root, options);
    assert.equal((await files.resolve(path)).entry?.path, path);
    assert.equal(Buffer.from((await files.readRange(path, 1, 2)) ?? []).toString(), "on");
  }
});

test("a file that changes while it is streamed is told", async (t) => {
  const root = temporaryDirectory(t);
  fs.writeFileSync(join(root, "grows"), Buffer.alloc(16 << 20, 1));
  const stream = await openTree(t, root).stream("/grows");
  assert.ok(stream);
  // The server waits for a reader after the first few MiB.
  fs.appendFileSync(join(root, "grows"), "more");
  let bytes = 0;
  for await (const piece of stream.data) bytes += piece.bytes.length;
  assert.equal(bytes, 16 << 20);
  assert.equal(stream.changed(), true);
  const again = await openTree(t, root).stream("/grows");
  assert.ok(again);
  for await (const piece of again.data) bytes -= piece.bytes.length;
  assert.deepEqual([bytes, again.changed()], [-4, false]);
});

test("a file of more extents than one record holds keeps its content", async (t) => {
  const root = temporaryDirectory(t);
  const path = join(root, "holes");
  // Pairs with a small hole between them and large ones around: the small ones are filled.
  const pieces = Array.from({ length: 33_000 }, (_, i) => (i >> 1) * 24_576 + (i & 1) * 8192);
  sparse(path, 33_000 * 12_288, pieces);
  const from = openTree(t, root);
  const entry = await from.stat("/holes");
  assert.ok(entry?.extents !== undefined && entry.extents.length > 16_000 && entry.extents.length <= 32_768);
  const copy = await roundTrip(t, from, []);
  const sum = (at: string) => judge(at, "sha256sum", ["holes"]);
  assert.equal(sum(copy), sum(root));
});
