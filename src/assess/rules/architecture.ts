// Machine code runs on the processor that it was made for.
import type { Finding } from "../assessment.ts";
import { finding, type Rule } from "../rule.ts";

/** What a target of a kind runs besides its own. */
const alsoRuns: Record<string, readonly string[]> = { amd64: ["386"], arm64: ["arm"] };
const supported = ["amd64", "arm64"];

export const architecture: Rule = {
  id: "architecture",
  title: "Processor architecture",
  severity: "blocker",
  check({ inventory, target, programs }) {
    const findings: Finding[] = [];
    const runs = [target.architecture, ...(alsoRuns[target.architecture] ?? [])];
    const own = inventory.architecture.name;
    if (own === "") {
      findings.push(
        finding(architecture, "architecture", [], {
          effect: "no program was found that tells the machine's architecture",
          remedy: "check that the address names the root of the machine",
          severity: "warning",
        }),
      );
    } else if (!runs.includes(own)) {
      findings.push(
        finding(architecture, own, inventory.architecture.from, {
          effect: `the programs are ${own}, the target ${target.name} is ${target.architecture}`,
          remedy: `choose a target with ${own}${supported.includes(own) ? "" : "; captures of this architecture are not supported yet"}`,
        }),
      );
    }
    const foreign = programs.filter(
      (program) => program.architecture !== own && !runs.includes(program.architecture),
    );
    for (const program of foreign) {
      findings.push(
        finding(architecture, program.path, [program.because], {
          effect: `this program is ${program.architecture}, the target is ${target.architecture}`,
          remedy: "leave it out, or run it on a matching target",
        }),
      );
    }
    const narrow = programs.filter(
      (program) => program.architecture !== own && runs.includes(program.architecture),
    );
    if (narrow.length > 0 && own !== "") {
      findings.push(
        finding(
          architecture,
          `${narrow[0]?.architecture} programs`,
          narrow.map((program) => program.path),
          {
            effect: "32-bit programs need a target kernel with 32-bit support",
            remedy: "check the target's kernel (CONFIG_IA32_EMULATION, CONFIG_COMPAT)",
            severity: "note",
          },
        ),
      );
    }
    return findings;
  },
};
