import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { isBelow, parseMountInfo, visibleMounts } from "../../src/formats/mountinfo.ts";

test("a line with escapes, optional fields and bytes that are not UTF-8", () => {
  const line =
    "36 35 98:0 /mnt\\0401 /a\\011b\\134c\xe9 rw,noatime shared:7 master:2 - ext4 /dev/sd\\040a rw,errors=continue";
  assert.deepEqual(parseMountInfo(`${line}\n`), [
    {
      id: 36,
      parent: 35,
      device: "98:0",
      root: "/mnt 1",
      target: "/a\tb\\c\xe9",
      options: ["rw", "noatime"],
      superOptions: ["rw", "errors=continue"],
      propagation: ["shared:7", "master:2"],
      fstype: "ext4",
      source: "/dev/sd a",
    },
  ]);
});

test("no optional fields, an empty source, no file", () => {
  const [mount] = parseMountInfo("1 0 0:2 / /x rw - tmpfs  rw");
  assert.deepEqual([mount?.propagation, mount?.source, mount?.superOptions], [[], "", ["rw"]]);
  assert.deepEqual(parseMountInfo(""), []);
});

test("what is no mountinfo is refused with the line", () => {
  for (const line of [
    "x",
    "1 0 0:2 / /x rw tmpfs none rw",
    "a 0 0:2 / /x rw - tmpfs none rw",
    "1 0 0:2 / /x rw - tmpfs",
  ]) {
    assert.throws(
      () => parseMountInfo(line),
      (error) => isTranshipError(error, "E_PROTOCOL") && error.message.includes(line),
    );
  }
});

/** "id parent target" each. */
function visible(...mounts: string[]): string[] {
  const text = mounts.map((mount) => {
    const [id, parent, target] = mount.split(" ");
    return `${id} ${parent} 0:1 / ${target} rw - tmpfs none rw\n`;
  });
  return visibleMounts(parseMountInfo(text.join(""))).map((mount) => `${mount.id} ${mount.target}`);
}

test("only mounts that a path can reach are visible", () => {
  assert.deepEqual(visible("1 0 /", "2 1 /b", "3 1 /a", "4 3 /a/c"), ["1 /", "3 /a", "4 /a/c", "2 /b"]);
  assert.deepEqual(
    visible("1 0 /", "2 1 /a", "3 2 /a/b", "4 2 /a"),
    ["1 /", "4 /a"],
    "stacked on the same place",
  );
  assert.deepEqual(
    visible("1 0 /", "2 1 /a/b", "3 1 /a"),
    ["1 /", "3 /a"],
    "a directory above was mounted over",
  );
  assert.deepEqual(
    visible("1 0 /", "2 1 /a", "3 1 /ab"),
    ["1 /", "2 /a", "3 /ab"],
    "a longer name is not below",
  );
  assert.deepEqual(
    visible("1 0 /", "2 1 /a/b/c", "3 1 /a-b", "4 1 /a"),
    ["1 /", "3 /a-b", "4 /a"],
    "order of bytes",
  );
  assert.deepEqual(visible("5 99 /", "6 5 /x"), ["5 /", "6 /x"], "the parent is outside of a chroot");
});

test("a circle of parents ends", () => {
  assert.deepEqual(visible("1 2 /a", "2 1 /a"), []);
  assert.deepEqual(visible("1 1 /", "2 1 /a"), ["1 /", "2 /a"]);
});

test("below means the directory or what is in it", () => {
  assert.deepEqual(
    ["/a", "/a/b", "/ab", "/"].map((path) => isBelow(path, "/a")),
    [true, true, false, false],
  );
  assert.ok(isBelow("/x", "/"));
});
