// An instance whose disk is limited writes into a file system in a file of its directory, mounted where only its own launch sees it:
// quotas of projects need a file system and a kernel that few hosts have. What is full answers ENOSPC.
import { existsSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EnterMount } from "../../host/enter.ts";
import { runChecked } from "../../host/process.ts";
import type { InstancePaths } from "../instance-paths.ts";
import type { InstanceRecord } from "../record.ts";

/** Below this there is no file system to speak of. */
export const leastDisk = 4 << 20;

/** Makes it, sparse, in the directory of an instance that is being made, with what its redirections begin with. */
export async function makeDisk(paths: InstancePaths, bytes: number): Promise<void> {
  mkdirSync(paths.disk, { mode: 0o700 });
  writeFileSync(paths.diskImage, "", { mode: 0o600 });
  truncateSync(paths.diskImage, bytes);
  // Nothing reserved for root, who would not meet the limit; tables are written when they are used.
  const features = ["-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", "-m", "0"];
  const content = join(paths.redirect, "disk");
  const begins = existsSync(content) ? ["-d", content] : [];
  await runChecked("mkfs.ext4", ["-q", "-F", ...features, ...begins, paths.diskImage], {
    env: { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` },
  });
}

/** Directories for what the instance writes: of its overlay, once the mounts of diskMounts() are there. */
export function writtenIn(paths: InstancePaths, { limits }: InstanceRecord): { upper: string; work: string } {
  if (!hasDisk(limits)) return { upper: paths.upper, work: paths.work };
  return { upper: `${paths.disk}/upper`, work: `${paths.disk}/work` };
}

/** Before the overlay. */
export function diskMounts(paths: InstancePaths, { limits }: InstanceRecord): EnterMount[] {
  return hasDisk(limits) ? [{ kind: "disk", source: paths.diskImage, target: paths.disk }] : [];
}

export function hasDisk({ disk }: InstanceRecord["limits"]): boolean {
  return disk !== null && disk !== undefined;
}

/** What a running instance has written, as a directory of this host; undefined where nobody shows it. `chain`: who holds its mounts. */
export function writtenOf(
  paths: InstancePaths,
  record: InstanceRecord,
  chain: number | undefined,
): string | undefined {
  if (!hasDisk(record.limits)) return paths.upper;
  const path = `/proc/${chain ?? 0}/root${paths.disk}/upper`;
  return chain !== undefined && existsSync(path) ? path : undefined;
}
