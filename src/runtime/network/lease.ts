// Leases: a symbolic link whose target is the id of the holder. It appears whole or not at all, and only for one.
// A lease is valid while the holder has a directory below root.instances; nothing else has to be remembered.
import { readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, ioError, makeDirectory } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";

export type LeaseKind = "addresses" | "ports" | "names" | "identity" | "ids";

export function leaseDirectory(root: StateRoot, kind: LeaseKind): string {
  return kind === "addresses" || kind === "ports" ? join(root.path, "network", kind) : join(root.path, kind);
}

export function leasePath(root: StateRoot, kind: LeaseKind, name: string): string {
  return join(leaseDirectory(root, kind), name);
}

/** False where somebody holds it. */
export function claim(root: StateRoot, kind: LeaseKind, name: string, id: string): boolean {
  const directory = leaseDirectory(root, kind);
  step(`lease ${kind}`);
  for (;;) {
    try {
      symlinkSync(id, join(directory, name));
      return true;
    } catch (cause) {
      if (errnoOf(cause) === "EEXIST") return false;
      if (errnoOf(cause) !== "ENOENT") throw ioError(`cannot create a lease in ${directory}`, cause);
      makeDirectory(directory);
    }
  }
}

export function holder(root: StateRoot, kind: LeaseKind, name: string): string | undefined {
  try {
    return readlinkSync(leasePath(root, kind, name));
  } catch {
    return undefined;
  }
}

/** Frees a lease, if `id` holds it. */
export function free(root: StateRoot, kind: LeaseKind, name: string, id: string): void {
  if (holder(root, kind, name) === id) rmSync(leasePath(root, kind, name), { force: true });
}

export function leases(root: StateRoot, kind: LeaseKind): { name: string; id: string }[] {
  let names: string[];
  try {
    names = readdirSync(leaseDirectory(root, kind));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const id = holder(root, kind, name);
    return id === undefined ? [] : [{ name, id }];
  });
}
