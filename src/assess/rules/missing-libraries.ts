// Libraries that programs need and that the machine itself does not have: they do not start there either.
import { basename, type Tree } from "../../closure/tree.ts";
import type { ByteString } from "../../formats/entry.ts";
import type { Finding } from "../assessment.ts";
import { finding, type Rule } from "../rule.ts";

const maxChecked = 1000;

export const missingLibraries: Rule = {
  id: "missing-libraries",
  title: "Libraries missing on the source",
  severity: "warning",
  async check({ programs, loader, tree }) {
    const findings: Finding[] = [];
    for (const program of programs.filter(({ elf }) => elf.needed.length > 0).slice(0, maxChecked)) {
      const mapped = await loaderName(tree, program.elf.interpreter);
      const missing = (await loader.load(program.path, program.elf)).missing.filter(
        ({ name }) => name !== mapped,
      );
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

/** The C library needs the loader by its name; no directory is searched for it, since the kernel has mapped it before. */
async function loaderName(tree: Tree, interpreter: ByteString | undefined): Promise<ByteString | undefined> {
  if (interpreter === undefined) return undefined;
  const { entry } = await tree.resolve(interpreter);
  return entry?.kind === "file" ? basename(interpreter) : undefined;
}
