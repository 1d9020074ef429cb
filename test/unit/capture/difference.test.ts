import assert from "node:assert/strict";
import { test } from "node:test";
import { changeOf } from "../../../src/capture/install/difference.ts";
import { noiseBecause } from "../../../src/capture/install/difference-rules.ts";
import type { Entry } from "../../../src/formats/entry.ts";
import { blankEntry } from "../../support/tar.ts";

const file = (more: Partial<Entry> = {}): Entry => ({
  ...blankEntry,
  path: "/f",
  kind: "file",
  mode: 0o644,
  ...more,
});

test("what makes a change: all but times", () => {
  const was = file({ size: 3, mtime: 1n, ctime: 1n });
  assert.equal(changeOf(was, file({ size: 3, mtime: 9n, ctime: 9n })), "maybe");
  assert.equal(changeOf(was, file({ size: 4 })), "content");
  assert.equal(changeOf(was, file({ size: 3, mode: 0o600 })), "attributes");
  assert.equal(changeOf(was, file({ size: 3, gid: 7 })), "attributes");
  assert.equal(changeOf(was, file({ size: 3, xattrs: [["user.a", "b"]] })), "attributes");
  assert.equal(changeOf(was, file({ kind: "directory" })), "kind");
  const link = file({ kind: "symlink", target: "a" });
  assert.equal(changeOf(link, file({ kind: "symlink", target: "b" })), "content");
  assert.equal(changeOf(link, file({ kind: "symlink", target: "a", mtime: 5n })), undefined);
  const directory = file({ kind: "directory" });
  assert.equal(changeOf(directory, file({ kind: "directory", mtime: 5n })), undefined);
});

test("noise has a reason; what an application needs is none", () => {
  const because = (path: string, added = true, kind: Entry["kind"] = "file") =>
    noiseBecause(file({ path, kind }), added);
  for (const path of [
    "/var/lib/dpkg/status", "/var/lib/dpkg/info/other.list", "/var/lib/apt/lists/x", "/var/cache/apt/pkgcache.bin", "/var/log/dpkg.log",
    "/etc/passwd-", "/etc/.pwd.lock", "/var/lib/rpm/rpmdb.sqlite", "/usr/share/man/man1/shop.1.gz", "/var/cache/man/index.db", "/tmp/x",
    "/var/lib/systemd/deb-systemd-helper-enabled/shop.service.dsh-also", "/usr/lib/sysimage/rpm/Packages.db", "/boot/vmlinuz",
  ]) // biome-ignore format: a list
    assert.ok(because(path) !== undefined, path);
  for (const path of [
    "/etc/passwd", "/etc/group", "/etc/shop/shop.conf", "/usr/bin/shop", "/opt/shop/lib/x.so", "/var/lib/shop/state", "/etc/alternatives/shop",
    "/etc/systemd/system/multi-user.target.wants/shop.service", "/etc/cron.d/shop", "/etc/ld.so.conf.d/shop.conf", "/usr/lib/python3/x.py",
    "/usr/share/shop/words", "/etc/init.d/shop", "/srv/shop/package.lock.json",
  ]) // biome-ignore format: a list
    assert.equal(because(path), undefined, path);
  assert.equal(
    because("/var/log/shop", true, "directory"),
    undefined,
    "a log directory stays, with its owner",
  );
  assert.ok(
    because("/etc/machine-id", false) !== undefined && because("/etc/machine-id", true) === undefined,
  );
  assert.ok(because("/run/shop.sock", true, "socket") !== undefined);
});
