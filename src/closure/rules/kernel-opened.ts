/**
 * What a watched run used without the program's doing: the loader of a program, the interpreter of a script, the tables of
 * users in which init looks up who runs a service, and the directories on which file systems are mounted.
 *
 * Why: these are used by the kernel, our own init and the runtime, so no trace shows them. Without them not even the very run
 * that was watched could be repeated. This is the one rule of a capture without closure.
 */
import type { Rule } from "../rule.ts";
import { mayBeElf } from "./elf-closure.ts";
import { scripts } from "./scripts.ts";

export function kernelOpened(): Rule {
  const script = scripts();
  return {
    name: "opened by the kernel",
    async start(_scene, emit) {
      for (const path of ["/etc/passwd", "/etc/group"]) emit.add(path, { kind: "base", detail: "users" });
      for (const path of ["/proc", "/sys", "/dev", "/run", "/tmp"])
        emit.add(path, { kind: "base", detail: "directories" });
    },
    async reason(scene, entry, reason, emit) {
      await script.reason?.(scene, entry, reason, emit);
      if (!(await mayBeElf(scene, entry))) return;
      const loader = (await scene.elves.info(entry.path))?.interpreter;
      if (loader !== undefined && loader !== "")
        emit.add(loader, { kind: "interpreter", from: entry.path, detail: loader });
    },
  };
}
