// What a dissolve would change in a system: decided from the package's tree, its bill of materials and what lies in the system.
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readlinkSync, readSync, type Stats } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { loadInstalled } from "../../closure/installed.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { parseOsRelease } from "../../formats/os-release.ts";
import { errnoOf, ioError } from "../../host/files.ts";
import type { ContentDigests } from "../../image/file-digests.ts";
import type { Flattened } from "../../image/flatten.ts";
import { contentsOfImage, type MergedTree } from "../../image/merged-tree.ts";
import type { ImageStore, StoredImage } from "../../image/store.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { type Accounts, mergeAccounts } from "./accounts.ts";
import { type Origins, originsOf } from "./bill.ts";
import { Inside } from "./inside.ts";
import { type Sorting, sortOf } from "./sorts.ts";
import { enabledPath, type UnitFile, unitFiles, unitPlacesOf } from "./units.ts";

export interface DissolvePlan {
  /** In byte order: parents before what is in them. */
  add: ByteString[];
  /** Something else is there, and is kept for an undo. */
  replace: ByteString[];
  /** Something else is there, and stays. */
  kept: ByteString[];
  accounts: Accounts;
  units: UnitFile[];
  /** Units that start with the machine, by the path of the link. */
  enabled: Map<string, string>;
}

export interface DissolveSource {
  store: ImageStore;
  image: StoredImage;
  tree: MergedTree;
  descriptor: Descriptor;
  sorting: Sorting;
}

/** How a package's paths are told apart. */
export function sortingOf(
  { store, image, descriptor }: Omit<DissolveSource, "sorting">,
  { originOf }: Flattened,
): { sorting: Sorting; origins: Origins } {
  const origins = originsOf(store, image);
  const volumes = descriptor.volumes.map((one) => encodeText(one.path));
  return {
    origins,
    sorting: { owners: origins.owners, volumes, isSystem: (path) => originOf(path) === "system" },
  };
}

export async function planDissolve(source: DissolveSource, top: string): Promise<DissolvePlan> {
  const { store, image, tree, descriptor } = source;
  checkSystem(descriptor, top);
  const inside = new Inside(top);
  const contents = await contentsOfImage(store, image);
  const accounts = mergeAccounts(
    accountsOf((path) => tree.textOf(path)),
    accountsOf((path) => readIn(inside, path)),
  );
  const files = new TreeFiles(top);
  try {
    const installed = await loadInstalled(files);
    const plan: DissolvePlan = { add: [], replace: [], kept: [], accounts, units: [], enabled: new Map() };
    for (const [path, { entry }] of tree.all()) {
      if (path === "/") continue;
      const sort = sortOf(path, entry.kind === "file", source.sorting);
      if (sort === "machine") continue;
      const there = inside.stat(path);
      if (there === undefined) plan.add.push(path);
      else if (!sameObject(inside, { ...entry, path }, there, contents.get(path))) {
        const theirs =
          sort === "distribution" ||
          sort === "generated" ||
          sort === "data" ||
          (sort === "own" && installed.owner(path).length > 0);
        if (theirs || entry.kind === "directory") plan.kept.push(path);
        else plan.replace.push(path);
      }
    }
    planUnits(plan, descriptor, {
      system: (path) => inside.stat(encodeText(path)) !== undefined,
      package: (path) => tree.has(encodeText(path)),
    });
    return plan;
  } finally {
    await files.close();
  }
}

/** A unit that the package brings is started as the service was; one that the system has is left as it is. */
function planUnits(
  plan: DissolvePlan,
  descriptor: Descriptor,
  has: { system(path: string): boolean; package(path: string): boolean },
): void {
  const known = (path: string): boolean => has.system(path) || has.package(path);
  const { uids, gids } = plan.accounts;
  const naming = {
    user: (id: number) => String(uids.get(id) ?? id),
    group: (id: number) => String(gids.get(id) ?? id),
  };
  plan.units = unitFiles(descriptor, naming).filter(
    (one) => !one.unless.some(known) && !has.system(one.path),
  );
  for (const { path, enable } of plan.units) if (enable) plan.enabled.set(enabledPath(path), path);
  for (const service of descriptor.services) {
    const places = unitPlacesOf(`${service.name}.service`);
    const brought = places.some(has.system) ? undefined : places.find(has.package);
    if (brought !== undefined && (service.startup ?? "auto") === "auto" && !known(enabledPath(brought)))
      plan.enabled.set(enabledPath(brought), brought);
  }
}

function accountsOf(read: (path: ByteString) => Uint8Array | undefined): {
  passwd: ByteString;
  group: ByteString;
} {
  const text = (path: string): ByteString => Buffer.from(read(path) ?? []).toString("latin1");
  return { passwd: text("/etc/passwd"), group: text("/etc/group") };
}

/** Same distribution, same version: libraries and their places are the ones that the package was made with. */
function checkSystem({ origin }: Descriptor, top: string): void {
  const inside = new Inside(top);
  const bytes = readIn(inside, "/etc/os-release") ?? readIn(inside, "/usr/lib/os-release");
  const found = bytes === undefined ? undefined : parseOsRelease(Buffer.from(bytes).toString("latin1"));
  const [id, version] = [found?.ID, found?.VERSION_ID ?? ""];
  if (id === origin.os.id && version === origin.os.version) return;
  const here = id === undefined ? "no system that names itself" : `${id} ${version}`;
  throw new TranshipError(
    "E_USAGE",
    `${top} is ${here}, the package is of ${origin.os.id} ${origin.os.version}`,
    {
      hint: "dissolve it on a machine of the same distribution and version, or run it as a package",
    },
  );
}

const maxText = 4 << 20;

/** A small file of the system, its last link followed inside of it. */
function readIn(inside: Inside, path: ByteString): Uint8Array | undefined {
  const stat = inside.stat(path);
  if (stat === undefined) return undefined;
  if (stat.isSymbolicLink()) {
    const link = readlinkSync(inside.place(path), "latin1");
    const target = link.startsWith("/") ? link : `${path.slice(0, path.lastIndexOf("/"))}/${link}`;
    return inside.stat(target)?.isFile() === true ? readFileSync(inside.place(target)) : undefined;
  }
  return stat.isFile() && stat.size <= maxText ? readFileSync(inside.place(path)) : undefined;
}

/** Kind and content, or target of a link; who owns it and when it was written do not count. */
function sameObject(inside: Inside, entry: Entry, stat: Stats, content: ContentDigests | undefined): boolean {
  if (entry.kind === "directory") return stat.isDirectory();
  if (entry.kind === "symlink")
    return (
      stat.isSymbolicLink() &&
      readlinkSync(inside.place(entry.path), "buffer").toString("latin1") === entry.target
    );
  if (entry.kind !== "file") return !stat.isFile() && !stat.isDirectory() && !stat.isSymbolicLink();
  if (!stat.isFile() || stat.size !== entry.size) return false;
  return content !== undefined && sha256Of(inside.place(entry.path)) === content.sha256;
}

export function sha256Of(path: Buffer | string): string | undefined {
  const hash = createHash("sha256");
  try {
    const fd = openSync(path, "r");
    try {
      const buffer = Buffer.allocUnsafe(1 << 20);
      for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer))
        hash.update(buffer.subarray(0, count));
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw ioError(`cannot read ${escapeBytes(path.toString("latin1"))}`, cause);
  }
  return hash.digest("hex");
}
