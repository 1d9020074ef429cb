// The rules by which `tree unpack` makes a tree: what is in the way, whiteouts, id maps, rights, exact content.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Entry } from "../../src/formats/entry.ts";
import { encodeFrame, encodeMagic, FrameReader, treeMagic } from "../../src/formats/frames.ts";
import * as records from "../../src/formats/tree-records.ts";
import { nativePath } from "../../src/host/native.ts";
import { entryFrame, fileFrames, finish, frame, judge, temporaryDirectory, unpack } from "../support/tree.ts";

test("what is in the way gives way by the rules of OCI layers", async (t) => {
  const root = temporaryDirectory(t);
  fs.mkdirSync(join(root, "dir/kept"), { recursive: true });
  judge(root, "setfattr", ["-n", "user.old", "-v", "1", "dir"]);
  fs.mkdirSync(join(root, "full/of/things"), { recursive: true });
  fs.mkdirSync(join(root, "real"));
  fs.symlinkSync("real", join(root, "link"));
  fs.writeFileSync(join(root, "file"), "old");
  const result = await unpack(root, [
    entryFrame({ path: "/dir", kind: "directory", mode: 0o700, xattrs: [["user.new", "2"]] }),
    ...fileFrames("/full", "now a file"),
    entryFrame({ path: "/link", kind: "directory", mode: 0o755 }),
    ...fileFrames("/link/inside", "x"),
    entryFrame({ path: "/file", kind: "symlink", mode: 0o777, target: "dir" }),
    ...fileFrames("/new/parents/made", "x"),
    finish,
  ]);
  assert.equal(result.errno, 0, result.stderr);
  assert.deepEqual(fs.readdirSync(join(root, "dir")), ["kept"]);
  assert.equal(fs.statSync(join(root, "dir")).mode & 0o7777, 0o700);
  assert.match(judge(root, "getfattr", ["-d", "dir"]), /^# file: dir\nuser.new="2"\n\n$/);
  assert.equal(fs.readFileSync(join(root, "full"), "utf8"), "now a file");
  assert.deepEqual(
    [fs.readdirSync(join(root, "link")), fs.readdirSync(join(root, "real"))],
    [["inside"], []],
  );
  assert.equal(fs.readlinkSync(join(root, "file")), "dir");
  assert.equal(fs.statSync(join(root, "new/parents")).mode & 0o7777, 0o755);
});

test("whiteouts and opaque directories are those of overlayfs, in any order", async (t) => {
  const root = temporaryDirectory(t);
  const result = await unpack(root, [
    frame("whiteout", records.encodePath("/gone")),
    frame("opaque", records.encodePath("/opaque")),
    entryFrame({ path: "/opaque", kind: "directory", mode: 0o755 }),
    frame("whiteout", records.encodePath("/again")),
    entryFrame({ path: "/again", kind: "directory", mode: 0o755 }),
    entryFrame({ path: "/first", kind: "directory", mode: 0o755 }),
    frame("whiteout", records.encodePath("/first")),
    ...fileFrames("/stays", "x"),
    frame("whiteout", records.encodePath("/stays")),
    finish,
  ]);
  assert.equal(result.errno, 0, result.stderr);
  assert.equal(judge(root, "stat", ["-c", "%F %t:%T", "gone"]), "character special file 0:0\n");
  for (const name of ["opaque", "again", "first"]) {
    assert.match(judge(root, "getfattr", ["-d", "-m", "-", name]), /trusted.overlay.opaque="y"/, name);
  }
  assert.equal(fs.readFileSync(join(root, "stays"), "utf8"), "x");
});

test("ids are mapped by ranges, and an id outside them is an error", async (t) => {
  const root = temporaryDirectory(t);
  const maps = ["--uid-map", "0:100000:65536", "--gid-map", "0:200000:10", "--gid-map", "33:5:1"];
  const mapped = await unpack(root, [...fileFrames("/a", "x", { uid: 33, gid: 33 }), finish], maps);
  assert.equal(mapped.errno, 0, mapped.stderr);
  const { uid, gid } = fs.statSync(join(root, "a"));
  assert.deepEqual([uid, gid], [100033, 5]);
  const refused = await unpack(root, [...fileFrames("/b", "x", { uid: 70000, gid: 0 }), finish], maps);
  assert.deepEqual([refused.status, refused.path], [1, "/b"]);
});

test("without root's rights: unwritable directories are made, foreign owners and unreadable parts are told", async (t) => {
  const root = temporaryDirectory(t);
  const ids = { uid: 65_534, gid: 65_534 };
  fs.chownSync(root, ids.uid, ids.gid);
  const frames = [
    entryFrame({ path: "/shut", kind: "directory", mode: 0o555, ...ids }),
    entryFrame({ path: "/shut/in", kind: "directory", mode: 0o500, ...ids }),
    ...fileFrames("/shut/in/file", "x", { ...ids, mode: 0o400 }),
    finish,
  ];
  const made = await unpack(root, frames, [], ids);
  assert.equal(made.errno, 0, made.stderr);
  assert.equal(judge(root, "stat", ["-c", "%a %Y", "shut", "shut/in"]), "555 1600000000\n500 1600000000\n");
  const foreign = await unpack(root, [...fileFrames("/foreign", "x", { uid: 5 }), finish], [], ids);
  assert.deepEqual([foreign.errno, foreign.path], [1, "/foreign"]);
  fs.chownSync(join(root, "shut/in"), 0, 0);
  const walk = records.encodeWalk("/", false, []);
  const input = Buffer.concat([
    encodeMagic(treeMagic),
    encodeFrame({ type: 3, id: 1, payload: walk }),
    encodeFrame({ type: 4, id: 2, payload: records.encodeRead("/shut/in/file", 0, 9) }),
  ]);
  const { stdout, status } = spawnSync(nativePath("tree"), ["serve", root], { input, ...ids });
  assert.equal(status, 0);
  const reader = new FrameReader(treeMagic);
  reader.push(stdout);
  const told: unknown[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    if (next.type === records.treeFrame.error) told.push([next.id, records.decodeError(next.payload)]);
  }
  assert.deepEqual(told, [
    [1, { errno: 13, path: "/shut/in" }],
    [2, { errno: 13, path: "/shut/in/file" }],
  ]);
});

test("content has to be what its entry lists, within the caps, and closed by FINISH", async (t) => {
  const root = temporaryDirectory(t);
  const data = (at: number, text: string) => [records.encodeDataHeader(at, text.length), Buffer.from(text)];
  const begin = (extents?: Entry["extents"]) => entryFrame({ path: "/f", size: 8, extents });
  const end = frame("end", records.encodeEnd());
  const cases: [name: string, frames: Uint8Array[], options: string[], errno: number][] = [
    ["too little", [begin(), ...data(0, "1234"), end], [], 5],
    ["too much", [begin(), ...data(0, "123456789"), end], [], 22],
    ["a gap", [begin(), ...data(1, "1234567"), end], [], 22],
    ["outside extents", [begin([{ offset: 4, length: 4 }]), ...data(0, "12"), end], [], 22],
    ["data without a file", data(0, "1"), [], 71],
    ["an entry inside a file", [begin(), begin()], [], 71],
    ["more bytes than allowed", [begin(), ...data(0, "12345678"), end], ["--max-bytes", "7"], 7],
    [
      "more entries than allowed",
      [...fileFrames("/a", ""), ...fileFrames("/b", "")],
      ["--max-entries", "1"],
      7,
    ],
    ["a request", [frame("finish").fill(1, 4, 5)], [], 71],
    ["half a record", [frame("entry", new Uint8Array(40))], [], 74],
  ];
  for (const [name, frames, options, errno] of cases) {
    const result = await unpack(root, [...frames, finish], options);
    assert.deepEqual([result.status, result.errno], [1, errno], `${name}: ${result.stderr}`);
  }
  for (const frames of [[], fileFrames("/whole", "x"), [begin()], [finish.subarray(0, 5)]]) {
    assert.deepEqual(await unpack(root, frames).then(({ status, errno }) => [status, errno]), [1, 71]);
  }
});
