// Stores and images for tests: state roots of their own, images from raw tars, layers from directories.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import type { Log } from "../../src/base/log.ts";
import { mediaType } from "../../src/formats/oci.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { type BuiltImage, buildImage, type ImageContent, type ImageLayer } from "../../src/image/build.ts";
import { digestOf } from "../../src/image/digest.ts";
import type { LayerData, LayerItem } from "../../src/image/layer-item.ts";
import { type BuiltLayer, type LayerOptions, writeLayer } from "../../src/image/layer-writer.ts";
import { type ImageStore, openStore, type StoredLayer } from "../../src/image/store.ts";
import { type StoreSession, withSession } from "../../src/image/store-session.ts";
import { isUnreadable } from "../../src/machine/machine.ts";
import { TreeFiles } from "../../src/machine/tree-files.ts";

const nothing = (): void => {};
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export function scratch(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tranship-image-"));
  // rm removes what names of any bytes and huge trees hold. What podman leaves running cleans up after it for a moment.
  t.after(async () => {
    const remove = (): number | null => spawnSync("rm", ["-rf", "--one-file-system", path]).status;
    for (let tries = 0; remove() !== 0 && tries < 50; tries++) await sleep(100);
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

export function newStore(t: TestContext): ImageStore {
  return openStore(openStateRoot(join(scratch(t), "root")));
}

/** The objects below a directory as a layer takes them: by stream, or read from this host. */
export async function* itemsOf(
  t: TestContext,
  directory: string,
  way: "stream" | "host" = "stream",
): AsyncGenerator<LayerItem> {
  const files = new TreeFiles(directory);
  t.after(() => files.close());
  for await (const entry of files.walk("/")) {
    if (isUnreadable(entry)) throw new Error(`${entry.path}: ${entry.error}`);
    if (way === "host") yield { entry, hostFile: Buffer.from(directory).toString("latin1") + entry.path };
    else yield { entry, data: streamOf(files, entry.path) };
  }
}

async function* streamOf(files: TreeFiles, path: string): AsyncGenerator<LayerData> {
  const stream = await files.stream(path);
  if (stream === undefined) throw new Error(`${path} is gone`);
  yield* stream.data;
}

export function layerOf(
  store: ImageStore,
  items: AsyncIterable<LayerItem>,
  options?: LayerOptions,
): Promise<BuiltLayer> {
  return withSession(store, (session) => writeLayer(items, session, options));
}

/** An image of one layer per directory. */
export async function imageOf(
  t: TestContext,
  store: ImageStore,
  reference: string,
  directories: readonly string[],
  content: Partial<ImageContent> = {},
): Promise<BuiltImage> {
  return await withSession(store, async (session) => {
    const layers: ImageLayer[] = [];
    for (const directory of directories) {
      const { descriptor, diffId } = await writeLayer(itemsOf(t, directory, "host"), session);
      layers.push({ descriptor, diffId, origin: "app" });
    }
    return await buildImage(session, {
      reference,
      layers,
      config: { Env: ["PATH=/bin"] },
      architecture: "amd64",
      descriptorYaml: "apiVersion: tranship/v1alpha1\nkind: Package\n",
      ...content,
    });
  });
}

export interface RawLayer {
  /** As it lies in the blob. */
  bytes: Uint8Array;
  type?: string;
  /** Default: as if bytes were the tar. */
  diffId?: string;
}

export async function rawLayer(session: StoreSession, raw: RawLayer): Promise<StoredLayer> {
  const descriptor = await session.put(raw.type ?? mediaType.layer, raw.bytes);
  return { descriptor, diffId: raw.diffId ?? digestOf(raw.bytes) };
}

/** An image whose layers are these tars, however odd. */
export async function rawImage(
  store: ImageStore,
  reference: string,
  tars: readonly Uint8Array[],
): Promise<StoredLayer[]> {
  return await withSession(store, async (session) => {
    const layers: ImageLayer[] = [];
    for (const tar of tars) {
      const packed = { bytes: zstdCompressSync(tar), type: mediaType.layerZstd, diffId: digestOf(tar) };
      layers.push({ ...(await rawLayer(session, packed)), origin: "app" });
    }
    await buildImage(session, {
      reference,
      layers,
      config: {},
      architecture: "amd64",
      descriptorYaml: "kind: Package\n",
    });
    return layers;
  });
}

/** Everything of a tree that has to survive, a line each. Times of directories and links count too. */
export function fingerprint(directory: string): string {
  const script = `
import os, sys, stat, hashlib
root = os.fsencode(sys.argv[1]); first = {}
def show(p, rel):
    s = os.lstat(p); x = sorted((k, os.getxattr(p, k, follow_symlinks=False)) for k in os.listxattr(p, follow_symlinks=False))
    data = b""
    if stat.S_ISREG(s.st_mode):
        h = hashlib.sha256()
        with open(p, "rb") as f:
            for part in iter(lambda: f.read(1 << 20), b""): h.update(part)
        data = h.hexdigest()
    elif stat.S_ISLNK(s.st_mode): data = os.readlink(p)
    same = first.setdefault(s.st_ino, rel) if s.st_nlink > 1 and not stat.S_ISDIR(s.st_mode) else None
    size = s.st_size if stat.S_ISREG(s.st_mode) else 0
    print(rel, oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, size, s.st_rdev, x, data, same)
show(root, b".")
for d, ds, fs in os.walk(root):
    ds.sort()
    for n in sorted(ds + fs): show(os.path.join(d, n), os.path.relpath(os.path.join(d, n), root))
`;
  const text = execFileSync("python3", ["-c", script, directory], { encoding: "utf8", maxBuffer: 64 << 20 });
  return text.split("\n").sort().join("\n");
}

/** A tree with one of everything that a layer has to carry. */
export function makeAttributeTree(directory: string): void {
  const script = String.raw`
import os, sys, subprocess
os.makedirs(sys.argv[1], exist_ok=True); os.chdir(sys.argv[1])
def write(p, data=b"x"):
    with open(p, "wb") as f: f.write(data)
os.mkdir("d"); write("d/one", b"linked" * 50); os.link("d/one", "two"); os.link("two", "d/three")
os.makedirs(b"caf\xc3\xa9/\xff\xfe"); write(b"caf\xc3\xa9/\xff\xfe/n\xe9", b"raw")
write(b"l" * 200, b"long"); write(b"\xe9" * 250, b"long raw"); write(b"new\nline", b"n")
os.symlink(b"t\xff" * 100, b"rawlink"); os.symlink("/etc/../x y", "link")
with open("sparse", "wb") as f:
    f.truncate(1 << 28)
    for at, data in ((50 << 20, b"s" * 5000), (200 << 20, b"t" * 70000)): f.seek(at); f.write(data)
with open("allhole", "wb") as f: f.truncate(1 << 26)
with open("smallhole", "wb") as f: f.truncate(20000); f.seek(16384); f.write(b"e")
write("x"); os.setxattr("x", "user.bin", bytes(range(256))); os.setxattr("x", "trusted.t", b"\x00\xff")
write("old"); os.chown("old", 3000000, 4000000); os.utime("old", ns=(0, -1500000000))
write("suid"); os.chmod("suid", 0o6755); subprocess.check_call(["setcap", "cap_net_bind_service+ep", "suid"])
os.mkdir("acl", 0o770); subprocess.check_call(["setfacl", "-m", "u:1000:rwx,g:33:r", "acl"]); subprocess.check_call(["setfacl", "-d", "-m", "u:1000:rx", "acl"])
os.mkdir("sticky"); os.chmod("sticky", 0o1777); os.mkfifo("fifo"); write("empty", b""); write("big", os.urandom(3 << 20) * 4)
os.utime("x", ns=(1, 1234567890123456789)); os.utime("d", ns=(1, 987654321987654321))
`;
  execFileSync("python3", ["-c", script, directory]);
}

export const needsRoot: { skip: string | false } = {
  skip: process.getuid?.() === 0 ? false : "needs root: owners, trusted xattrs and capabilities",
};
