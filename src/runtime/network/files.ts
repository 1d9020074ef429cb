// The files that name things inside an instance: hosts, hostname, resolv.conf.
import { readText } from "../../host/files.ts";
import { readLayerFile } from "../layers.ts";
import type { Resolver } from "../record.ts";
import type { NamedAddress } from "./hosts-section.ts";

const localNames = new Set([
  "localhost", "ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters",
]); // biome-ignore format: a table

/** What a machine calls itself, the full name first. */
export function ownNames({ hostname, domain }: { hostname: string; domain: string | null }): string[] {
  const short = hostname.split(".")[0] ?? hostname;
  const full = domain === null || hostname.includes(".") ? [] : [`${hostname}.${domain}`];
  return [...new Set([...full, hostname, short])];
}

/** The package's own lines are kept (an application may name its database there), those of its old host are replaced. */
export function hostsText(
  layers: readonly string[],
  {
    hostname,
    domain,
    address,
    redirected = [],
  }: {
    hostname: string;
    domain: string | null;
    address: string | null;
    redirected?: readonly NamedAddress[];
  },
): string {
  const own = ownNames({ hostname, domain });
  const lines = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    `${address ?? "127.0.1.1"}\t${own.join(" ")}`,
    ...redirected.map((one) => `${one.address}\t${one.names.join(" ")}`),
  ];
  const led = new Set(redirected.flatMap(({ names }) => names));
  const brought = readLayerFile(layers, "etc/hosts")?.toString("utf8") ?? "";
  for (const line of brought.split("\n")) {
    const [, ...names] = (line.split("#")[0] ?? "").trim().split(/\s+/);
    const kept = names.filter((name) => !localNames.has(name) && !own.includes(name));
    const elsewhere = names.some((name) => led.has(name.toLowerCase()));
    if (kept.length > 0 && kept.length === names.length && !elsewhere) lines.push(line);
  }
  return `${lines.join("\n")}\n`;
}

/** Host name of the machine that the package comes from, where it brought one. */
export function packageHostname(layers: readonly string[]): string | undefined {
  const text = readLayerFile(layers, "etc/hostname")?.toString("latin1").trim() ?? "";
  return /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62}[a-zA-Z0-9])?$/.test(text) && text !== "localhost"
    ? text
    : undefined;
}

/** The host's, with the application's own domain to search, and without resolvers on its own loopback, which an instance with a network of its own cannot reach; what was asked for in place of the host's. */
export function resolvText(ownNetwork: boolean, domain: string | null, asked?: Resolver): string {
  const { servers = [], search = [], options = [] } = asked ?? {};
  const instead = [
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}`]),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}`]),
  ];
  if (instead.length === 0) return hostsResolvText(ownNetwork, domain);
  const own = hostsResolvText(ownNetwork, search.length === 0 ? domain : null);
  const words = [
    ...(search.length === 0 ? [] : ["search", "domain"]),
    ...(servers.length === 0 ? [] : ["nameserver"]),
    ...(options.length === 0 ? [] : ["options"]),
  ];
  const replaced = new RegExp(`^\\s*(${words.join("|")})\\s`);
  return [...instead, ...own.split("\n").filter((line) => !replaced.test(line))].join("\n");
}

function hostsResolvText(ownNetwork: boolean, domain: string | null): string {
  const given = readText("/etc/resolv.conf") ?? "";
  const others = given.split("\n").filter((line) => !/^\s*(search|domain)\s/.test(line));
  const text = domain === null ? given : [`search ${domain}`, ...others].join("\n");
  if (!ownNetwork) return text;
  return text
    .split("\n")
    .filter((line) => !/^\s*nameserver\s+(127\.|::1\b|::ffff:127\.)/.test(line))
    .join("\n");
}
