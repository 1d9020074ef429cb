// Which subnets networks get, and which are refused: none may meet a route of the host or another network of ours.
import { join } from "node:path";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import { randomHex } from "../../host/random.ts";
import { type StateRoot, usualRoot } from "../../host/state-root.ts";
import { listDefinitions } from "./definition.ts";
import { networkNames, shortHash } from "./devices.ts";
import { leases } from "./lease.ts";
import { readRoutes, readRoutes6 } from "./routes.ts";
import {
  collision,
  contains,
  formatSubnet,
  overlaps,
  parseAddress,
  parseSubnet,
  type Route,
  type Subnet,
} from "./subnet.ts";
import { collision6, formatSubnet6, overlaps6, parseSubnet6, type Subnet6 } from "./subnet6.ts";

/** Tried where TRANSHIP_SUBNET names none. */
const candidates = Array.from({ length: 16 }, (_, index) => `10.${213 + index}.0.0/16`);

/** Each state root begins elsewhere, so that two on one machine seldom want the same: what runs of neither shows in no route. */
function candidatesFor(root: StateRoot): string[] {
  const first = root.path === usualRoot ? 0 : Number.parseInt(shortHash(root.path), 16) % candidates.length;
  return [...candidates.slice(first), ...candidates.slice(0, first)];
}

/** For networks that people make: small ones, as each is one application's. */
function* smallCandidates(): Generator<Subnet> {
  for (let second = 229; second < 245; second++)
    for (let third = 0; third < 256; third++) yield parseSubnet(`10.${second}.${third}.0/24`);
}

/** As it was chosen for the default network; what is damaged is chosen again. */
export function storedSubnet(root: StateRoot): string | undefined {
  try {
    const stored = readJson(join(root.path, "network/subnet.json")) as
      | { subnet?: unknown }
      | null
      | undefined;
    return typeof stored?.subnet === "string" ? formatSubnet(parseSubnet(stored.subnet)) : undefined;
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    return undefined;
  }
}

/** Of the default network, once it was chosen. */
export function knownSubnet(root: StateRoot): Subnet | undefined {
  const asked = process.env.TRANSHIP_SUBNET;
  const fixed = asked !== undefined && asked !== "" ? asked : storedSubnet(root);
  return fixed === undefined ? undefined : parseSubnet(fixed);
}

/**
 * The subnet of the default network: TRANSHIP_SUBNET, else the one that its instances already have addresses of, else the
 * first that no route of the host and no other network touches. E_NETWORK.
 */
export function chooseSubnet(root: StateRoot): Subnet {
  const known = readRoutes();
  const device = networkNames(root).bridge;
  const fixed = knownSubnet(root);
  const other = fixed === undefined ? undefined : collision(fixed, known, device);
  if (fixed !== undefined && other === undefined) {
    if (formatSubnet(fixed) !== storedSubnet(root)) storeSubnet(root, fixed);
    return fixed;
  }
  if (fixed !== undefined && other !== undefined && (isAsked() || hasAddresses(root, fixed))) {
    throw new TranshipError(
      "E_NETWORK",
      `the subnet ${formatSubnet(fixed)} collides with ${formatSubnet(other.subnet)} on ${other.device}`,
      { hint: "name a free one with TRANSHIP_SUBNET, for example 10.231.0.0/16, or use --network none" },
    );
  }
  return chooseAnew(root, known, device);
}

function isAsked(): boolean {
  return (process.env.TRANSHIP_SUBNET ?? "") !== "";
}

/** An instance keeps its address, so its subnet cannot be another one. */
function hasAddresses(root: StateRoot, subnet: Subnet): boolean {
  return leases(root, "addresses").some(({ name }) => {
    const address = parseAddress(name);
    return address !== undefined && contains(subnet, address);
  });
}

function chooseAnew(root: StateRoot, known: readonly Route[], device: string): Subnet {
  const others = listDefinitions(root).map(({ subnet }) => parseSubnet(subnet));
  for (const candidate of candidatesFor(root)) {
    const subnet = parseSubnet(candidate);
    if (collision(subnet, known, device) !== undefined || others.some((one) => overlaps(one, subnet)))
      continue;
    storeSubnet(root, subnet);
    return subnet;
  }
  throw new TranshipError(
    "E_NETWORK",
    "every subnet that Tranship would take is used by a route of this host",
    { hint: "name a free one with TRANSHIP_SUBNET, for example 192.168.231.0/24" },
  );
}

function storeSubnet(root: StateRoot, subnet: Subnet): void {
  const file = join(root.path, "network/subnet.json");
  makeDirectory(join(file, ".."));
  writeFileAtomic(file, `${JSON.stringify({ subnet: formatSubnet(subnet) })}\n`, { volatile: true });
}

/** For a new network. E_NETWORK. */
export function freeSubnet(root: StateRoot): Subnet {
  const known = readRoutes();
  for (const subnet of smallCandidates())
    if (collision(subnet, known, "") === undefined && otherNetwork(root, subnet) === undefined) return subnet;
  throw new TranshipError("E_NETWORK", "no free subnet was found for the network", {
    hint: "name one with --subnet, for example 192.168.231.0/24",
  });
}

/** Unique local addresses (RFC 4193): forty random bits, so that no other site has the same. */
export function freeSubnet6(): Subnet6 {
  const hex = randomHex(5);
  return parseSubnet6(`fd${hex.slice(0, 2)}:${hex.slice(2, 6)}:${hex.slice(6)}::/64`);
}

/** E_NETWORK names the route that is in the way. `device`: our own, whose routes do not count. */
export function refuseCollision(
  { subnet, subnet6 }: { subnet: Subnet; subnet6: string | null },
  device: string,
): void {
  const route = collision(subnet, readRoutes(), device);
  if (route !== undefined)
    throw overlap(formatSubnet(subnet), `${formatSubnet(route.subnet)} on ${route.device}`);
  if (subnet6 === null) return;
  const other = collision6(parseSubnet6(subnet6), readRoutes6(), device);
  if (other !== undefined) throw overlap(subnet6, `${formatSubnet6(other.subnet)} on ${other.device}`);
}

/** Another network of the state root, by name, that the subnet would meet. */
export function otherNetwork(root: StateRoot, subnet: Subnet): string | undefined {
  const known = knownSubnet(root);
  if (known !== undefined && overlaps(known, subnet)) return `the network bridge (${formatSubnet(known)})`;
  const found = listDefinitions(root).find((one) => overlaps(parseSubnet(one.subnet), subnet));
  return found === undefined ? undefined : `the network ${found.name} (${found.subnet})`;
}

export function otherNetwork6(root: StateRoot, subnet: Subnet6): string | undefined {
  const found = listDefinitions(root).find(
    ({ subnet6 }) => subnet6 !== null && overlaps6(parseSubnet6(subnet6), subnet),
  );
  return found === undefined ? undefined : `the network ${found.name} (${found.subnet6 ?? ""})`;
}

export function overlap(subnet: string, other: string): TranshipError {
  return new TranshipError("E_NETWORK", `the subnet ${subnet} collides with ${other}`, {
    hint: "name a free one with --subnet",
  });
}
