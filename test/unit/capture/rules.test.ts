// The small judgements of capture: which layer, which volume, what is never packed, which path fits a glob.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dataDirectories } from "../../../src/capture/data/volumes.ts";
import { newEvidence, noteUse } from "../../../src/capture/evidence/evidence.ts";
import { layerOf } from "../../../src/capture/pack/layers.ts";
import { isKernelPart, neverPacked } from "../../../src/capture/plan/kernel-parts.ts";

test("kernel parts are known by where they lie and by name", () => {
  for (const path of [
    "/boot/vmlinuz-5.10",
    "/lib/modules/5.10/x.ko",
    "/usr/lib/firmware/a.bin",
    "/opt/x/driver.ko.xz",
    "/vmlinuz",
    "/initrd.img",
    "/etc/modprobe.d/a.conf",
  ]) {
    assert.ok(isKernelPart(path), path);
  }
  for (const path of [
    "/usr/bin/ls",
    "/opt/bootstrap/a",
    "/srv/boot.txt",
    "/usr/lib/php/20190902/gd.so",
    "/home/a/.kodi/x",
  ])
    assert.ok(!isKernelPart(path), path);
});

test("what lives only while a system runs is never packed; its directories are", () => {
  for (const path of [
    "/proc/1/maps",
    "/run/mysqld/mysqld.sock",
    "/tmp/x",
    "/var/log/apache2/access.log",
    "/etc/fstab",
  ]) {
    assert.notEqual(neverPacked(path, false), undefined, path);
  }
  assert.equal(neverPacked("/var/log/apache2", true), undefined);
  assert.equal(neverPacked("/usr/bin/ls", false), undefined);
  assert.notEqual(neverPacked("/dev/pts", true), undefined);
});

test("layers are by origin", () => {
  assert.equal(layerOf("/lib/x86_64-linux-gnu/libc.so.6", [], true), "system");
  assert.equal(layerOf("/etc/apache2/apache2.conf", [{ kind: "traced" }], false), "config");
  assert.equal(
    layerOf("/usr/sbin/apache2", [{ kind: "traced" }, { kind: "installed", detail: "apache2" }], false),
    "runtime",
  );
  assert.equal(layerOf("/usr/lib/libz.so.1", [{ kind: "needed" }], false), "runtime");
  assert.equal(layerOf("/opt/shop/libshop.so", [{ kind: "needed" }], false), "app");
  assert.equal(layerOf("/srv/www/index.php", [{ kind: "listed" }], false), "app");
});

test("volumes are the data directories that were written, whole, none inside another", () => {
  const evidence = newEvidence();
  for (const path of [
    "/var/lib/mysql/shop/orders.ibd",
    "/var/lib/mysql/ib_logfile0",
    "/srv/shop/uploads/new/a.txt",
    "/var/log/x.log",
    "/tmp/a",
    "/etc/shop.conf",
  ]) {
    noteUse(evidence, path, "write", "/usr/bin/x");
  }
  noteUse(evidence, "/srv/shop/index.php", "read", "/usr/bin/x");
  const exists = new Set(["/var/lib/mysql", "/var/lib/mysql/shop", "/srv/shop/uploads", "/srv/shop"]);
  assert.deepEqual(
    dataDirectories(evidence, (path) => exists.has(path)),
    ["/srv/shop/uploads", "/var/lib/mysql"],
  );
});
