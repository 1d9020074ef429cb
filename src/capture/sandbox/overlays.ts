// The mounts through which an application sees its machine: one overlay for each of its file systems, so that nothing is changed.
import { chmodSync, chownSync, statSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import type { MountInfo } from "../../formats/mountinfo.ts";
import type { EnterMount } from "../../host/enter.ts";
import { errnoOf, makeDirectory } from "../../host/files.ts";
import { mountsBelow } from "../../host/mountinfo.ts";
import { hostRoot, type Machine } from "../../machine/machine.ts";

export interface DataChoice {
  /** Directories that start empty: the source's content is not shown. */
  emptyData?: readonly string[];
  /** Another copy to start from: path inside -> directory of this host. */
  snapshots?: Readonly<Record<string, string>>;
}

/** Kernel file systems are mounted anew; showing the host's own through an overlay would be wrong or refused. */
const kernelFileSystems = new Set([
  "proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "devpts", "mqueue", "debugfs", "tracefs", "securityfs", "pstore", "bpf",
  "configfs", "fusectl", "autofs", "binfmt_misc", "rpc_pipefs", "nsfs", "hugetlbfs", "efivarfs",
]); // biome-ignore format: a list

/** One overlay for each file system of the machine: an overlay of "/" shows nothing of what is mounted below it. */
export function sourceOverlays(machine: Machine, work: string): EnterMount[] {
  const top = hostRoot(machine);
  const root = top === "/" ? "" : top;
  const below = mountsBelow(encodeText(top)).filter(
    (mount) => mount.target !== encodeText(top) && isData(mount, root),
  );
  const targets = [
    { lower: encodeText(top), target: "/" },
    ...below.map((mount) => ({ lower: mount.target, target: mount.target.slice(encodeText(root).length) })),
  ];
  return targets.map(({ lower, target }, index) =>
    overlay(lower, target, join(work, `layer-${index}`), workInside(machine, work)),
  );
}

/** The same, with other content in data directories where it was asked for. */
export function machineOverlays(machine: Machine, work: string, request: DataChoice): EnterMount[] {
  const mounts = sourceOverlays(machine, work);
  for (const path of request.emptyData ?? [])
    mounts.push(freshData(machine, path, undefined, join(work, `data-${mounts.length}`)));
  for (const [path, from] of Object.entries(request.snapshots ?? {}))
    mounts.push(freshData(machine, path, from, join(work, `data-${mounts.length}`)));
  return mounts;
}

function isData(mount: MountInfo, root: string): boolean {
  const target = mount.target.slice(encodeText(root).length);
  return (
    !kernelFileSystems.has(mount.fstype) &&
    !/^\/(proc|sys|dev)(\/|$)/.test(target) &&
    isDirectory(mount.target)
  );
}

function isDirectory(path: string): boolean {
  try {
    return statSync(Buffer.from(path, "latin1")).isDirectory();
  } catch {
    return false;
  }
}

/** The kernel refuses an upper directory inside its own lower one; then what is written is held in memory. */
function workInside(machine: Machine, work: string): boolean {
  const root = hostRoot(machine);
  return root === "/" || `${work}/`.startsWith(`${root}/`);
}

function overlay(lower: string, target: string, layer: string, inMemory: boolean): EnterMount {
  // The application must not notice that it is on an overlay.
  const faithful = { renames: true, links: true };
  if (inMemory) return { kind: "overlay", target, lowers: [lower], upper: "scratch", ...faithful };
  makeDirectory(join(layer, "upper"), 0o755);
  makeDirectory(join(layer, "work"), 0o755);
  asOwned(join(layer, "upper"), lower);
  return {
    kind: "overlay",
    target,
    lowers: [lower],
    upper: { dir: encodeText(join(layer, "upper")), work: encodeText(join(layer, "work")) },
    volatile: true,
    ...faithful,
  };
}

/** The root directory of an overlay is its upper one: it must have the owner and mode of what it stands for. */
function asOwned(directory: string, like: ByteString): void {
  const { mode, uid, gid } = statSync(Buffer.from(like, "latin1"));
  try {
    chmodSync(directory, mode & 0o7777);
    chownSync(directory, uid, gid);
  } catch (cause) {
    if (errnoOf(cause) !== "EPERM") throw cause;
    throw new TranshipError("E_NEEDS_ROOT", "running a program of the machine needs root", {
      hint: "it runs on overlays, in namespaces of its own: run the command as root",
      cause,
    });
  }
}

/** A data directory with other content than the source's: a snapshot, itself protected by an overlay, or nothing. */
function freshData(machine: Machine, path: string, from: string | undefined, layer: string): EnterMount {
  const lower = from ?? join(layer, "empty");
  if (from === undefined) {
    makeDirectory(lower, 0o755);
    asOwned(lower, encodeText(join(hostRoot(machine), path)));
  }
  return overlay(encodeText(lower), encodeText(path), layer, false);
}
