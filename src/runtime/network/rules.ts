// The nftables rules of a state root, as text. Pure.
//
// One table per state root. Its chains are fixed; what changes with instances are elements of two maps, so that an
// instance that starts or ends never touches a rule. A connection reaches a published port on three paths: from another
// machine or namespace (prerouting), from a program of the host (output) and from the host's own 127.0.0.1 (output, then
// masqueraded: the answer could not come back to 127.0.0.1). For the last the bridge alone gets route_localnet; `guard`
// drops whatever claims to be, or asks for, 127.0.0.0/8 from any other device than lo, as the kernel did before.
import type { PublishedPort } from "./ports.ts";

export interface RuleSet {
  table: string;
  bridge: string;
  subnet: string;
}

/** "add" and "flush" first: loading it twice gives the same as once. */
export function tableText({ table, bridge, subnet }: RuleSet): string {
  return `add table ip ${table}
flush table ip ${table}
table ip ${table} {
  map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map bound { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop
    iifname != "lo" ip saddr 127.0.0.0/8 drop
  }
  chain pre {
    type nat hook prerouting priority dstnat; policy accept;
    dnat ip to ip daddr . meta l4proto . th dport map @bound
    fib daddr type local dnat ip to meta l4proto . th dport map @ports
  }
  chain out {
    type nat hook output priority -100; policy accept;
    dnat ip to ip daddr . meta l4proto . th dport map @bound
    fib daddr type local dnat ip to meta l4proto . th dport map @ports
  }
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != "${bridge}" masquerade
    ip saddr 127.0.0.0/8 oifname "${bridge}" masquerade
    ip saddr ${subnet} oifname "${bridge}" ct status dnat masquerade
  }
}
`;
}

export function addPortsText(table: string, address: string, ports: readonly PublishedPort[]): string {
  return ports
    .map(
      (port) =>
        `add element ip ${table} ${mapOf(port)} { ${key(port)} : ${address} . ${port.containerPort} }\n`,
    )
    .join("");
}

/** Fails as a whole where one of them is not there. */
export function deletePortsText(table: string, ports: readonly PublishedPort[]): string {
  return ports.map((port) => `delete element ip ${table} ${mapOf(port)} { ${key(port)} }\n`).join("");
}

function mapOf(port: PublishedPort): string {
  return port.hostAddress === "" ? "ports" : "bound";
}

function key(port: PublishedPort): string {
  const address = port.hostAddress === "" ? "" : `${port.hostAddress} . `;
  return `${address}${port.protocol} . ${port.hostPort}`;
}
