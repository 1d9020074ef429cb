// Foreign tools as judges: skopeo reads the store, umoci unpacks and podman loads and runs what is exported.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exportImage, packageIndexAnnotation, referrersAnnotation } from "../../src/image/export.ts";
import { verifyImage } from "../../src/image/verify.ts";
import { fingerprint, imageOf, makeAttributeTree, newStore, scratch } from "../support/images.ts";
import { podmanSettings, removeParentGroups } from "../support/podman.ts";

function needs(...programs: string[]): { skip: string | false } {
  if (process.getuid?.() !== 0) return { skip: "needs root" };
  const missing = programs.filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);
  return { skip: missing.length === 0 ? false : `not installed: ${missing.join(", ")}` };
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** A tree with one of everything, and a busybox that can be run. */
function makeRunnableTree(directory: string): void {
  makeAttributeTree(directory);
  mkdirSync(join(directory, "bin"));
  cpSync("/bin/busybox", join(directory, "bin/busybox"));
  linkSync(join(directory, "bin/busybox"), join(directory, "bin/sh"));
  symlinkSync("busybox", join(directory, "bin/cat"));
  mkdirSync(join(directory, "etc"));
  writeFileSync(join(directory, "etc/greeting"), "hello from the package\n");
}

const content = {
  config: { Env: ["PATH=/bin"], Entrypoint: ["/bin/sh", "-c"], Cmd: ["cat /etc/greeting"] },
  evidence: '{"why":"test"}',
};

test("skopeo reads both names of a package in the store, and copies it", needs("skopeo"), async (t) => {
  const top = scratch(t);
  makeAttributeTree(join(top, "tree"));
  const store = newStore(t);
  const built = await imageOf(t, store, "team/app:1", [join(top, "tree")], content);
  const seen = JSON.parse(run("skopeo", "inspect", `oci:${store.path}:team/app:1-image`)) as {
    Digest: string;
    Layers: string[];
  };
  assert.equal(seen.Digest, built.imageDigest);
  const index = JSON.parse(run("skopeo", "inspect", "--raw", `oci:${store.path}:team/app:1`)) as {
    manifests: unknown[];
  };
  assert.equal(index.manifests.length, 2);
  run("skopeo", "copy", "--all", `oci:${store.path}:team/app:1`, `oci:${join(top, "copy")}:x`);
  for (const digest of seen.Layers) assert.ok(existsSync(join(top, "copy/blobs/sha256", digest.slice(7))));
});

test(
  "an exported layout is the same each time, and all of the package is in it",
  needs("skopeo"),
  async (t) => {
    const top = scratch(t);
    makeAttributeTree(join(top, "tree"));
    const store = newStore(t);
    await imageOf(t, store, "app:1", [join(top, "tree")], content);
    const archives = ["one.tar", "two.tar"].map((name) => join(top, name));
    for (const archive of archives) await exportImage(store, "app:1", archive, { type: "oci-archive" });
    const [one, two] = archives.map((archive) => readFileSync(archive));
    assert.ok(one !== undefined && two !== undefined && one.equals(two));
    await exportImage(store, "app:1", join(top, "layout"), { type: "oci-dir" });
    const index = JSON.parse(readFileSync(join(top, "layout/index.json"), "utf8")) as {
      annotations: Record<string, string>;
    };
    for (const name of [packageIndexAnnotation, referrersAnnotation]) {
      const digest = index.annotations[name] ?? "";
      assert.ok(existsSync(join(top, "layout/blobs/sha256", digest.slice(7))), name);
    }
    const config = JSON.parse(run("skopeo", "inspect", "--config", `oci-archive:${archives[0]}`)) as {
      rootfs: { diff_ids: string[] };
    };
    assert.deepEqual(config.rootfs.diff_ids, store.image("app:1").config.rootfs.diff_ids);
  },
);

test("every export type is read by skopeo, which finds the same diffIDs", needs("skopeo"), async (t) => {
  const top = scratch(t);
  makeAttributeTree(join(top, "tree"));
  const store = newStore(t);
  await imageOf(t, store, "app:1", [join(top, "tree")], content);
  const wanted = store.image("app:1").config.rootfs.diff_ids;
  for (const type of ["oci-archive", "docker-archive", "dir", "oci-dir"] as const) {
    for (const compression of ["gzip", "zstd"] as const) {
      const path = join(top, `${type}-${compression}`);
      const { size } = await exportImage(store, "app:1", path, { type, compression });
      assert.ok(size > 0);
      const transport = type === "oci-dir" ? "oci" : type;
      const config = JSON.parse(run("skopeo", "inspect", "--config", `${transport}:${path}`)) as {
        rootfs: { diff_ids: string[] };
      };
      assert.deepEqual(config.rootfs.diff_ids, wanted, path);
      // A copy reads all layers and checks every digest.
      run("skopeo", "copy", `${transport}:${path}`, `dir:${path}-copy`);
    }
  }
});

test("umoci unpacks the exported archive with every attribute", needs("umoci", "tar"), async (t) => {
  const top = scratch(t);
  makeAttributeTree(join(top, "tree"));
  const store = newStore(t);
  await imageOf(t, store, "app:1", [join(top, "tree")], content);
  await exportImage(store, "app:1", join(top, "archive"), { type: "oci-archive" });
  mkdirSync(join(top, "layout"));
  run("tar", "-xf", join(top, "archive"), "-C", join(top, "layout"));
  assert.match(run("umoci", "stat", "--image", `${join(top, "layout")}:app:1`), /tranship/);
  run("umoci", "unpack", "--image", `${join(top, "layout")}:app:1`, join(top, "bundle"));
  assert.equal(fingerprint(join(top, "bundle/rootfs")), fingerprint(join(top, "tree")));
});

test("podman loads and runs the exported archives", needs("podman", "runc", "unshare"), async (t) => {
  const top = scratch(t);
  removeParentGroups(t);
  makeRunnableTree(join(top, "tree"));
  const store = newStore(t);
  await imageOf(t, store, "app:1", [join(top, "tree")], content);
  assert.deepEqual(await verifyImage(store, "app:1"), []);
  writeFileSync(join(top, "containers.conf"), podmanSettings);
  for (const type of ["oci-archive", "docker-archive"] as const) {
    await exportImage(store, "app:1", join(top, type), { type });
    const state = join(top, type === "oci-archive" ? "p" : "q"); // podman wants short paths
    // A mount and network namespace of its own: whatever podman mounts or sets up ends with it.
    const script = `podman() { command podman --root ${state}/root --runroot ${state}/run --storage-driver vfs "$@"; }
      podman load -q -i ${join(top, type)} >/dev/null && podman run --rm --network none localhost/app:1`;
    const env = { ...process.env, CONTAINERS_CONF: join(top, "containers.conf") };
    const done = spawnSync("unshare", ["-n", "-m", "sh", "-c", script], { encoding: "utf8", env });
    assert.equal(done.stdout, "hello from the package\n", `${type}: ${done.stderr}`);
  }
});
