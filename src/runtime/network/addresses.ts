// Addresses of instances: each is a lease, on all networks of the state root.
import { TranshipError } from "../../base/errors.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { claim, free, holder } from "./lease.ts";
import { capacity, contains, formatAddress, formatSubnet, parseAddress, type Subnet } from "./subnet.ts";
import {
  addressLike,
  contains6,
  formatAddress6,
  formatSubnet6,
  parseAddress6,
  type Subnet6,
} from "./subnet6.ts";

/** Where addresses of a network come from. */
export interface Pool {
  readonly subnet: Subnet;
  readonly gateway: string;
  /** Where they are chosen; one that is asked for may be anywhere in the subnet. */
  readonly range: Subnet | null;
}

export interface Pool6 {
  readonly subnet: Subnet6;
  readonly gateway: string;
}

/** An address for an instance: the wanted one, or one that its id leads to. E_USAGE, E_NETWORK. */
export function leaseAddress(root: StateRoot, pool: Pool, id: string, wanted?: string): string {
  if (wanted !== undefined) return leaseWanted(root, pool, id, wanted);
  const { subnet, range, gateway } = pool;
  // All but network and broadcast of the subnet; of a range in it, all.
  const first = Math.max(range?.base ?? 0, subnet.base + 1);
  const last = Math.min(lastOf(range ?? subnet), lastOf(subnet) - 1);
  const count = last - first + 1;
  const start = Number.parseInt(id.slice(0, 8), 16) % count;
  for (let tried = 0; tried < count; tried++) {
    const address = formatAddress(first + ((start + tried) % count));
    if (address !== gateway && claim(root, "addresses", address, id)) return address;
  }
  throw new TranshipError("E_NETWORK", `no free address is left in ${formatSubnet(range ?? subnet)}`, {
    hint: "remove instances that are no longer needed with `tranship rm`",
  });
}

function lastOf({ base, prefix }: Subnet): number {
  return base + 2 ** (32 - prefix) - 1;
}

function leaseWanted(root: StateRoot, { subnet, gateway }: Pool, id: string, wanted: string): string {
  const value = parseAddress(wanted);
  const last = subnet.base + capacity(subnet) + 1;
  const fits = value !== undefined && contains(subnet, value) && value > subnet.base && value <= last;
  if (!fits || wanted === gateway) {
    throw new TranshipError("E_USAGE", `the address ${wanted} is not free in ${formatSubnet(subnet)}`, {
      hint: `choose one from ${formatAddress(subnet.base + 1)} to ${formatAddress(last)} other than ${gateway}`,
    });
  }
  if (claim(root, "addresses", wanted, id)) return wanted;
  throw taken(root, wanted);
}

function taken(root: StateRoot, address: string): TranshipError {
  const other = holder(root, "addresses", address)?.slice(0, 12) ?? "another";
  return new TranshipError("E_NETWORK", `the address ${address} belongs to the instance ${other}`, {
    hint: "choose another address, or remove that instance",
  });
}

/** `like`: the instance's IPv4 address on the same network. E_USAGE, E_NETWORK. */
export function leaseAddress6(
  root: StateRoot,
  { subnet, gateway }: Pool6,
  id: string,
  { like, wanted }: { like: string; wanted?: string },
): string {
  if (wanted !== undefined) {
    const value = parseAddress6(wanted);
    const text = value === undefined ? wanted : formatAddress6(value);
    if (value === undefined || !contains6(subnet, value) || value === subnet.base || text === gateway) {
      throw new TranshipError("E_USAGE", `the address ${wanted} is not free in ${formatSubnet6(subnet)}`, {
        hint: `choose one of the subnet other than ${gateway}`,
      });
    }
    if (claim(root, "addresses", text, id)) return text;
    throw taken(root, text);
  }
  const first = addressLike(subnet, parseAddress(like) ?? 0);
  const size = 1n << BigInt(128 - subnet.prefix);
  for (let tried = 0n; tried < 1024n; tried++) {
    const address = subnet.base + ((first - subnet.base + tried) % size);
    const text = formatAddress6(address);
    if (address === subnet.base || text === gateway) continue;
    if (claim(root, "addresses", text, id)) return text;
  }
  throw new TranshipError("E_NETWORK", `no free address was found in ${formatSubnet6(subnet)}`, {
    hint: "name one with --ip6",
  });
}

export function freeAddress(root: StateRoot, address: string, id: string): void {
  free(root, "addresses", address, id);
}
