// Leases: a symbolic link whose target is the id of the holder. It appears whole or not at all, and only for one.
// A lease is valid while the holder has a directory below root.instances; nothing else has to be remembered.
import { readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { errnoOf, ioError, makeDirectory } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { capacity, contains, formatAddress, formatSubnet, parseAddress, type Subnet } from "./subnet.ts";

export type LeaseKind = "addresses" | "ports" | "names" | "identity";

export function leaseDirectory(root: StateRoot, kind: LeaseKind): string {
  return kind === "names" || kind === "identity" ? join(root.path, kind) : join(root.path, "network", kind);
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

/** An address of the subnet for an instance: the wanted one, or one that its id leads to. */
export function leaseAddress(root: StateRoot, subnet: Subnet, id: string, wanted?: string): string {
  if (wanted !== undefined) return leaseWanted(root, subnet, id, wanted);
  const count = capacity(subnet);
  const start = Number.parseInt(id.slice(0, 8), 16) % count;
  for (let tried = 0; tried < count; tried++) {
    const address = formatAddress(subnet.base + 2 + ((start + tried) % count));
    if (claim(root, "addresses", address, id)) return address;
  }
  throw new TranshipError("E_NETWORK", `no free address is left in ${formatSubnet(subnet)}`, {
    hint: "remove instances that are no longer needed with `tranship rm`",
  });
}

function leaseWanted(root: StateRoot, subnet: Subnet, id: string, wanted: string): string {
  const value = parseAddress(wanted);
  const last = subnet.base + capacity(subnet) + 1;
  if (value === undefined || !contains(subnet, value) || value < subnet.base + 2 || value > last) {
    throw new TranshipError("E_USAGE", `the address ${wanted} is not free in ${formatSubnet(subnet)}`, {
      hint: `choose one from ${formatAddress(subnet.base + 2)} to ${formatAddress(last)}`,
    });
  }
  if (claim(root, "addresses", wanted, id)) return wanted;
  const other = holder(root, "addresses", wanted)?.slice(0, 12) ?? "another";
  throw new TranshipError("E_NETWORK", `the address ${wanted} belongs to the instance ${other}`, {
    hint: "choose another address, or remove that instance",
  });
}
