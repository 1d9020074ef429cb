// ELF as the loader sees it: program headers and the dynamic section; section headers are never trusted or needed.
// All of it may be hostile: every offset is checked, every loop is bounded, what cannot be read becomes a problem.

import type { ReadAt, Segment } from "./elf-image.ts";
import { ElfImage, latin1 } from "./elf-image.ts";
import { countDynamicSymbols } from "./elf-symbols.ts";
import { readVersionsDefined, readVersionsNeeded } from "./elf-versions.ts";
import type { ByteString } from "./entry.ts";

export type { ReadAt } from "./elf-image.ts";

export interface VersionNeed {
  /** The library that has to define them. */
  file: ByteString;
  /** Without the weak ones: the loader does without these. */
  versions: ByteString[];
}

export interface ElfFile {
  bits: 32 | 64;
  endian: "little" | "big";
  /** e_machine; see elfMachineName(). */
  machine: number;
  /** e_flags: tells ABIs of one machine apart (ARM hard float, MIPS, RISC-V). */
  flags: number;
  type: "relocatable" | "executable" | "shared" | "core" | "other";
  interpreter: ByteString | undefined;
  hasDynamic: boolean;
  /** Neither an interpreter nor a NEEDED entry: runs without any library (static-pie included). */
  isStatic: boolean;
  needed: ByteString[];
  /** DT_FILTER: loaded in the place of this object's own symbols; as needed as NEEDED. */
  filters: ByteString[];
  /** DT_AUXILIARY, DT_AUDIT and DT_DEPAUDIT: loaded where they are there. */
  optional: ByteString[];
  soname: ByteString | undefined;
  /** As written, with colons and $ORIGIN. */
  rpath: ByteString | undefined;
  runpath: ByteString | undefined;
  /** DF_1_NODEFLIB: ld.so.cache entries of, and, the default directories are not searched. */
  noDefaultLib: boolean;
  /** DF_1_PIE: a shared object that is a program. */
  isPie: boolean;
  versionsNeeded: VersionNeed[];
  versionsDefined: ByteString[];
  /** "3.2.0" of the GNU ABI note: what glibc asks of the kernel. */
  minimumKernel: string | undefined;
  /** Names of undefined dynamic symbols. */
  imports: ReadonlySet<ByteString>;
  /** What of the file is broken; empty for a sound one. */
  problems: string[];
}

const machineNames: Record<number, string> = {
  2: "sparc", 3: "i386", 8: "mips", 18: "sparc32plus", 20: "ppc", 21: "ppc64", 22: "s390", 40: "arm", 43: "sparcv9",
  50: "ia64", 62: "x86_64", 183: "aarch64", 243: "riscv", 258: "loongarch",
}; // biome-ignore format: a table

export function elfMachineName(machine: number): string {
  return machineNames[machine] ?? `machine ${machine}`;
}

export function isElf(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/** Whether ld.so would accept `library` in a process of `program`: same class, byte order and machine. */
export function sameAbi(program: ElfFile, library: ElfFile): boolean {
  return (
    program.bits === library.bits && program.machine === library.machine && program.endian === library.endian
  );
}

/** undefined where the content is no ELF file. */
export async function readElf(read: ReadAt): Promise<ElfFile | undefined> {
  const image = new ElfImage(read);
  const head = await image.bytes(0, 64);
  if (!isElf(head)) return undefined;
  const elf = emptyElf();
  if (!image.header(head, elf.problems)) return elf;
  elf.bits = image.wide ? 64 : 32;
  elf.endian = image.little ? "little" : "big";
  elf.machine = image.machine;
  elf.flags = image.flags;
  elf.type = typeNames[image.type] ?? "other";
  await image.loadSegments(elf.problems);
  for (const segment of image.segments) await readSegment(image, segment, elf);
  elf.isStatic =
    (elf.type === "executable" || elf.type === "shared") &&
    elf.interpreter === undefined &&
    elf.needed.length === 0;
  return elf;
}

export function readElfBytes(bytes: Uint8Array): Promise<ElfFile | undefined> {
  return readElf((offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)));
}

const typeNames: Record<number, ElfFile["type"]> = {
  1: "relocatable",
  2: "executable",
  3: "shared",
  4: "core",
};

function emptyElf(): ElfFile {
  return {
    bits: 64,
    endian: "little",
    machine: 0,
    flags: 0,
    type: "other",
    interpreter: undefined,
    hasDynamic: false,
    isStatic: false,
    needed: [],
    filters: [],
    optional: [],
    soname: undefined,
    rpath: undefined,
    runpath: undefined,
    noDefaultLib: false,
    isPie: false,
    versionsNeeded: [],
    versionsDefined: [],
    minimumKernel: undefined,
    imports: new Set(),
    problems: [],
  };
}

const maxInterpreter = 4096;
const maxNotes = 1 << 16;
const maxDynamic = 1 << 20;
const maxNeeded = 4096;
const maxFilters = 64;

async function readSegment(image: ElfImage, segment: Segment, elf: ElfFile): Promise<void> {
  if (segment.type === 3) {
    const bytes = await image.bytes(segment.offset, Math.min(segment.fileSize, maxInterpreter));
    const end = bytes.indexOf(0);
    elf.interpreter = latin1(end < 0 ? bytes : bytes.subarray(0, end));
  } else if (segment.type === 4 && elf.minimumKernel === undefined) {
    const bytes = await image.bytes(segment.offset, Math.min(segment.fileSize, maxNotes));
    elf.minimumKernel = abiNote(image, bytes);
  } else if (segment.type === 2 && !elf.hasDynamic) {
    elf.hasDynamic = true;
    await readDynamic(image, segment, elf);
  }
}

function abiNote(image: ElfImage, bytes: Uint8Array): string | undefined {
  const view = image.view(bytes);
  for (let at = 0; at + 12 <= bytes.length; ) {
    const nameSize = view.u32(at);
    const size = view.u32(at + 4);
    const isAbi =
      view.u32(at + 8) === 1 && nameSize === 4 && latin1(bytes.subarray(at + 12, at + 15)) === "GNU";
    const body = at + 12 + align4(nameSize);
    if (isAbi && size >= 16 && body + 16 <= bytes.length && view.u32(body) === 0) {
      return `${view.u32(body + 4)}.${view.u32(body + 8)}.${view.u32(body + 12)}`;
    }
    at = body + align4(size);
  }
  return undefined;
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}

async function readDynamic(image: ElfImage, segment: Segment, elf: ElfFile): Promise<void> {
  const bytes = await image.bytes(segment.offset, Math.min(segment.fileSize, maxDynamic));
  const view = image.view(bytes);
  const step = image.wide ? 16 : 8;
  const tags = new Map<number, number>();
  const neededAt: number[] = [];
  const filtersAt: number[] = [];
  const optionalAt: number[] = [];
  for (let at = 0; at + step <= bytes.length; at += step) {
    const tag = view.word(at);
    const value = view.word(at + step / 2);
    if (tag === 0) break;
    if (tag === 1) neededAt.push(value);
    else if (tag === 0x7fffffff) filtersAt.push(value);
    else if (tag === 0x7ffffffd || tag === 0x6ffffefc || tag === 0x6ffffefb) optionalAt.push(value);
    else tags.set(tag, value);
  }
  elf.noDefaultLib = ((tags.get(0x6ffffffb) ?? 0) & 0x800) !== 0;
  elf.isPie = Math.floor((tags.get(0x6ffffffb) ?? 0) / 0x08000000) % 2 === 1;
  const strings = await image.loadStrings(tags.get(5), tags.get(10), elf.problems);
  const text = (at: number | undefined): ByteString | undefined =>
    at === undefined ? undefined : strings.at(at, elf.problems);
  if (neededAt.length > maxNeeded)
    elf.problems.push(`${neededAt.length} libraries are needed, ${maxNeeded} are read`);
  for (const at of neededAt.slice(0, maxNeeded)) {
    const name = text(at);
    if (name !== undefined && name !== "") elf.needed.push(name);
  }
  // A list of names with colons between.
  const names = (places: readonly number[]): ByteString[] =>
    places
      .slice(0, maxFilters)
      .flatMap((at) => (text(at) ?? "").split(":", maxFilters).filter((name) => name !== ""));
  elf.filters = names(filtersAt);
  elf.optional = names(optionalAt);
  elf.soname = text(tags.get(14));
  elf.rpath = text(tags.get(15));
  elf.runpath = text(tags.get(29));
  elf.versionsNeeded = await readVersionsNeeded(image, strings, tags, elf.problems);
  elf.versionsDefined = await readVersionsDefined(image, strings, tags, elf.problems);
  elf.imports = await readImports(image, strings, tags);
}

async function readImports(
  image: ElfImage,
  strings: { peek(at: number): ByteString | undefined },
  tags: ReadonlyMap<number, number>,
): Promise<Set<ByteString>> {
  const imports = new Set<ByteString>();
  const table = image.offsetOf(tags.get(6));
  if (table === undefined) return imports;
  const count = await countDynamicSymbols(image, tags);
  const size = image.wide ? 24 : 16;
  const bytes = await image.bytes(table, count * size);
  const view = image.view(bytes);
  for (let at = size; at + size <= bytes.length; at += size) {
    const section = view.u16(at + (image.wide ? 6 : 14));
    if (section !== 0) continue;
    const name = strings.peek(view.u32(at));
    if (name !== undefined && name !== "") imports.add(name);
  }
  return imports;
}
