// Which programs call the vsyscall page, three calls at fixed addresses that C libraries before glibc 2.14 use for time(), and how a kernel serves it. Pure.
import type { ElfFile } from "./elf.ts";
import type { ByteString } from "./entry.ts";
import { parseMaps } from "./procfs.ts";

/** none: who calls it dies. */
export type VsyscallMode = "emulate" | "xonly" | "none" | "unknown";

/** Where the C library of amd64 is. */
export const libcPaths: readonly string[] = [
  "/lib64/libc.so.6",
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/libc.so.6",
  "/usr/lib64/libc.so.6",
];

const firstWithout = [2, 14];
const amd64 = 62;

/** The newest version that a C library defines, where it is one that calls the page: "2.5". */
export function oldLibcVersion(elf: ElfFile): string | undefined {
  if (elf.machine !== amd64) return undefined;
  const versions = elf.versionsDefined.flatMap((name) => /^GLIBC_(\d+\.\d+)/.exec(name)?.[1] ?? []);
  const newest = versions.sort((a, b) => compareNumbers(numbersOf(a), numbersOf(b))).at(-1);
  return newest !== undefined && compareNumbers(numbersOf(newest), firstWithout) < 0 ? newest : undefined;
}

/** A static program has its C library inside; one made for a kernel before 2.6.32 is from before glibc 2.14's time. */
export function isOldStatic(elf: ElfFile): boolean {
  return (
    elf.machine === amd64 &&
    elf.isStatic &&
    elf.minimumKernel !== undefined &&
    compareNumbers(numbersOf(elf.minimumKernel), [2, 6, 32]) < 0
  );
}

/** The numbers at the beginning of a version. */
export function numbersOf(text: string): number[] {
  return (/^\d+(\.\d+)*/.exec(text)?.[0] ?? "0").split(".").map(Number);
}

/** What is missing counts as 0. */
export function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Of /proc/self/maps, /proc/cmdline and Node's word for the processor. The mapping tells most: absent = none, --xp = execute only (reads fault), r-xp = emulate or native. */
export function vsyscallMode(maps: ByteString, commandLine: string, architecture: string): VsyscallMode {
  if (architecture !== "x64") return "none";
  const told = /(?:^|\s)vsyscall=(\w+)/.exec(commandLine)?.[1];
  const { vsyscall } = parseMaps(maps);
  if (vsyscall === "") return maps === "" ? "unknown" : "none";
  if (vsyscall.startsWith("--x")) return "xonly";
  return told === "xonly" ? "xonly" : "emulate";
}
