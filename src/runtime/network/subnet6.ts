// IPv6 arithmetic for networks of instances: pure. An address is a number of 128 bits.
import { TranshipError } from "../../base/errors.ts";
import { parse6 } from "../../formats/ip-address.ts";

export interface Subnet6 {
  base: bigint;
  prefix: number;
}

const bits = 128;

export function parseAddress6(text: string): bigint | undefined {
  return parse6(text)?.reduce((sum, word) => (sum << 16n) | BigInt(word), 0n);
}

/** As RFC 5952 has it: lower case, the longest run of zeros shortened. */
export function formatAddress6(value: bigint): string {
  const words = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - 16 * index)) & 0xffffn),
  );
  let [from, length] = [-1, 1];
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && words[end] === 0) end++;
    if (end - at > length) [from, length] = [at, end - at];
    at = Math.max(at, end);
  }
  const text = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(":");
  if (from < 0) return text(words);
  return `${text(words.slice(0, from))}::${text(words.slice(from + length))}`;
}

function mask(prefix: number): bigint {
  return ((1n << BigInt(prefix)) - 1n) << BigInt(bits - prefix);
}

/** Accepts fd00:1:2::/64; prefixes 16 to 112. */
export function parseSubnet6(text: string): Subnet6 {
  const [address = "", prefixText = ""] = text.split("/");
  const base = parseAddress6(address);
  const prefix = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
  if (base === undefined || prefix < 16 || prefix > 112 || (base & ~mask(prefix)) !== 0n) {
    throw new TranshipError("E_USAGE", `not an IPv6 subnet for instances: ${JSON.stringify(text)}`, {
      hint: "write a network address with a prefix of 16 to 112 bits, for example fd12:3456:789a::/64",
    });
  }
  return { base, prefix };
}

export function formatSubnet6({ base, prefix }: Subnet6): string {
  return `${formatAddress6(base)}/${prefix}`;
}

export function contains6(subnet: Subnet6, address: bigint): boolean {
  return (address & mask(subnet.prefix)) === subnet.base;
}

export function overlaps6(a: Subnet6, b: Subnet6): boolean {
  const common = mask(Math.min(a.prefix, b.prefix));
  return (a.base & common) === (b.base & common);
}

export interface Route6 {
  device: string;
  subnet: Subnet6;
}

/** /proc/net/ipv6_route: destination and prefix in hexadecimal first, the device last. */
export function parseRoutes6(text: string): Route6[] {
  return text.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [destination = "", prefix = ""] = fields;
    if (fields.length < 10 || !/^[0-9a-f]{32}$/.test(destination)) return [];
    const subnet = { base: BigInt(`0x${destination}`), prefix: Number.parseInt(prefix, 16) };
    return [{ device: fields.at(-1) ?? "", subnet }];
  });
}

/**
 * A route that a subnet would collide with: not the default route, not a single address (which a device of the host may have anywhere), not
 * what every device has (fe80::, ff00::), and none of our own device.
 */
export function collision6(
  subnet: Subnet6,
  routes: readonly Route6[],
  ownDevice: string,
): Route6 | undefined {
  return routes.find(
    ({ device, subnet: other }) =>
      device !== ownDevice && other.prefix > 0 && other.prefix < bits && overlaps6(other, subnet),
  );
}

/** The address of an instance in a subnet: as its IPv4 one there, which is its alone, in the last 32 bits (or fewer). */
export function addressLike(subnet: Subnet6, ipv4: number): bigint {
  const room = BigInt(Math.min(bits - subnet.prefix, 32));
  return subnet.base | (BigInt(ipv4) & ((1n << room) - 1n));
}
