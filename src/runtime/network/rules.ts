// The nftables rules of a state root, as text. Pure.
//
// One table per state root and family. Its chains are fixed; what changes with networks and instances are elements of sets and maps, so
// that an instance that starts or ends never touches a rule. A connection reaches a published port on three paths: from another
// machine or namespace (prerouting), from a program of the host (output) and from the host's own 127.0.0.1 (output, then
// masqueraded: the answer could not come back to 127.0.0.1). For the last the bridges alone get route_localnet; `guard`
// drops whatever claims to be, or asks for, 127.0.0.0/8 from any other device than lo, as the kernel did before. For [::1] the kernel
// has no such thing: there native/proxy serves.
//
// Networks are kept apart in `across`, but for connections to published ports. `within` comes first: where bridges call the rules for
// what they forward themselves (br_netfilter), both devices are the same bridge.
import type { PublishedPort } from "./ports.ts";

/** What of a network the rules know. */
export interface RuledNetwork {
  device: string;
  subnet: string;
  subnet6: string | null;
  internal: boolean;
}

export type Family = "ip" | "ip6";

const loopbackGuard = `  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop
    iifname != "lo" ip saddr 127.0.0.0/8 drop
  }
`;

const loopbackSource = `    ip saddr 127.0.0.0/8 oifname @bridges masquerade\n`;

/** "add" and "flush" first: loading it twice gives the same as once. */
export function tableText(table: string, family: Family = "ip"): string {
  const address = family === "ip" ? "ipv4_addr" : "ipv6_addr";
  // Of [::1] nothing can be sent elsewhere; it goes to the proxy.
  const local = family === "ip" ? "" : "ip6 daddr != ::1 ";
  return `add table ${family} ${table}
flush table ${family} ${table}
table ${family} ${table} {
  map ports { type inet_proto . inet_service : ${address} . inet_service; }
  map bound { type ${address} . inet_proto . inet_service : ${address} . inet_service; }
  set bridges { type ifname; }
  set within { type ifname . ifname; }
  set internal { type ifname; }
  set members { type ${address}; flags interval; }
  set outward { type ${address}; flags interval; }
${family === "ip" ? loopbackGuard : ""}  chain pre {
    type nat hook prerouting priority dstnat; policy accept;
    dnat ${family} to ${family} daddr . meta l4proto . th dport map @bound
    ${local}fib daddr type local dnat ${family} to meta l4proto . th dport map @ports
  }
  chain out {
    type nat hook output priority -100; policy accept;
    dnat ${family} to ${family} daddr . meta l4proto . th dport map @bound
    ${local}fib daddr type local dnat ${family} to meta l4proto . th dport map @ports
  }
  chain across {
    type filter hook forward priority filter; policy accept;
    iifname . oifname @within accept
    iifname @internal drop
    oifname @internal drop
    ct status dnat accept
    iifname @bridges oifname @bridges drop
  }
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    ${family} saddr @outward oifname != @bridges masquerade
${family === "ip" ? loopbackSource : ""}    ${family} saddr @members oifname @bridges ct status dnat masquerade
  }
}
`;
}

/** Adding what is there is no error. */
export function addNetworkText(table: string, family: Family, network: RuledNetwork): string {
  return networkElements(family, network)
    .map(([set, element]) => `add element ${family} ${table} ${set} { ${element} }\n`)
    .join("");
}

/** A command for each: what is not there fails alone. */
export function deleteNetworkCommands(table: string, family: Family, network: RuledNetwork): string[] {
  return networkElements(family, network).map(
    ([set, element]) => `delete element ${family} ${table} ${set} { ${element} }\n`,
  );
}

function networkElements(
  family: Family,
  { device, subnet, subnet6, internal }: RuledNetwork,
): (readonly [set: string, element: string])[] {
  const own = family === "ip" ? subnet : subnet6;
  if (own === null) return [];
  return [
    ["bridges", `"${device}"`],
    ["within", `"${device}" . "${device}"`],
    ["members", own],
    internal ? ["internal", `"${device}"`] : ["outward", own],
  ];
}

/** The family of the host's side of a published port. */
export function familyOf({ hostAddress }: PublishedPort): Family {
  return hostAddress.includes(":") ? "ip6" : "ip";
}

export function addPortsText(table: string, address: string, ports: readonly PublishedPort[]): string {
  return ports
    .map(
      (port) =>
        `add element ${familyOf(port)} ${table} ${mapOf(port)} { ${key(port)} : ${address} . ${port.containerPort} }\n`,
    )
    .join("");
}

/** Fails as a whole where one of them is not there. */
export function deletePortsText(table: string, ports: readonly PublishedPort[]): string {
  return ports
    .map((port) => `delete element ${familyOf(port)} ${table} ${mapOf(port)} { ${key(port)} }\n`)
    .join("");
}

function mapOf({ hostAddress }: PublishedPort): string {
  return hostAddress === "" || hostAddress === "::" ? "ports" : "bound";
}

function key(port: PublishedPort): string {
  const address = mapOf(port) === "ports" ? "" : `${port.hostAddress} . `;
  return `${address}${port.protocol} . ${port.hostPort}`;
}
