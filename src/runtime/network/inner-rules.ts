// The network redirections of a package inside an instance's own network namespace: nftables rules there, loaded before its first program runs, and what these
// need beside them. Its programs may not change them: that takes CAP_NET_ADMIN. Pure.
import type { NetworkRedirection } from "../../package/descriptor.ts";
import { type Endpoint, type NetworkRule, networkRule } from "../../redirect/endpoints.ts";
import { formatAddress } from "./subnet.ts";
import { formatAddress6 } from "./subnet6.ts";

export interface InnerRules {
  /** For `nft -f`. */
  readonly text: string;
  /** Addresses of the loopback device, with prefix length: a program may bind those of the old machine. */
  readonly addresses: readonly string[];
  /** Packets go between 127.0.0.0/8 and the outside: led there, or sent from there. */
  readonly routeLocalnet: boolean;
}

/**
 * `gateways`: of its default routes. In a family without one, what is asked for has to be an address of its own, or no packet would begin. undefined: no
 * rules are needed. E_DESCRIPTOR_INVALID.
 */
export function innerRules(
  declared: readonly NetworkRedirection[],
  gateways: readonly string[],
): InnerRules | undefined {
  const rules = declared.map((rule, index) => networkRule(rule, index));
  const led = rules.filter((rule) => rule.kind !== "name");
  if (led.length === 0) return undefined;
  const connects = led.filter((rule) => rule.kind === "connect").flatMap(connectLines);
  const binds = led.filter((rule) => rule.kind === "bind").flatMap(bindLines);
  const routed = (end: Endpoint): boolean =>
    gateways.some((gateway) => gateway.includes(":") === (familyOf(end) === "ip6"));
  const own = led.filter((rule) => rule.kind === "bind" || !routed(rule.from)).map((rule) => rule.from);
  return {
    text: tableText(connects, binds),
    addresses: [...new Set(own.flatMap(ownAddress))],
    routeLocalnet: led.some(crossesLoopback),
  };
}

function tableText(connects: readonly string[], binds: readonly string[]): string {
  const block = (lines: readonly string[]): string => lines.map((line) => `    ${line}\n`).join("");
  return `add table inet tranship
flush table inet tranship
table inet tranship {
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop
    iifname != "lo" ip saddr 127.0.0.0/8 drop
  }
  chain out {
    type nat hook output priority -100; policy accept;
${block([...connects, ...binds])}  }
  chain pre {
    type nat hook prerouting priority dstnat; policy accept;
${block(binds)}  }
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "lo" ct status dnat masquerade
  }
}
`;
}

type LedRule = Extract<NetworkRule, { kind: "connect" | "bind" }>;
type Family = "ip" | "ip6";

/** A program that listens on loopback is reached from outside, or one that asks there is answered by another machine. */
function crossesLoopback({ kind, from, to }: LedRule): boolean {
  const [first] = from.address;
  if (kind === "bind") return first === 127;
  return (first === undefined || first === 127) && to.address.length === 4 && to.address[0] !== 127;
}

function familyOf({ address }: Endpoint): Family | undefined {
  return address.length === 0 ? undefined : address.length === 4 ? "ip" : "ip6";
}

/** Both families where the rule names no address. */
function familiesOf({ from, to }: LedRule): Family[] {
  const family = familyOf(from) ?? familyOf(to);
  return family === undefined ? ["ip", "ip6"] : [family];
}

function addressText({ address }: Endpoint): string {
  if (address.length === 4) return formatAddress(address.reduce((sum, byte) => sum * 256 + byte, 0));
  return formatAddress6(address.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
}

function isUnspecified({ address }: Endpoint): boolean {
  return address.every((byte) => byte === 0);
}

/** What is asked for leads elsewhere. */
function connectLines(rule: LedRule): string[] {
  const { from, to } = rule;
  return familiesOf(rule).map((family) => `${matchOf(family, from, to)} ${dnatTo(family, to)}`);
}

/** What arrives where others look for it leads to where the program listens: `to` and `from` change places. */
function bindLines(rule: LedRule): string[] {
  const at = isUnspecified(rule.to) ? { ...rule.to, address: [] } : rule.to;
  const program = isUnspecified(rule.from) ? { ...rule.from, address: [] } : rule.from;
  return familiesOf(rule).map((family) => {
    const target =
      program.address.length === 0 ? redirectTo(program.port || at.port) : dnatTo(family, program);
    return `fib daddr type local ${matchOf(family, at, program)} ${target}`;
  });
}

/** Ports are those of TCP and UDP; without any, every protocol is led. */
function matchOf(family: Family, at: Endpoint, target: Endpoint): string {
  const known = `meta nfproto ${family === "ip" ? "ipv4" : "ipv6"}`;
  const address = at.address.length === 0 ? known : `${family} daddr ${addressText(at)}`;
  if (at.port !== 0) return `${address} meta l4proto { tcp, udp } th dport ${at.port}`;
  return target.port === 0 ? address : `${address} meta l4proto { tcp, udp }`;
}

function dnatTo(family: Family, { address, port }: Endpoint): string {
  // Nothing is another: it stays what it is.
  if (address.length === 0) return port === 0 ? "accept" : `dnat to :${port}`;
  const text = addressText({ address, port });
  return `dnat ${family} to ${port === 0 ? text : family === "ip" ? `${text}:${port}` : `[${text}]:${port}`}`;
}

function redirectTo(port: number): string {
  return port === 0 ? "redirect" : `redirect to :${port}`;
}

/** Those of loopback it has already. */
function ownAddress(at: Endpoint): string[] {
  if (at.address.length === 0 || isUnspecified(at) || at.address[0] === 127) return [];
  const text = addressText(at);
  return text === "::1" ? [] : [`${text}/${at.address.length === 4 ? 32 : 128}`];
}
