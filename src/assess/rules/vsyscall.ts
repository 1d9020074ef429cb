// The vsyscall page: C libraries before 2.14 call it for time(); a target with vsyscall=none kills such programs (exit 139).
import { compareNumbers, isOldStatic, libcPaths, numbersOf, oldLibcVersion } from "../../formats/vsyscall.ts";
import type { Finding } from "../assessment.ts";
import { finding, type Rule, type RuleContext } from "../rule.ts";

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
        ({ elf, architecture }) => architecture === "amd64" && isOldStatic(elf),
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
      ({ elf }) => compareNumbers(numbersOf(elf.minimumKernel ?? "0"), numbersOf(target.kernel)) > 0,
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
      "run it with tranship, whose elements.vsyscall: auto answers the page, or boot the target with vsyscall=emulate",
    severity: dies ? "blocker" : "note",
  });
}

async function oldLibrary(context: RuleContext): Promise<{ path: string; version: string } | undefined> {
  for (const path of libcPaths) {
    const canonical = await context.source.canonical(path);
    const elf = canonical === undefined ? undefined : await context.elves.info(canonical);
    if (canonical === undefined || elf?.machine !== 62) continue;
    const version = oldLibcVersion(elf);
    return version === undefined ? undefined : { path: canonical, version };
  }
  return undefined;
}
