// Archives and layouts of ours and of others into the store.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { installRoot } from "../../src/host/native.ts";
import { exportImage } from "../../src/image/export.ts";
import { importImage } from "../../src/image/import/import.ts";
import type { ImageStore } from "../../src/image/store.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { imageOf, needsRoot, newStore, scratch } from "../support/images.ts";
import { tarMember, tarOf } from "../support/tar.ts";

async function makePackage(t: TestContext, store: ImageStore): Promise<void> {
  const top = scratch(t);
  for (const name of ["one", "two"]) {
    mkdirSync(join(top, name));
    writeFileSync(join(top, name, name), `${name}\n`.repeat(100_000));
  }
  await imageOf(t, store, "shop:1", [join(top, "one"), join(top, "two")], { evidence: '{"why":"test"}' });
}

const diffIds = (store: ImageStore, name: string): string[] =>
  store.image(name).layers.map(({ diffId }) => diffId);

test("what we export comes back, with its descriptor and evidence where the form holds them", async (t) => {
  const store = newStore(t);
  await makePackage(t, store);
  const top = scratch(t);
  for (const type of ["oci-archive", "oci-dir", "docker-archive"] as const) {
    const path = join(top, type);
    await exportImage(store, "shop:1", path, { type });
    const other = newStore(t);
    const imported = await importImage(other, path, "copy:1", undefined);
    assert.equal(imported.name, "copy:1");
    assert.deepEqual(diffIds(other, "copy:1"), diffIds(store, "shop:1"));
    assert.deepEqual(await verifyImage(other, "copy:1", { readData: true }), []);
    assert.deepEqual(other.image("copy:1").config, store.image("shop:1").config);
    if (type === "docker-archive") continue;
    assert.deepEqual(
      other.descriptorYaml(other.image("copy:1")),
      store.descriptorYaml(store.image("shop:1")),
    );
    assert.equal(other.referrers(imported.imageDigest).length, 1);
  }
});

test("archives of skopeo, plain and compressed", async (t) => {
  if (!existsSync("/usr/bin/skopeo")) return t.skip("needs skopeo");
  const store = newStore(t);
  await makePackage(t, store);
  const top = scratch(t);
  await exportImage(store, "shop:1", join(top, "layout"), { type: "oci-dir" });
  for (const form of ["docker-archive", "oci-archive"]) {
    const file = join(top, `${form}.tar`);
    execFileSync("skopeo", ["copy", "-q", `oci:${top}/layout`, `${form}:${file}:example.com/shop:1`]);
    execFileSync("gzip", ["-k1", file]);
    for (const path of [file, `${file}.gz`]) {
      const other = newStore(t);
      await importImage(other, path, "copy:1", form === "docker-archive" ? "example.com/shop:1" : undefined);
      assert.deepEqual(diffIds(other, "copy:1"), diffIds(store, "shop:1"));
      assert.deepEqual(await verifyImage(other, "copy:1", { readData: true }), []);
    }
  }
});

test("hostile ones: paths as names, layers of another digest, missing parts, deep JSON; nothing gets a name", async (t) => {
  const top = scratch(t);
  const layer = tarOf(tarMember({ name: "f" }, "x"));
  const none = `sha256:${"0".repeat(64)}`;
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [none] },
  });
  const saved = (value: unknown): Buffer => tarMember({ name: "manifest.json" }, JSON.stringify(value));
  const cases: [name: string, tar: Buffer, code: string][] = [
    ["empty", tarOf(), "E_IMAGE_UNSUPPORTED"],
    ["outside", tarOf(saved([{ Config: "/etc/passwd", Layers: [] }])), "E_IMAGE_CORRUPT"],
    ["up", tarOf(saved([{ Config: "../../../etc/passwd", Layers: [] }])), "E_IMAGE_CORRUPT"],
    [
      "digest",
      tarOf(
        saved([{ Config: "c", Layers: ["l"] }]),
        tarMember({ name: "c" }, config),
        tarMember({ name: "l" }, layer.toString("latin1")),
      ),
      "E_IMAGE_CORRUPT",
    ],
    [
      "missing",
      tarOf(saved([{ Config: "c", Layers: ["l"] }]), tarMember({ name: "c" }, config)),
      "E_IMAGE_CORRUPT",
    ],
    [
      "several",
      tarOf(
        saved([
          { Config: "c", Layers: [] },
          { Config: "d", Layers: [] },
        ]),
      ),
      "E_IMAGE_NOT_FOUND",
    ],
    [
      "deep",
      tarOf(tarMember({ name: "manifest.json" }, "[".repeat(100_000) + "]".repeat(100_000))),
      "E_IMAGE_CORRUPT",
    ],
    ["cut", tarOf(saved([])).subarray(0, 700), "E_IMAGE_CORRUPT"],
    [
      "symlink",
      tarOf(tarMember({ name: "manifest.json", type: "2", linkName: "/etc/passwd" })),
      "E_IMAGE_UNSUPPORTED",
    ],
    [
      "path digest",
      tarOf(
        tarMember({ name: "oci-layout" }, "{}"),
        tarMember(
          { name: "index.json" },
          JSON.stringify({
            schemaVersion: 2,
            manifests: [
              { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: "sha256:../../x", size: 1 },
            ],
          }),
        ),
      ),
      "E_IMAGE_CORRUPT",
    ],
  ];
  for (const [name, tar, code] of cases) {
    const path = join(top, "hostile.tar");
    writeFileSync(path, tar);
    const store = newStore(t);
    await assert.rejects(importImage(store, path, "x:1", undefined), (error: unknown) => {
      assert.ok(isTranshipError(error), name);
      assert.equal(error.code, code, `${name}: ${error.message}`);
      return true;
    });
    assert.deepEqual(store.index().manifests, [], name);
    assert.deepEqual(readdirSync(store.root.work), [], name);
  }
});

test("a root directory becomes one layer, without a kernel", needsRoot, async (t) => {
  const top = scratch(t);
  for (const name of ["bin", "boot", "etc"]) mkdirSync(join(top, "root", name), { recursive: true });
  cpSync("/bin/busybox", join(top, "root/bin/sh"));
  writeFileSync(join(top, "root/boot/vmlinuz-6.1"), "kernel");
  writeFileSync(join(top, "root/etc/greeting"), "hello\n");
  const env = { ...process.env, TRANSHIP_ROOT: join(top, "state") };
  const tool = (...args: string[]): string =>
    execFileSync(join(installRoot, "bin/tranship"), args, {
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  assert.match(tool("package", "import", join(top, "root"), "old:1"), /^old:1 sha256:/);
  assert.match(tool("verify", "old:1"), /0 errors/);
});
