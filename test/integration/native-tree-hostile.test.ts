// Nothing outside the root is read by `tree serve` or touched by `tree unpack`, whatever names, links, records and races say.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Entry } from "../../src/formats/entry.ts";
import { encodeFrame, encodeMagic, treeMagic } from "../../src/formats/frames.ts";
import * as records from "../../src/formats/tree-records.ts";
import { nativePath } from "../../src/host/native.ts";
import { entryFrame, fileFrames, finish, frame, judge, openTree, unpack, ways } from "../support/tree.ts";
import { type Scene, scene } from "../support/victim.ts";

const symlink = (path: string, target: string): Uint8Array =>
  entryFrame({ path, kind: "symlink", mode: 0o777, target });
const hardlink = (path: string, target: string): Uint8Array =>
  frame("hardlink", records.encodeHardlink(path, target));
const whiteout = (path: string): Uint8Array => frame("whiteout", records.encodePath(path));
const opaque = (path: string): Uint8Array => frame("opaque", records.encodePath(path));
const device = (
  path: string,
  rdevMajor: number,
  rdevMinor: number,
  kind: Entry["kind"] = "block",
): Uint8Array => entryFrame({ path, kind, rdevMajor, rdevMinor });

interface Vector {
  name: string;
  frames: (scene: Scene) => Uint8Array[];
  /** Refused with this errno; 0: done, but inside. */
  errno: number;
  /** What must be found inside then. */
  inside?: string;
}

const EPERM = 1;
const ENOENT = 2;
const EINVAL = 22;
const ENOTDIR = 20;
const ELOOP = 40;

const vectors: Vector[] = [
  { name: "../ in a name", frames: () => fileFrames("/../victim/file", "bad"), errno: EINVAL },
  { name: "../ deep in a name", frames: () => fileFrames("a/../../victim/file", "bad"), errno: EINVAL },
  {
    name: "an absolute name",
    frames: ({ victim }) => fileFrames(`${victim}/file`, "in"),
    errno: 0,
    inside: "victim/file",
  },
  {
    name: "a file through an absolute link",
    frames: ({ victim }) => [symlink("/l", victim), ...fileFrames("/l/file", "in")],
    errno: 0,
    inside: "victim/file",
  },
  {
    name: "a file through a relative link",
    frames: () => [symlink("/l", "../../../../victim"), ...fileFrames("/l/file", "in")],
    errno: 0,
    inside: "victim/file",
  },
  {
    name: "a file over a link that leads out",
    frames: ({ victim }) => [symlink("/l", `${victim}/file`), ...fileFrames("/l", "in")],
    errno: 0,
    inside: "l",
  },
  {
    name: "a directory over a link that leads out",
    frames: ({ victim }) => [
      symlink("/l", victim),
      entryFrame({ path: "/l", kind: "directory" }),
      ...fileFrames("/l/file", "in"),
    ],
    errno: 0,
    inside: "l/file",
  },
  { name: "a hard link to ../", frames: () => [hardlink("/h", "../victim/file")], errno: EINVAL },
  {
    name: "a hard link to an absolute name",
    frames: ({ victim }) => [hardlink("/h", `${victim}/file`)],
    errno: ENOENT,
  },
  {
    name: "a hard link through a link",
    frames: ({ victim }) => [symlink("/l", victim), hardlink("/h", "/l/file")],
    errno: ENOENT,
  },
  {
    name: "a hard link to a link, then a file over it",
    frames: ({ victim }) => [
      symlink("/l", `${victim}/file`),
      hardlink("/h", "/l"),
      ...fileFrames("/h", "in"),
    ],
    errno: 0,
    inside: "h",
  },
  {
    name: "a hard link to a directory",
    frames: () => [entryFrame({ path: "/d", kind: "directory" }), hardlink("/h", "/d")],
    errno: EPERM,
  },
  {
    name: "a whiteout through a link",
    frames: ({ victim }) => [symlink("/l", victim), whiteout("/l/file")],
    errno: 0,
  },
  {
    name: "an opaque mark through a link",
    frames: ({ victim }) => [symlink("/l", victim), opaque("/l/sub")],
    errno: 0,
  },
  {
    name: "an opaque mark on a link",
    frames: ({ victim }) => [symlink("/l", victim), opaque("/l")],
    errno: ENOTDIR,
  },
  { name: "a whiteout of ..", frames: () => [whiteout("/..")], errno: EINVAL },
  { name: "a whiteout of .", frames: () => [whiteout("/.")], errno: EINVAL },
  { name: "a whiteout of nothing", frames: () => [whiteout("")], errno: EINVAL },
  { name: "a whiteout of the root", frames: () => [whiteout("/")], errno: EINVAL },
  { name: "a block device", frames: () => [device("/sda", 254, 0)], errno: EPERM },
  { name: "a 0:0 device", frames: () => [device("/wh", 0, 0, "character")], errno: EPERM },
  {
    name: "an attribute of overlayfs on a file",
    frames: () => fileFrames("/f", "", { xattrs: [["trusted.overlay.redirect", "/etc"]] }),
    errno: EPERM,
  },
  {
    name: "an attribute of overlayfs on a directory",
    frames: () => [entryFrame({ path: "/d", kind: "directory", xattrs: [["trusted.overlay.opaque", "y"]] })],
    errno: EPERM,
  },
  { name: "the root as a link", frames: ({ victim }) => [symlink("/", victim)], errno: EINVAL },
  { name: "the root as a file", frames: () => fileFrames("/", "x"), errno: EINVAL },
  {
    name: "the root as a hard link",
    frames: () => [...fileFrames("/f", "x"), hardlink("/", "/f")],
    errno: EINVAL,
  },
  { name: "a NUL in a name", frames: () => fileFrames("/a\0b", "x"), errno: EINVAL },
  { name: "a NUL in a target", frames: () => [symlink("/l", "a\0b")], errno: EINVAL },
  { name: "a loop of links", frames: () => [symlink("/l", "l"), ...fileFrames("/l/x", "in")], errno: ELOOP },
  {
    name: "a chain of links that climbs at each step",
    frames: () => [
      entryFrame({ path: "/d", kind: "directory" }),
      symlink("/d/a", "../../../b"),
      symlink("/b", "d/../../victim"),
      ...fileFrames("/d/a/file", "in"),
    ],
    errno: 0,
    inside: "victim/file",
  },
];

for (const [way, options] of ways) {
  const flags = options.noOpenat2 ? ["--no-openat2"] : [];
  for (const vector of vectors) {
    test(`unpack stays inside: ${vector.name} (${way})`, async (t) => {
      const place = scene(t);
      const before = place.state();
      const result = await unpack(place.root, [...vector.frames(place), finish], flags);
      assert.equal(place.state(), before, "the victim is as it was");
      assert.equal(result.errno, vector.errno, result.stderr);
      assert.equal(result.status, vector.errno === 0 ? 0 : 1);
      if (vector.inside === undefined) return;
      const found = judge(place.root, "find", [".", "-path", `*/${vector.inside}`, "-type", "f"]).trim();
      assert.equal(fs.readFileSync(join(place.root, found), "utf8"), "in");
    });
  }

  test(`serve reads nothing outside (${way})`, async (t) => {
    const { root, victim } = scene(t);
    fs.symlinkSync(victim, join(root, "absolute"));
    fs.symlinkSync("../victim", join(root, "relative"));
    fs.symlinkSync(`${victim}/file`, join(root, "file"));
    fs.symlinkSync("/proc/self/root/", join(root, "magic"));
    const files = openTree(t, root, options);
    const paths = ["/../victim/file", "/absolute/file", "/relative/file", "/file", `/magic${victim}/file`];
    for (const path of paths) {
      assert.equal(await files.read(path), undefined, path);
      assert.equal(await files.readRange(path, 0, 4), undefined, path);
      assert.equal(await files.stat(path, { follow: true }), undefined, path);
      assert.equal((await files.resolve(path)).entry, undefined, path);
      assert.equal(await files.list(path), undefined, path);
      assert.equal(await files.list(path.slice(0, path.lastIndexOf("/") + 1).concat("sub")), undefined, path);
    }
    const walked: string[] = [];
    for await (const entry of files.walk("/")) walked.push(entry.path);
    assert.deepEqual(walked, ["/", "/absolute", "/file", "/magic", "/relative"]);
  });
}

test("a set-id file is kept, an announced device is made", async (t) => {
  const { root } = scene(t);
  const frames = [
    ...fileFrames("/su", "x", { mode: 0o4755, uid: 7 }),
    device("/null", 1, 3, "character"),
    finish,
  ];
  const result = await unpack(root, frames, ["--allow-device", "1:3"]);
  assert.equal(result.errno, 0, result.stderr);
  assert.equal(judge(root, "stat", ["-c", "%a %u %t:%T", "su", "null"]), "4755 7 0:0\n644 0 1:3\n");
  // A whiteout is not a device that anybody could announce.
  const whited = await unpack(root, [device("/wh", 0, 0, "character"), finish], ["--allow-device", "0:0"]);
  assert.deepEqual([whited.errno, whited.path], [EPERM, "/wh"]);
});

test("what is no request ends the server with a message, not a crash or a hang", () => {
  const magic = encodeMagic(treeMagic);
  const long = encodeFrame({ type: 1, id: 1, payload: new Uint8Array(0) });
  long.set([0xff, 0xff, 0xff, 0x7f]);
  const inputs: [name: string, input: Uint8Array, status: number][] = [
    // Who started it had no question after all.
    ["nothing", new Uint8Array(0), 0],
    ["another magic", Buffer.from("TRTREE\0\x02"), 125],
    ["no request at all", magic, 0],
    [
      "an unknown type",
      Buffer.concat([magic, encodeFrame({ type: 99, id: 1, payload: new Uint8Array(0) })]),
      125,
    ],
    ["a huge frame", Buffer.concat([magic, long]), 125],
    ["half a header", Buffer.concat([magic, Uint8Array.of(1, 2, 3)]), 125],
    ...[1, 2, 3, 4, 5, 6].map((type): [string, Uint8Array, number] => [
      `an empty request ${type}`,
      Buffer.concat([magic, encodeFrame({ type, id: 1, payload: new Uint8Array(0) })]),
      125,
    ]),
    [
      "a walk with more prefixes than it has",
      Buffer.concat([magic, encodeFrame({ type: 3, id: 1, payload: Uint8Array.of(0, 1, 0, 0x2f, 9, 0) })]),
      125,
    ],
  ];
  for (const [name, input, status] of inputs) {
    const result = spawnSync(nativePath("tree"), ["serve", "/"], { input });
    assert.deepEqual([result.status, result.signal], [status, null], name);
    assert.equal(result.stderr.length > 0, status !== 0, name);
  }
});

test("mutated streams never crash the unpacker", async (t) => {
  const { root, state } = scene(t);
  const before = state();
  const good = Buffer.concat([
    entryFrame({ path: "/d", kind: "directory", mode: 0o755, xattrs: [["user.a", "b"]] }),
    ...fileFrames("/d/f", "content", { xattrs: [["user.x", "\0\xff"]] }),
    entryFrame({ path: "/s", size: 100, extents: [{ offset: 10, length: 4 }] }),
    records.encodeDataHeader(10, 4),
    Buffer.from("data"),
    frame("end", records.encodeEnd()),
    symlink("/l", "d"),
    hardlink("/d/h", "/l/f"),
    whiteout("/w"),
    finish,
  ]);
  let random = 12_345;
  const next = (below: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return (random >>> 8) % below;
  };
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(good);
    for (let i = 0; i <= next(4); i++) bytes[next(bytes.length)] = next(256);
    const result = await unpack(root, [bytes], ["--max-bytes", "100000"]);
    assert.ok(
      result.status === 0 || result.status === 1,
      `round ${round}: ${result.status} ${result.stderr}`,
    );
  }
  assert.equal(state(), before);
});
