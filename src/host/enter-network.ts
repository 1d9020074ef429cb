// The network that native/enter is asked for, as a value and as words of its command line: see enter.ts.

/** A network namespace that a process is in: /proc/PID/ns/net, and its inode, as a pid may get another owner. */
export interface NetworkNamespace {
  pid: number;
  inode: number;
}

export interface VethOptions {
  /** Name of the end that stays on the host, up to 15 characters. The other end is the next ethN. */
  name: string;
  bridge: string;
  /** With prefix length; IPv4 and IPv6. */
  addresses: readonly string[];
  gateways?: readonly string[];
  mac?: string;
  /** What it sends may come back to it: for one that reaches ports that it publishes itself. */
  hairpin?: boolean;
  /** Bytes a second that come to it and that it sends. */
  ingress?: number;
  egress?: number;
}

/** What belongs into a network namespace beside devices. */
export interface InnerNetwork {
  /** A file of nftables rules. */
  rules?: string;
  /** Of its loopback device, with prefix length. */
  addresses: readonly string[];
  /** Packets for 127.0.0.1 may come in. */
  routeLocalnet: boolean;
  /** Of the kernel, by name: net.core.somaxconn. */
  settings: Readonly<Record<string, string>>;
}

export type LaunchNetwork =
  | "host"
  | "none"
  | "own"
  | { join: NetworkNamespace }
  /** eth0, eth1 ... in this order; none: loopback alone. */
  | { veths: readonly VethOptions[]; inner?: InnerNetwork };

export function networkWords(network: LaunchNetwork): string[] {
  if (typeof network === "string") return ["--network", network];
  if ("join" in network) return joinWords(network.join);
  const { veths, inner } = network;
  return [
    ...(veths.length === 0 ? ["--network", "own"] : veths.flatMap(vethWords)),
    ...(inner === undefined ? [] : innerWords(inner)),
  ];
}

function innerWords({ rules, addresses, routeLocalnet, settings }: InnerNetwork): string[] {
  return [
    ...addresses.flatMap((address) => ["--lo-address", address]),
    ...(routeLocalnet ? ["--route-localnet"] : []),
    ...(rules === undefined ? [] : ["--rules", rules]),
    ...Object.entries(settings).flatMap(([name, value]) => ["--net-setting", `${name}=${value}`]),
  ];
}

function joinWords({ pid, inode }: NetworkNamespace): string[] {
  return ["--join-net", String(pid), "--expect-net", String(inode)];
}

/** What is changed in a network namespace that is in use, in this order. */
export interface Rewiring {
  /** Ends of veth pairs on the host that go, with what is behind them. */
  unplug?: readonly string[];
  plug?: readonly VethOptions[];
  /** Default routes, where there are none. */
  gateways?: readonly string[];
}

/** Arguments of enter that change the network of a running instance. */
export function rewireArguments({ pid, inode }: NetworkNamespace, change: Rewiring): string[] {
  return [
    "rewire",
    String(pid),
    ...["--expect-net", String(inode)],
    ...(change.unplug ?? []).flatMap((name) => ["--unplug", name]),
    ...(change.plug ?? []).flatMap(vethWords),
    ...(change.gateways ?? []).flatMap((gateway) => ["--route", gateway]),
  ];
}

/** Arguments of enter for a bridge: idempotent both. */
export function bridgeUpArguments(name: string, addresses: readonly string[]): string[] {
  return ["bridge", "up", name, ...addresses];
}

export function bridgeDownArguments(name: string): string[] {
  return ["bridge", "down", name];
}

/** Arguments of enter for the rate, in bytes a second, at which a device of the present network namespace sends; 0: no limit. */
export function shapeArguments(device: string, rate: number): string[] {
  return ["shape", device, String(rate)];
}

/** Arguments of enter that make the kernel forget where flows to ports of the host lead. `address`: 0.0.0.0 and :: stand for every one. */
export function forgetFlowsArguments(
  ports: readonly { protocol: string; address: string; port: number }[],
): string[] {
  return ["flows", "forget", ...ports.map(({ protocol, address, port }) => `${protocol},${address},${port}`)];
}

function vethWords(veth: VethOptions): string[] {
  const words = ["--veth", veth.name, veth.bridge];
  for (const address of veth.addresses) words.push("--address", address);
  for (const gateway of veth.gateways ?? []) words.push("--gateway", gateway);
  if (veth.mac !== undefined) words.push("--mac", veth.mac);
  if (veth.hairpin) words.push("--hairpin");
  if (veth.ingress !== undefined) words.push("--ingress", String(veth.ingress));
  if (veth.egress !== undefined) words.push("--egress", String(veth.egress));
  return words;
}
