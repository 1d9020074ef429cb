// What the machine is: operating system, kernel, architecture.
import type { ByteString } from "../formats/entry.ts";
import { parseOsRelease } from "../formats/os-release.ts";
import { parseModules } from "../formats/procfs.ts";
import type { Machine } from "../machine/machine.ts";
import type { ArchitectureFacts, KernelFacts, OsFacts } from "./inventory.ts";
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
