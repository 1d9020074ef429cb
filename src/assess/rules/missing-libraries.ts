// Libraries that programs need and that the machine itself does not have: they do not start there either.
import type { Finding } from "../assessment.ts";
import { finding, type Rule } from "../rule.ts";

const maxChecked = 1000;

export const missingLibraries: Rule = {
  id: "missing-libraries",
  title: "Libraries missing on the source",
  severity: "warning",
  async check({ programs, loader }) {
    const findings: Finding[] = [];
    for (const program of programs.filter(({ elf }) => elf.needed.length > 0).slice(0, maxChecked)) {
      const { missing } = await loader.load(program.path, program.elf);
      if (missing.length === 0) continue;
      const evidence = missing.map(({ name, from }) =>
        from === program.path ? name : `${name} (for ${from})`,
      );
      findings.push(
        finding(missingLibraries, program.path, [program.because, ...evidence], {
          effect:
            "the loader would not find these libraries on the old machine: LD_LIBRARY_PATH of a start script may, or the program is dead",
          remedy: "see how the program is started; capture it running, which shows the libraries in use",
          severity: program.because.startsWith("a program") ? "note" : "warning",
        }),
      );
    }
    return findings;
  },
};
