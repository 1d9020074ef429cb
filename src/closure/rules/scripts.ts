/**
 * Scripts: the interpreter of the "#!" line and, for `env NAME`, the program found by PATH.
 *
 * Why: the kernel starts the interpreter by itself, so a script that joins without having run would lack it. The
 * interpreter may be a script as well; it joins as a path and is looked at in its turn.
 */
import { parseShebang } from "../../formats/shebang.ts";
import type { Reason } from "../reason.ts";
import type { Rule } from "../rule.ts";
import { isUse, unusedScript } from "../rule.ts";

export function scripts(): Rule {
  return {
    name: "scripts",
    async reason(scene, entry, reason, emit) {
      if (entry.kind !== "file" || entry.size < 4) return;
      if ((entry.mode & 0o111) === 0 && !isUse(reason)) return;
      const shebang = parseShebang(await scene.head(entry));
      if (shebang === undefined) return;
      const used = isUse(reason);
      if (!used && scene.included.get(entry.path)?.reasons.some(isUse) === true) return; // was followed as used
      const why: Reason = {
        kind: "interpreter",
        from: entry.path,
        ...(used ? {} : { detail: unusedScript }),
      };
      const { entry: found } = await scene.tree.resolve(shebang.interpreter);
      // Scripts that were only swept in often name interpreters of their maker's machine.
      const miss = (name: string): void =>
        reason.kind === "installed" || used
          ? emit.missing(name, why)
          : emit.candidate(name, why, "interpreter of an unused script, not on the machine");
      if (found === undefined) miss(shebang.interpreter);
      else emit.add(shebang.interpreter, why);
      if (shebang.envProgram === undefined) return;
      for (const directory of scene.path) {
        const path = `${directory}/${shebang.envProgram}`;
        const program = (await scene.tree.resolve(path)).entry;
        if (program?.kind !== "file" || (program.mode & 0o111) === 0) continue;
        emit.add(path, why);
        return;
      }
      miss(shebang.envProgram);
    },
  };
}
