// The mounts of this host as this process sees them.
import { readFileSync } from "node:fs";
import type { ByteString } from "../formats/entry.ts";
import { isBelow, type MountInfo, parseMountInfo, visibleMounts } from "../formats/mountinfo.ts";
import { ioError } from "./files.ts";

/** Every mount, also covered ones. pid: as that process sees them. */
export function readMounts(pid: number | "self" = "self"): MountInfo[] {
  const path = `/proc/${pid}/mountinfo`;
  try {
    return parseMountInfo(readFileSync(path, "latin1"));
  } catch (cause) {
    throw ioError(`cannot read ${path}`, cause);
  }
}

/**
 * The visible mounts at and below root, root's first where it is a mount point itself, parents before what is below
 * them. An overlay of root shows nothing of the ones below: each needs its own. root: absolute, no links.
 */
export function mountsBelow(root: ByteString): MountInfo[] {
  return visibleMounts(readMounts()).filter((mount) => isBelow(mount.target, root));
}
