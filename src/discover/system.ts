// What the machine is: operating system, kernel, architecture, identity.
import type { ByteString } from "../formats/entry.ts";
import { parseAssignments, parseOsRelease } from "../formats/os-release.ts";
import { parseModules } from "../formats/procfs.ts";
import type { Machine } from "../machine/machine.ts";
import type { ArchitectureFacts, IdentityFacts, KernelFacts, OsFacts } from "./inventory.ts";
import { maskText } from "./mask.ts";
import { baseName, type Source } from "./source.ts";

const releaseFiles = [
  "/etc/debian_version",
  "/etc/redhat-release",
  "/etc/SuSE-release",
  "/etc/gentoo-release",
  "/etc/alpine-release",
  "/etc/slackware-version",
  "/etc/arch-release",
  "/etc/system-release",
];

export async function readOs(source: Source): Promise<OsFacts> {
  const facts: OsFacts = { id: "", version: "", name: "", like: [], release: "", from: [] };
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    const text = await source.text(path);
    if (text === undefined) continue;
    const values = parseOsRelease(text);
    facts.id = values.ID ?? "";
    facts.version = values.VERSION_ID ?? "";
    facts.name = values.PRETTY_NAME ?? values.NAME ?? "";
    facts.like = (values.ID_LIKE ?? "").split(" ").filter(Boolean);
    facts.from.push(path);
    break;
  }
  for (const path of releaseFiles) {
    const line = await source.line(path);
    if (line === undefined) continue;
    facts.release = line;
    facts.from.push(path);
    break;
  }
  guessFromRelease(facts);
  return facts;
}

/** Systems older than os-release (before about 2012). */
function guessFromRelease(facts: OsFacts): void {
  if (facts.id !== "") return;
  const known: [RegExp, string][] = [
    [/centos/i, "centos"],
    [/red hat enterprise/i, "rhel"],
    [/fedora/i, "fedora"],
    [/suse linux enterprise/i, "sles"],
    [/suse/i, "opensuse"],
    [/oracle/i, "ol"],
    [/scientific/i, "scientific"],
  ];
  facts.id = known.find(([pattern]) => pattern.test(facts.release))?.[1] ?? "";
  if (facts.id === "" && facts.from.includes("/etc/debian_version")) facts.id = "debian";
  if (facts.version === "") facts.version = /\d+(\.\d+)*/.exec(facts.release)?.[0] ?? "";
  if (facts.name === "") facts.name = facts.release;
}

export async function readKernel(machine: Machine, source: Source): Promise<KernelFacts> {
  const installed = new Set<ByteString>();
  const from: ByteString[] = [];
  for (const entry of await source.list("/boot")) {
    const release = /^(?:vmlinu[xz]|kernel|Image)-(.+)$/.exec(baseName(entry.path))?.[1];
    if (release === undefined) continue;
    installed.add(release);
    from.push(entry.path);
  }
  for (const directory of ["/lib/modules", "/usr/lib/modules"]) {
    for (const entry of await source.list(directory)) {
      if (entry.kind !== "directory" || installed.has(baseName(entry.path))) continue;
      installed.add(baseName(entry.path));
      from.push(`${directory}/${baseName(entry.path)}`);
    }
  }
  const facts: KernelFacts = { running: null, installed: [...installed].sort(), from };
  if (!machine.live) return facts;
  facts.running = {
    release: (await source.line("/proc/sys/kernel/osrelease")) ?? "",
    commandLine: maskText((await source.line("/proc/cmdline")) ?? ""),
    modules: parseModules((await source.text("/proc/modules")) ?? "").map((module) => module.name),
  };
  facts.from.push("/proc/sys/kernel/osrelease");
  return facts;
}

/** e_machine -> OCI's word, where the class does not change it. */
const machines: Record<number, string> = {
  2: "sparc",
  3: "386",
  8: "mips",
  15: "parisc",
  20: "ppc",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  42: "sh",
  43: "sparc64",
  50: "ia64",
  62: "amd64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
  36902: "alpha",
};

const programs = ["/bin/sh", "/usr/bin/env", "/sbin/init", "/lib/systemd/systemd", "/bin/ls", "/bin/busybox"];

export async function readArchitecture(source: Source): Promise<ArchitectureFacts> {
  for (const path of programs) {
    const bytes = await source.attempt(path, () => source.files.readRange(path, 0, 20));
    const facts = bytes === undefined ? undefined : architectureOf(bytes);
    if (facts !== undefined) return { ...facts, from: [path] };
  }
  return { name: "", bits: 0, littleEndian: true, from: [] };
}

/** OCI's word for an e_machine. */
export function architectureName(machine: number, littleEndian: boolean): string {
  const plain = machines[machine] ?? `elf-${machine}`;
  return plain === "ppc64" && littleEndian ? "ppc64le" : plain;
}

/** From the first 20 bytes of an ELF file. */
export function architectureOf(bytes: Uint8Array): Omit<ArchitectureFacts, "from"> | undefined {
  if (bytes.length < 20 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46)
    return undefined;
  const littleEndian = bytes[5] !== 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const code = view.getUint16(18, littleEndian);
  return {
    name: architectureName(code, littleEndian),
    bits: bytes[4] === 1 ? 32 : 64,
    littleEndian,
  };
}

export async function readIdentity(machine: Machine, source: Source): Promise<IdentityFacts> {
  const facts: IdentityFacts = {
    hostname: "",
    domain: "",
    machineId: "",
    hostId: "",
    timezone: "",
    locale: "",
    addresses: [],
    macAddresses: [],
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
  const names = machine.live
    ? ["/proc/sys/kernel/hostname", "/etc/hostname"]
    : ["/etc/hostname", "/etc/HOSTNAME"];
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
  const hostId = await source.attempt("/etc/hostid", () => source.files.readRange("/etc/hostid", 0, 4));
  if (hostId?.length === 4)
    facts.hostId = [...hostId]
      .reverse()
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
  await readAddresses(machine, source, facts);
  return facts;
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
  facts.addresses = [...addresses].sort();
  facts.macAddresses = [...macs].sort();
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
