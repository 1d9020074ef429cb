// What identifies a machine: names, numbers and addresses that programs and licences ask for.
import type { ByteString } from "../formats/entry.ts";
import { parseAssignments } from "../formats/os-release.ts";
import type { Machine } from "../machine/machine.ts";
import { dmiName } from "../package/identity.ts";
import type { IdentityFacts } from "./inventory.ts";
import { baseName, type Source } from "./source.ts";

/** `liveName`: what the kernel says counts before what files say. */
export async function readIdentity(
  machine: Machine,
  source: Source,
  liveName = true,
): Promise<IdentityFacts> {
  const facts: IdentityFacts = {
    hostname: "",
    domain: "",
    machineId: "",
    hostId: "",
    timezone: "",
    locale: "",
    addresses: [],
    macAddresses: [],
    dmi: {},
    from: [],
  };
  const first = async (
    paths: readonly string[],
    pick: (text: string) => string | undefined,
  ): Promise<string> => {
    for (const path of paths) {
      const text = await source.text(path);
      const value = text === undefined ? undefined : pick(text);
      if (value === undefined || value === "") continue;
      facts.from.push(path);
      return value;
    }
    return "";
  };
  const line = (text: string): string => text.split("\n", 1)[0]?.trim() ?? "";
  const live = machine.live && liveName;
  const names = live ? ["/proc/sys/kernel/hostname", "/etc/hostname"] : ["/etc/hostname", "/etc/HOSTNAME"];
  const full =
    (await first(names, line)) ||
    (await first(["/etc/sysconfig/network"], (text) => parseAssignments(text).HOSTNAME));
  facts.hostname = full;
  facts.domain =
    full.split(".").slice(1).join(".") ||
    (await first(["/etc/resolv.conf"], (text) => /^(?:domain|search)\s+(\S+)/m.exec(text)?.[1])) ||
    (await first(["/etc/hosts"], (text) => domainFromHosts(text, full)));
  facts.machineId = await first(["/etc/machine-id", "/var/lib/dbus/machine-id"], line);
  facts.timezone = await readTimezone(source, facts, first);
  facts.locale = await first(
    ["/etc/default/locale", "/etc/locale.conf", "/etc/sysconfig/i18n", "/etc/environment"],
    (text) => {
      const values = parseAssignments(text);
      return values.LC_ALL ?? values.LANG;
    },
  );
  await readHostId(source, facts);
  await readDmi(source, facts);
  await readAddresses(machine, source, facts);
  return facts;
}

/** What gethostid() gives there: the number of /etc/hostid, else one made of the address that /etc/hosts has for the host name. */
async function readHostId(source: Source, facts: IdentityFacts): Promise<void> {
  const hex = (bytes: readonly number[]): string =>
    bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const own = await source.attempt("/etc/hostid", () => source.files.readRange("/etc/hostid", 0, 4));
  if (own?.length === 4) {
    facts.hostId = hex([...own].reverse());
    facts.from.push("/etc/hostid");
    return;
  }
  const [a, b, c, d] = addressInHosts((await source.text("/etc/hosts")) ?? "", facts.hostname);
  if (a === undefined || b === undefined || c === undefined || d === undefined) return;
  facts.hostId = hex([b, a, d, c]);
}

/** The four numbers of the first IPv4 address of a name; none where it has none. */
function addressInHosts(text: string, hostname: string): number[] {
  for (const line of hostname === "" ? [] : text.split("\n").slice(0, 10_000)) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (names.includes(hostname) && /^\d{1,3}(\.\d{1,3}){3}$/.test(address))
      return address.split(".").map(Number);
  }
  return [];
}

const dmiDirectory = "/sys/class/dmi/id";

/** What firmware says of the machine. Serial numbers can be read by root alone. */
async function readDmi(source: Source, facts: IdentityFacts): Promise<void> {
  for (const entry of (await source.list(dmiDirectory)).slice(0, 100)) {
    const name = baseName(entry.path);
    if (entry.kind !== "file" || !dmiName.test(name)) continue;
    const value = (await source.line(entry.path))?.slice(0, 256);
    if (value !== undefined && value !== "") facts.dmi[name] = value;
  }
  if (Object.keys(facts.dmi).length > 0) facts.from.push(dmiDirectory);
}

function domainFromHosts(text: string, hostname: string): string | undefined {
  for (const line of text.split("\n").slice(0, 10_000)) {
    const words = line.replace(/#.*/, "").trim().split(/\s+/);
    const name = hostname === "" ? undefined : words.slice(1).find((word) => word.startsWith(`${hostname}.`));
    if (name !== undefined) return name.slice(hostname.length + 1);
  }
  return undefined;
}

async function readTimezone(
  source: Source,
  facts: IdentityFacts,
  first: (paths: readonly string[], pick: (text: string) => string | undefined) => Promise<string>,
): Promise<string> {
  const link = await source.stat("/etc/localtime");
  const zone = /zoneinfo\/(.+)$/.exec(link?.target ?? "")?.[1];
  if (zone !== undefined) {
    facts.from.push("/etc/localtime");
    return zone;
  }
  const line = (text: string): string => text.split("\n", 1)[0]?.trim() ?? "";
  return (
    (await first(["/etc/timezone"], line)) ||
    (await first(
      ["/etc/sysconfig/clock"],
      (text) => parseAssignments(text).ZONE ?? parseAssignments(text).TIMEZONE,
    ))
  );
}

const networkDirectories = [
  "/etc/network/interfaces.d",
  "/etc/sysconfig/network-scripts",
  "/etc/sysconfig/network",
  "/etc/netplan",
  "/etc/systemd/network",
  "/etc/NetworkManager/system-connections",
];

async function readAddresses(machine: Machine, source: Source, facts: IdentityFacts): Promise<void> {
  const paths = ["/etc/network/interfaces"];
  for (const directory of networkDirectories) paths.push(...(await source.filesIn(directory, /^[^.].*$/)));
  const addresses = new Set<string>();
  const macs = new Set<string>();
  for (const path of paths.slice(0, 500)) {
    const text = await source.text(path);
    if (text === undefined) continue;
    const seen = addresses.size + macs.size;
    for (const address of configuredAddresses(text)) addresses.add(address);
    for (const match of text.matchAll(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi))
      macs.add(match[0].toLowerCase());
    if (addresses.size + macs.size > seen) facts.from.push(path);
  }
  if (machine.live) {
    for (const match of ((await source.text("/proc/net/fib_trie")) ?? "").matchAll(
      /\|-- (\S+)\n\s+\/32 host LOCAL/g,
    )) {
      if (isHostAddress(match[1] ?? "")) addresses.add(match[1] ?? "");
    }
    for (const entry of (await source.list("/sys/class/net")).slice(0, 1000)) {
      const mac = await source.line(`${entry.path}/address`);
      if (mac !== undefined && /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && mac !== "00:00:00:00:00:00")
        macs.add(mac);
    }
  }
  const main = machine.live ? await mainInterface(source) : undefined;
  facts.addresses = mainFirst(addresses, main?.address);
  facts.macAddresses = mainFirst(macs, main?.mac);
}

/** The interface of the default route: licences bind to its addresses. */
async function mainInterface(source: Source): Promise<{ address?: string; mac?: string }> {
  const routes = parseRoutes((await source.text("/proc/net/route")) ?? "");
  const device = routes.find((route) => route.destination === 0 && route.mask === 0)?.device;
  if (device === undefined) return {};
  const mac = await source.line(`/sys/class/net/${device}/address`);
  const local = routes.filter((route) => route.device === device && route.mask !== 0);
  const trie = (await source.text("/proc/net/fib_trie")) ?? "";
  for (const [, text = ""] of trie.matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g)) {
    const value = text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    if (local.some((route) => (value & route.mask) >>> 0 === route.destination))
      return { address: text, ...(mac === undefined ? {} : { mac }) };
  }
  return mac === undefined ? {} : { mac };
}

/** Addresses as numbers in reading order. */
function parseRoutes(text: string): { device: string; destination: number; mask: number }[] {
  return text
    .split("\n")
    .slice(1, 10_000)
    .flatMap((line) => {
      const [device, destination, , , , , , mask] = line.trim().split(/\s+/);
      if (device === undefined || destination === undefined || mask === undefined) return [];
      return [{ device, destination: swapped(destination), mask: swapped(mask) }];
    });
}

/** Hexadecimal in the byte order of the machine, little-endian on all that have such a file here. */
function swapped(text: string): number {
  return Number.parseInt((text.match(/../g) ?? []).reverse().join(""), 16) >>> 0;
}

function mainFirst(values: ReadonlySet<string>, main: string | undefined): string[] {
  const sorted = [...values].sort();
  return main !== undefined && values.has(main)
    ? [main, ...sorted.filter((value) => value !== main)]
    : sorted;
}

/** `address 192.0.2.1`, `IPADDR=192.0.2.1`, `Address=192.0.2.1/24`, `- 192.0.2.1/24`, `addresses: [192.0.2.1/24]`. */
function configuredAddresses(text: ByteString): string[] {
  return text
    .split("\n")
    .slice(0, 10_000)
    .flatMap((line) => {
      const match =
        /^(?:- |address\d{0,2}|ipaddr\d{0,2}|addresses)[=: ]{0,4}[["']{0,2}(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])/i.exec(
          line.trim().slice(0, 200),
        );
      return match?.[1] !== undefined && isHostAddress(match[1]) ? [match[1]] : [];
    });
}

/** Not loopback, not a net mask, not 0.0.0.0. */
function isHostAddress(text: string): boolean {
  const parts = text.split(".").map(Number);
  return parts.every((part) => part <= 255) && parts[0] !== 127 && parts[0] !== 0 && parts[0] !== 255;
}
