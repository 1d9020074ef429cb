import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileRedirection } from "../../../src/package/descriptor.ts";
import { hostAllows, hostPathRefused, secretsBelow } from "../../../src/redirect/host-paths.ts";
import type { EntryKind, MountPlan } from "../../../src/redirect/mount-plan.ts";
import { planMounts } from "../../../src/redirect/mounts.ts";
import { fileRule } from "../../../src/redirect/rules.ts";
import { parseRedirect } from "../../../src/runtime/redirect/parse.ts";

type Short = [from: string, to: string, match: FileRedirection["match"], mode: FileRedirection["mode"]];
type Names = Readonly<Record<string, EntryKind>>;

const inside: Names = {
  "/srv": "directory",
  "/srv/x": "file",
  "/one": "file",
  "/opt": "directory",
  "/opt/old": "directory",
};

function plan(rules: Short[], host: Names = {}, mounts: string[] = []): MountPlan {
  return planMounts(
    rules.map(([from, to, match, mode], i) => fileRule({ from, to, match, mode }, i)),
    {
      inPackage: (path) => ({ location: path, kind: inside[path] }),
      onHost: (path) => host[path],
      allows: (path) => host[path] !== undefined,
      mounts,
    },
  );
}

const made = (one: MountPlan): string[] => one.made.map(({ made: { as, at } }) => `${as} ${at}`);
const entries = (one: MountPlan): string[] =>
  one.entries.map(({ overlay, path, kind }) => `${overlay ?? "root"}:${path} ${kind}`);
const reasons = (one: MountPlan): string[] =>
  one.refusals.map(({ rule, reason }) => `${rule.from}: ${reason}`);

test("each mode becomes the mount that carries it, with a place to mount at", () => {
  const one = plan([
    ["/a", "/srv", "folder", "full"],
    ["/b", "/one", "exact", "read-only"],
    ["/c", "/srv", "folder", "write-copy"],
    ["/d", "/one", "exact", "write-copy"],
    ["/opt/old", "/", "folder", "hide"],
    ["/opt/none", "/", "folder", "hide"],
    ["/srv", "/srv", "folder", "full"],
    ["/e", "/nothing", "folder", "full"],
  ]);
  assert.deepEqual(made(one), [
    "bind /a",
    "bind /b",
    "overlay /c",
    "copy /d",
    "absent /e",
    "absent /opt/none",
    "absent /opt/old",
    "nothing /srv",
  ]);
  assert.deepEqual(entries(one), [
    "root:/a directory",
    "root:/b file",
    "root:/c directory",
    "root:/d copy",
    "root:/opt/old whiteout",
  ]);
  assert.deepEqual(one.refusals, []);
});

test("a rule inside of another one is made in what that one shows", () => {
  const rules: Short[] = [
    ["/c", "/srv", "folder", "write-copy"],
    ["/c/x", "/", "folder", "hide"],
    ["/c/y", "/one", "exact", "write-copy"],
    ["/c/z", "/srv", "folder", "full"],
  ];
  assert.deepEqual(entries(plan(rules)), [
    "root:/c directory",
    "0:/x whiteout",
    "0:/y copy",
    "0:/z directory",
  ]);
  const full: Short[] = [["/c", "/srv", "folder", "full"], ["/c/z", "/opt", "folder", "full"]]; // biome-ignore format: short
  assert.deepEqual(entries(plan(full)), ["root:/c directory", "root:/srv/z directory"]);
  const hidden: Short[] = [["/opt", "/", "folder", "hide"], ["/opt/old", "/", "folder", "hide"], ["/opt/in", "/one", "exact", "full"]]; // biome-ignore format: short
  assert.deepEqual(entries(plan(hidden)), ["root:/opt whiteout", "root:/opt/in file"]);
});

test("what a rule hides or replaces is still there for rules that lead to it", () => {
  const hidden: Short[] = [
    ["/srv", "/", "folder", "hide"],
    ["/a", "/srv", "folder", "full"],
    ["/b", "/srv", "folder", "read-only"],
    ["/c", "/srv/x", "exact", "full"],
  ];
  assert.deepEqual(made(plan(hidden)), ["overlay /a", "bind /b", "copy /c", "absent /srv"]);
  assert.deepEqual(plan(hidden).made[1]?.made, {
    as: "bind",
    at: "/b",
    source: "/srv",
    readOnly: true,
    apart: true,
  });
  const replaced: Short[] = [["/srv", "/one", "exact", "write-copy"], ["/a", "/srv/x", "exact", "full"]]; // biome-ignore format: short
  assert.deepEqual(made(plan(replaced)), ["copy /a", "copy /srv"]);
});

test("a rule that no path leads to is none", () => {
  const below: Short[] = [["/one/x", "/srv", "folder", "full"]];
  assert.deepEqual([made(plan(below)), entries(plan(below))], [["nothing /one/x"], []]);
  const replaced: Short[] = [["/srv", "/one", "exact", "full"], ["/srv/y", "/opt", "folder", "full"]]; // biome-ignore format: short
  assert.deepEqual(made(plan(replaced)), ["bind /srv", "nothing /srv/y"]);
  const itself: Short[] = [["/srv", "/opt", "folder", "full"], ["/srv/x", "/srv/x", "exact", "full"]]; // biome-ignore format: short
  assert.deepEqual(made(plan(itself)), ["bind /srv", "bind /srv/x"]);
});

test("the host is part of it only where it is allowed", () => {
  const copy: Short[] = [["/h", "/nothing", "folder", "write-copy"]];
  assert.deepEqual(made(plan(copy)), ["absent /h"]);
  assert.deepEqual(plan(copy, { "/h": "directory" }).made[0]?.made, {
    as: "overlay",
    at: "/h",
    package: null,
    host: "/h",
  });
  const merged: Short[] = [["/h", "/nothing", "exact", "merged"]];
  assert.match(reasons(plan(merged))[0] ?? "", /nothing of the host is seen/);
  assert.deepEqual(plan(merged, { "/h": "file" }).made[0]?.made, { as: "host", at: "/h", source: "/h" });
  const brought: Short[] = [["/h", "/one", "exact", "merged"]];
  assert.deepEqual(plan(brought, { "/h": "file" }).made[0]?.made, {
    as: "bind",
    at: "/h",
    source: "/one",
    readOnly: true,
    apart: false,
  });
});

test("what mounts cannot do is refused with the reason", () => {
  const refused = (rule: Short, ...more: Short[]): string =>
    reasons(plan([rule, ...more], {}, ["/data"]))[0] ?? "";
  assert.match(refused(["/proc/x", "/srv", "folder", "full"]), /the instance itself/);
  assert.match(refused(["/x", "/.tranship/run", "folder", "full"]), /the instance itself/);
  assert.match(refused(["/", "/srv", "folder", "full"]), /root of an instance/);
  assert.match(refused(["/", "/", "folder", "hide"]), /cannot be hidden/);
  assert.match(refused(["/x", "/one", "folder", "full"]), /no folder/);
  assert.match(refused(["/x", "/srv", "folder", "merged"]), /either/);
  assert.match(refused(["/data/x", "/", "folder", "hide"]), /a volume/);
  assert.match(refused(["/x", "/data/y", "folder", "write-copy"]), /a volume/);
  assert.match(
    refused(["/a/x", "/", "folder", "hide"], ["/a", "/srv", "folder", "full"]),
    /\/a, which is shown as it is/,
  );
});

test("places of the host that are never shown, and secrets that have to be named", () => {
  const root = "/var/lib/tranship";
  for (const path of ["/", "/proc", "/sys/kernel", "/dev/sda", root, "/var", `${root}/store`])
    assert.notEqual(hostPathRefused(path, root), undefined, path);
  assert.equal(hostPathRefused("/etc/app", root), undefined);
  assert.ok(hostAllows("/etc/app/x", ["/etc"]));
  assert.ok(!hostAllows("/etcx", ["/etc"]));
  assert.ok(!hostAllows("/etc/shadow", ["/etc"]));
  assert.ok(!hostAllows("/root/.ssh/id_rsa", ["/"]));
  assert.ok(hostAllows("/etc/shadow", ["/etc/shadow"]));
  assert.ok(hostAllows("/root/app/x", ["/root/app"]));
  assert.ok(secretsBelow("/etc", ["/etc", "/etc/gshadow"]).includes("/etc/shadow"));
  assert.ok(!secretsBelow("/etc", ["/etc", "/etc/gshadow"]).includes("/etc/gshadow"));
});

test("--redirect", () => {
  assert.deepEqual(parseRedirect("/a=/b"), { from: "/a", to: "/b", mode: "full" });
  assert.deepEqual(parseRedirect("/a/=/b//c:write-copy"), { from: "/a", to: "/b/c", mode: "write-copy" });
  assert.deepEqual(parseRedirect("/a=:hide"), { from: "/a", to: "/", mode: "hide" });
  assert.deepEqual(parseRedirect("/a=/b:c"), { from: "/a", to: "/b:c", mode: "full" });
  for (const text of ["", "/a", "a=/b", "/a=b", "/a=/b:hide", "/a=:full", "/a=/../b", "=/b"])
    assert.throws(() => parseRedirect(text), /not a redirection/, text);
});
