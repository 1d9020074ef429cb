// IPv4 arithmetic for the bridge: pure.
import { TranshipError } from "../../base/errors.ts";

export interface Subnet {
  /** First address, as an unsigned number. */
  base: number;
  prefix: number;
}

export function parseAddress(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    const byte = Number(part);
    if (byte > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    value = value * 256 + byte;
  }
  return value;
}

export function formatAddress(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
}

/** Accepts 10.213.0.0/16; prefixes 8 to 29, or to another `longest`. */
export function parseSubnet(text: string, longest = 29): Subnet {
  const [address = "", prefixText = ""] = text.split("/");
  const base = parseAddress(address);
  const prefix = /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : -1;
  if (base === undefined || prefix < 8 || prefix > longest || (base & ~mask(prefix)) !== 0) {
    throw new TranshipError("E_USAGE", `not a subnet for instances: ${JSON.stringify(text)}`, {
      hint: `write a network address with a prefix of 8 to ${longest} bits, for example 10.213.0.0/16`,
    });
  }
  return { base, prefix };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base)}/${subnet.prefix}`;
}

export function mask(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

export function contains(subnet: Subnet, address: number): boolean {
  return (address & mask(subnet.prefix)) >>> 0 === subnet.base;
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  const prefix = Math.min(a.prefix, b.prefix);
  return (a.base & mask(prefix)) === (b.base & mask(prefix));
}

/** The host's own address on the bridge: the first of the subnet. */
export function gatewayOf(subnet: Subnet): string {
  return formatAddress(subnet.base + 1);
}

/** How many instances fit: all but network, gateway and broadcast. */
export function capacity(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefix) - 3;
}

export interface Route {
  device: string;
  subnet: Subnet;
}

/** /proc/net/route: addresses are hexadecimal in the byte order of the machine (little-endian on all we support). */
export function parseRoutes(text: string): Route[] {
  const routes: Route[] = [];
  for (const line of text.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [device, destination, , , , , , netmask] = fields;
    if (device === undefined || destination === undefined || netmask === undefined) continue;
    const bits = swap(Number.parseInt(netmask, 16));
    const prefix = bits === 0 ? 0 : 32 - Math.log2(2 ** 32 - bits);
    routes.push({ device, subnet: { base: swap(Number.parseInt(destination, 16)), prefix } });
  }
  return routes;
}

function swap(value: number): number {
  return (((value & 255) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** A route that a subnet would collide with: any but the default route and our own device. */
export function collision(subnet: Subnet, routes: readonly Route[], ownDevice: string): Route | undefined {
  return routes.find(
    (route) => route.device !== ownDevice && route.subnet.prefix > 0 && overlaps(route.subnet, subnet),
  );
}
