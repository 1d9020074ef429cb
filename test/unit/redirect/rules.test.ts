import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import type { FileRedirection } from "../../../src/package/descriptor.ts";
import { decide } from "../../../src/redirect/decide.ts";
import { locate } from "../../../src/redirect/locate.ts";
import { cleanPath, fileRule, makeTable, ruleFor } from "../../../src/redirect/rules.ts";

type Short = [from: string, to: string, match?: "exact" | "folder", mode?: FileRedirection["mode"]];

function table(...rules: Short[]) {
  return makeTable(
    rules.map(([from, to, match = "folder", mode = "full"], i) => fileRule({ from, to, match, mode }, i)),
  );
}

test("exact before folder, longer before shorter, then declaration", () => {
  const rules = table(
    ["/opt", "/p0"],
    ["/opt/legacy", "/p1"],
    ["/opt/legacy", "/p2"],
    ["/opt/legacy", "/p3", "exact"],
    ["/opt/legacy/bin/x", "/p4", "exact"],
  );
  const decider = (path: string): number | undefined => ruleFor(rules, path)?.declared;
  assert.deepEqual(
    ["/opt", "/opt/a", "/opt/legacy", "/opt/legacy/a", "/opt/legacy/bin/x", "/opt/legacy/bin/x/y"].map(
      decider,
    ),
    [0, 0, 3, 1, 4, 1],
  );
  assert.deepEqual(["/", "/op", "/optx", "/opt-a", "/opu", "/opt/legacy-2"].map(decider), [
    ...[undefined, undefined, undefined, undefined, undefined],
    0,
  ]);
});

test("a rule of / decides for whatever no longer one does", () => {
  const rules = table(["/", "/all"], ["/tmp", "/t"]);
  assert.deepEqual(
    ["/", "/a", "/tmp/x"].map((path) => ruleFor(rules, path)?.to),
    ["/all", "/all", "/t"],
  );
  assert.deepEqual(decide(rules, "/a/b").reads.at(-1), { where: "package", path: "/all/a/b", root: 0 });
  assert.deepEqual(decide(rules, "/").reads.at(-1), { where: "package", path: "/all", root: 0 });
});

test("paths are cleaned, and those that lead out are refused with the value", () => {
  assert.equal(cleanPath("//opt/./legacy//"), "/opt/legacy");
  assert.equal(cleanPath("/"), "/");
  for (const path of ["opt", "", "/a/../b", "/a\0", `/${"x".repeat(4095)}`])
    assert.throws(
      () => cleanPath(path),
      (error) => isTranshipError(error, "E_DESCRIPTOR_INVALID"),
    );
});

test("each mode says where is read and where is written", () => {
  const rules = table(
    ["/full", "/p/f", "folder", "full"],
    ["/copy", "/p/c", "folder", "write-copy"],
    ["/merged", "/p/m", "exact", "merged"],
    ["/hidden", "/", "folder", "hide"],
    ["/fixed", "/p/r", "folder", "read-only"],
  );
  const told = (path: string): string => {
    const { reads, writes } = decide(rules, path);
    const places = reads.map((place) => `${place.where}:${place.path}`).join(" ");
    const write =
      "place" in writes ? `${writes.place.where}:${writes.place.path}` : `${writes.change} ${writes.create}`;
    return `${places} | ${write}`;
  };
  assert.equal(told("/full/x"), "copy:/p/f/x package:/p/f/x | copy:/p/f/x");
  assert.equal(told("/copy/x"), "copy:/copy/x package:/p/c/x host:/copy/x | copy:/copy/x");
  assert.equal(told("/merged"), "package:/p/m host:/merged | host:/merged");
  assert.equal(told("/hidden"), " | ENOENT EROFS");
  assert.equal(told("/hidden/x"), " | ENOENT ENOENT");
  assert.equal(told("/fixed"), "package:/p/r | EROFS EROFS");
  assert.equal(told("/else"), "unredirected:/else | unredirected:/else");
});

test("a path is walked as the kernel walks it, in the application's view", () => {
  const links: Record<string, string> = {
    "/link": "/opt/legacy",
    "/opt/legacy/up": "..",
    "/a": "b",
    "/b": "a",
    "/dir/l": "../x/",
  };
  const walk = (path: string, cwd = "/srv", follow = true) =>
    locate(path, { cwd, follow, readLink: (location) => links[location] });
  const at = (location: string, directory = false) => ({ location, directory });
  assert.deepEqual(walk("x"), at("/srv/x"));
  assert.deepEqual(walk("../../x"), at("/x"));
  assert.deepEqual(walk("/link/file"), at("/opt/legacy/file"));
  assert.deepEqual(walk("/link/../y"), at("/opt/y"));
  assert.deepEqual(walk("/link/up/z"), at("/opt/z"));
  assert.deepEqual(walk("/link"), at("/opt/legacy"));
  assert.deepEqual(walk("/link", "/", false), at("/link"));
  assert.deepEqual(walk("/link/", "/", false), at("/opt/legacy", true));
  assert.deepEqual(walk("/link/.", "/", false), at("/opt/legacy", true));
  assert.deepEqual(walk("/dir/l"), at("/x"));
  assert.deepEqual(walk("/"), at("/", true));
  assert.deepEqual(walk("/a"), { errno: "ELOOP" });
  assert.deepEqual(walk("/a", "/", false), at("/a"));
  assert.deepEqual(walk(""), { errno: "ENOENT" });
  assert.deepEqual(walk(`/${"x".repeat(256)}`), { errno: "ENAMETOOLONG" });
  assert.deepEqual(walk("/x".repeat(2048)), { errno: "ENAMETOOLONG" });
});
