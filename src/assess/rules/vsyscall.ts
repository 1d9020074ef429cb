// The vsyscall page: C libraries before 2.14 call it for time(); a target with vsyscall=none kills such programs (exit 139).
import type { ElfFile } from "../../formats/elf.ts";
import type { Finding } from "../assessment.ts";
import { finding, type Rule, type RuleContext } from "../rule.ts";

const firstWithout = [2, 14];
const libraries = [
  "/lib64/libc.so.6",
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/libc.so.6",
  "/usr/lib64/libc.so.6",
];

export const vsyscall: Rule = {
  id: "vsyscall",
  title: "Old C library and the kernel",
  severity: "blocker",
  async check(context) {
    const findings: Finding[] = [];
    const { target } = context;
    const dies = target.vsyscall === "none";
    if (context.inventory.architecture.name === "amd64") {
      const old = await oldLibrary(context);
      if (old !== undefined)
        findings.push(say(old.path, [`defines up to GLIBC_${old.version}`], dies, target.vsyscall));
      const statics = context.programs.filter(
        ({ elf, architecture }) => elf.isStatic && architecture === "amd64" && isOldStatic(elf),
      );
      for (const program of statics) {
        findings.push(
          say(
            program.path,
            [program.because, `static, made for kernel ${program.elf.minimumKernel}`],
            dies,
            target.vsyscall,
          ),
        );
      }
    }
    const newer = context.programs.filter(
      ({ elf }) => compare(numbers(elf.minimumKernel ?? "0"), numbers(target.kernel)) > 0,
    );
    for (const program of newer) {
      findings.push(
        finding(vsyscall, program.path, [program.because, `asks for kernel ${program.elf.minimumKernel}`], {
          effect: `the target's kernel ${target.kernel} is older than the program asks for: it ends with "kernel too old"`,
          remedy: "choose a target with a newer kernel",
        }),
      );
    }
    return findings;
  },
};

function say(subject: string, evidence: string[], dies: boolean, mode: string): Finding {
  return finding(vsyscall, subject, evidence, {
    effect: dies
      ? "calls the vsyscall page, which this target does not have: programs end with signal 11 (exit 139)"
      : `calls the vsyscall page; this target has it (${mode}), others may not`,
    remedy:
      "boot the target with vsyscall=emulate, or run with elements.vsyscall: auto once the in-process engine is built",
    severity: dies ? "blocker" : "note",
  });
}

async function oldLibrary(context: RuleContext): Promise<{ path: string; version: string } | undefined> {
  for (const path of libraries) {
    const canonical = await context.source.canonical(path);
    const elf = canonical === undefined ? undefined : await context.elves.info(canonical);
    if (canonical === undefined || elf === undefined || elf.machine !== 62) continue;
    const versions = elf.versionsDefined.flatMap((name) => /^GLIBC_(\d+\.\d+)/.exec(name)?.[1] ?? []);
    const newest = versions.sort((a, b) => compare(numbers(a), numbers(b))).at(-1);
    return newest !== undefined && compare(numbers(newest), firstWithout) < 0
      ? { path: canonical, version: newest }
      : undefined;
  }
  return undefined;
}

/** A static program has its C library inside; one made for a kernel before 2.6.32 is from before glibc 2.14's time. */
function isOldStatic(elf: ElfFile): boolean {
  return elf.minimumKernel !== undefined && compare(numbers(elf.minimumKernel), [2, 6, 32]) < 0;
}

function numbers(text: string): number[] {
  return (/^\d+(\.\d+)*/.exec(text)?.[0] ?? "0").split(".").map(Number);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
