// Parts of a kernel, told by where they lie and, because names can be changed, by what they hold: kernel images, modules,
// initramfs archives. A package may hold none of them.
import { byteStringOf } from "./byte-string.ts";
import type { ByteString, EntryKind } from "./entry.ts";

const kernelDirectory = /^\/(?:boot|(?:usr\/)?lib\/(?:modules|firmware))\/./;
const kernelNames: readonly [RegExp, string][] = [
  [/^(?:vmlinu[xz]|bzImage|zImage)(?:[-.].*)?$/, "is named as a kernel image"],
  [/^(?:initrd|initramfs)(?:[-.].*)?$/, "is named as an initial RAM disk"],
  [/^System\.map(?:-.*)?$/, "is named as a kernel's symbol table"],
  [/\.ko(?:\.(?:gz|xz|zst|bz2))?$/, "is named as a kernel module"],
];
/** Only where kernels are kept: elsewhere a program may be called so. */
const kernelPlaces = /^\/(?:[^/]+$|boot\/|efi\/)/;

/** Why a path is a part of a kernel; undefined where it is none. Directories are none: they hold nothing. */
export function kernelPartByPath(path: ByteString, kind: EntryKind): string | undefined {
  if (kind === "directory") return undefined;
  if (kernelDirectory.test(path))
    return `lies in ${path
      .split("/")
      .slice(0, path.startsWith("/boot") ? 2 : -1)
      .join("/")}`;
  const name = path.slice(path.lastIndexOf("/") + 1);
  for (const [pattern, reason] of kernelNames) {
    const everywhere = reason.endsWith("module") || reason.endsWith("table");
    if (pattern.test(name) && (everywhere || kernelPlaces.test(path))) return reason;
  }
  return undefined;
}

/** How much of the start and of the end of a file is looked at. */
export const headSize: number = 64 << 10;
export const tailSize: number = 1 << 20;

/** Kept of a file while it flows by. */
export interface FileEnds {
  size: number;
  /** The first bytes, at most headSize. */
  head: Uint8Array;
  /** The last bytes, at most tailSize. */
  tail: Uint8Array;
}

/** Whether the end of a file with this head matters too. */
export function wantsTail(head: Uint8Array): boolean {
  return isElf(head);
}

/** Why the content is a part of a kernel; undefined where it is none that is known. */
export function kernelPartByContent(ends: FileEnds): string | undefined {
  const { head } = ends;
  // The boot sector's mark and the header of the boot protocol: bzImage, also with an EFI stub.
  if (at(head, 0x1fe, "\x55\xaa") && at(head, 0x202, "HdrS"))
    return "is a Linux kernel image (boot protocol header)";
  if (at(head, 0x38, "ARM\x64")) return "is a Linux kernel image (arm64)";
  if (at(head, 0x24, "\x18\x28\x6f\x01")) return "is a Linux kernel image (arm)";
  if (at(head, 0, "\x27\x05\x19\x56")) return "is a boot loader image (U-Boot)";
  if (isElf(head)) return elfKernelPart(ends);
  if (at(head, 0, "070701") || at(head, 0, "070702")) return cpioKernelPart(head);
  return undefined;
}

function at(bytes: Uint8Array, offset: number, text: ByteString): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[offset + i] !== text.charCodeAt(i)) return false;
  return true;
}

function isElf(head: Uint8Array): boolean {
  return at(head, 0, "\x7fELF");
}

/** Sections that only the kernel's linker makes. */
const kernelSections: Record<string, string> = {
  ".gnu.linkonce.this_module": "is a kernel module (section .gnu.linkonce.this_module)",
  ".modinfo": "is a kernel module (section .modinfo)",
  __ksymtab: "is a kernel (section __ksymtab)",
};

function elfKernelPart(ends: FileEnds): string | undefined {
  for (const name of sectionNames(ends)) {
    const reason = kernelSections[name];
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Names of the sections, as far as section headers and their string table lie in what was kept of the file. */
function sectionNames(ends: FileEnds): ByteString[] {
  const { head } = ends;
  const wide = head[4] === 2;
  const little = head[5] !== 2;
  if (head.length < 64) return [];
  const number = (bytes: Uint8Array, offset: number, size: number): number => {
    let value = 0;
    for (let i = 0; i < size; i++)
      value = value * 256 + (bytes[little ? offset + size - 1 - i : offset + i] ?? 0);
    return value;
  };
  const table = wide ? number(head, 0x28, 8) : number(head, 0x20, 4);
  const [width, count, names] = [0, 2, 4].map((i) => number(head, (wide ? 0x3a : 0x2e) + i, 2));
  if (width === undefined || count === undefined || names === undefined || width < 40 || names >= count)
    return [];
  const headers = part(ends, table, width * count);
  if (headers === undefined) return [];
  const own = names * width;
  const offset = wide ? number(headers, own + 0x18, 8) : number(headers, own + 0x10, 4);
  const size = wide ? number(headers, own + 0x20, 8) : number(headers, own + 0x14, 4);
  const strings = part(ends, offset, Math.min(size, tailSize));
  if (strings === undefined) return [];
  const found: ByteString[] = [];
  for (let i = 0; i < count; i++) {
    const start = number(headers, i * width, 4);
    const end = strings.indexOf(0, start);
    if (end > start) found.push(byteStringOf(strings, start, Math.min(end, start + 64)));
  }
  return found;
}

/** Bytes of the file where head or tail hold them whole. */
function part(ends: FileEnds, offset: number, length: number): Uint8Array | undefined {
  const { head, tail, size } = ends;
  const tailStart = size - tail.length;
  if (offset >= tailStart && offset + length <= size)
    return tail.subarray(offset - tailStart, offset - tailStart + length);
  return offset + length <= head.length ? head.subarray(offset, offset + length) : undefined;
}

/** What mkinitramfs, dracut and microcode archives hold near their start, and hardly any other archive. */
const initramfsNames =
  /^(?:\.\/)?(?:kernel(?:\/x86.*)?|init|conf\/initramfs\.conf|conf\/arch\.conf|usr\/lib\/dracut.*|scripts\/(?:init-.*|local-.*)|etc\/initrd-release|early_cpio|dracut\/.*)$/;

function cpioKernelPart(head: Uint8Array): string | undefined {
  for (let offset = 0, entries = 0; offset + 110 <= head.length && entries < 4096; entries++) {
    if (!at(head, offset, "07070")) break;
    const field = (i: number): number =>
      Number.parseInt(byteStringOf(head, offset + 6 + 8 * i, offset + 14 + 8 * i), 16);
    const fileSize = field(6);
    const nameSize = field(11);
    if (!(nameSize > 0 && nameSize <= 4096) || !(fileSize >= 0)) break;
    const name = byteStringOf(head, offset + 110, offset + 110 + nameSize - 1);
    if (initramfsNames.test(name)) return `is an initial RAM disk (cpio with ${JSON.stringify(name)})`;
    const content = Math.ceil((offset + 110 + nameSize) / 4) * 4;
    offset = Math.ceil((content + fileSize) / 4) * 4;
  }
  return undefined;
}

/** Whether the content is packed by a program whose output may hide a kernel part: the caller unpacks its start. */
export function packedBy(head: Uint8Array): "gzip" | "zstd" | undefined {
  if (at(head, 0, "\x1f\x8b\x08")) return "gzip";
  return at(head, 0, "\x28\xb5\x2f\xfd") ? "zstd" : undefined;
}
