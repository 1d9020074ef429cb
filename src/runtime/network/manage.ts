// Networks made and removed by people.
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { randomHex } from "../../host/random.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { releaseHost } from "../end.ts";
import { noteOther } from "../events/note.ts";
import { freeSubnet, freeSubnet6, otherNetwork, otherNetwork6, overlap, refuseCollision } from "./choice.ts";
import {
  checkNetworkName,
  findDefinition,
  type NetworkDefinition,
  removeDefinition,
  writeDefinition,
} from "./definition.ts";
import { bridgeOf } from "./devices.ts";
import { leases } from "./lease.ts";
import { refusePredefined, usersOfNetwork } from "./list.ts";
import {
  contains,
  formatAddress,
  formatSubnet,
  gatewayOf,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
} from "./subnet.ts";
import {
  contains6,
  formatAddress6,
  formatSubnet6,
  parseAddress6,
  parseSubnet6,
  type Subnet6,
} from "./subnet6.ts";
import { hostDevices } from "./undo.ts";
import { lockNetwork } from "./up.ts";

export interface NewNetwork {
  readonly name: string;
  /** IPv4 and IPv6, at most one each. */
  readonly subnets: readonly string[];
  readonly gateways: readonly string[];
  /** IPv4. */
  readonly range: string | undefined;
  readonly ipv6: boolean;
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** E_USAGE, E_NAME_TAKEN, E_NETWORK. Nothing of it is on the host before an instance is. */
export async function createNetwork(root: StateRoot, wanted: NewNetwork): Promise<NetworkDefinition> {
  checkNetworkName(wanted.name);
  const lock = await lockNetwork(root);
  try {
    const { subnet, gateway, range } = plan4(root, wanted);
    const six = plan6(root, wanted);
    refuseCollision({ subnet, subnet6: six?.subnet6 ?? null }, "");
    const network: NetworkDefinition = {
      tranship: "network",
      version: 1,
      id: freeId(),
      name: wanted.name,
      createdAt: new Date().toISOString(),
      subnet: formatSubnet(subnet),
      gateway,
      range,
      subnet6: six?.subnet6 ?? null,
      gateway6: six?.gateway6 ?? null,
      internal: wanted.internal,
      labels: wanted.labels,
    };
    writeDefinition(root, network);
    noteOther(root, {
      type: "network",
      action: "create",
      id: network.id,
      attributes: { name: network.name },
    });
    return network;
  } finally {
    lock.release();
  }
}

/** Its first digits name its bridge on this host: nobody else's may be called so. */
function freeId(): string {
  for (;;) {
    const id = randomHex(32);
    if (!hostDevices().includes(bridgeOf({ id } as NetworkDefinition))) return id;
  }
}

function one(list: readonly string[], six: boolean, what: string): string | undefined {
  const found = list.filter((text) => text.includes(":") === six);
  if (found.length < 2) return found[0];
  throw new TranshipError("E_USAGE", `${what} is given twice: ${found.join(", ")}`, {
    hint: "a network has one subnet of each family",
  });
}

function plan4(
  root: StateRoot,
  { subnets, gateways, range }: NewNetwork,
): { subnet: Subnet; gateway: string; range: string | null } {
  const asked = one(subnets, false, "--subnet");
  const gatewayAsked = one(gateways, false, "--gateway");
  if (asked === undefined && (gatewayAsked !== undefined || range !== undefined)) {
    throw new TranshipError("E_USAGE", "--gateway and --ip-range need --subnet", {
      hint: "for example --subnet 192.168.231.0/24",
    });
  }
  const subnet = asked === undefined ? freeSubnet(root) : parseSubnet(asked);
  const other = otherNetwork(root, subnet);
  if (other !== undefined) throw overlap(formatSubnet(subnet), other);
  const gateway = gatewayAsked ?? gatewayOf(subnet);
  const value = parseAddress(gateway);
  const last = subnet.base + 2 ** (32 - subnet.prefix) - 1;
  if (value === undefined || !contains(subnet, value) || value === subnet.base || value === last) {
    throw new TranshipError("E_USAGE", `no gateway of ${formatSubnet(subnet)}: ${gateway}`, {
      hint: `for example ${gatewayOf(subnet)}`,
    });
  }
  return {
    subnet,
    gateway: formatAddress(value),
    range: range === undefined ? null : rangeIn(subnet, range),
  };
}

function rangeIn(subnet: Subnet, text: string): string {
  const range = parseSubnet(text, 32);
  if (range.prefix >= subnet.prefix && overlaps(range, subnet)) return formatSubnet(range);
  throw new TranshipError("E_USAGE", `the range ${text} is no part of ${formatSubnet(subnet)}`, {
    hint: "write a part of the subnet, with a prefix length",
  });
}

function plan6(
  root: StateRoot,
  { subnets, gateways, ipv6 }: NewNetwork,
): { subnet6: string; gateway6: string } | undefined {
  const asked = one(subnets, true, "--subnet");
  const gatewayAsked = one(gateways, true, "--gateway");
  if (asked === undefined && gatewayAsked !== undefined) {
    throw new TranshipError("E_USAGE", `--gateway ${gatewayAsked} needs an IPv6 --subnet`, {
      hint: "for example --subnet fd12:3456:789a::/64",
    });
  }
  if (asked === undefined && !ipv6) return undefined;
  const subnet: Subnet6 = asked === undefined ? freeSubnet6() : parseSubnet6(asked);
  const other = otherNetwork6(root, subnet);
  if (other !== undefined) throw overlap(formatSubnet6(subnet), other);
  const value = gatewayAsked === undefined ? subnet.base + 1n : parseAddress6(gatewayAsked);
  if (value === undefined || !contains6(subnet, value) || value === subnet.base) {
    throw new TranshipError("E_USAGE", `no gateway of ${formatSubnet6(subnet)}: ${gatewayAsked ?? ""}`, {
      hint: `for example ${formatAddress6(subnet.base + 1n)}`,
    });
  }
  return { subnet6: formatSubnet6(subnet), gateway6: formatAddress6(value) };
}

/** Returns its name. E_NETWORK_IN_USE names the instances that are attached to it, running or not. */
export async function removeNetwork(root: StateRoot, text: string, log: Log): Promise<string> {
  refusePredefined(text, "removed");
  const lock = await lockNetwork(root);
  let network: NetworkDefinition;
  try {
    network = findDefinition(root, text);
    refuseUsed(root, network);
    removeDefinition(root, network);
    // Who was being made on it meanwhile has taken an address first, and looks for the network then: see attach().
    const subnet = parseSubnet(network.subnet);
    const late = leases(root, "addresses").find(({ name }) => contains(subnet, parseAddress(name) ?? 0));
    if (late !== undefined) {
      writeDefinition(root, network);
      throw inUse(network, [late.id.slice(0, 12)]);
    }
    noteOther(root, {
      type: "network",
      action: "destroy",
      id: network.id,
      attributes: { name: network.name },
    });
  } finally {
    lock.release();
  }
  await releaseHost(root, log);
  return network.name;
}

function refuseUsed(root: StateRoot, network: NetworkDefinition): void {
  const users = usersOfNetwork(root, network.name);
  if (users.length > 0) throw inUse(network, users);
}

function inUse({ name }: NetworkDefinition, users: readonly string[]): TranshipError {
  return new TranshipError("E_NETWORK_IN_USE", `the network ${name} is used by ${users.join(", ")}`, {
    hint: "remove these instances, or disconnect them with `tranship network disconnect`",
  });
}
