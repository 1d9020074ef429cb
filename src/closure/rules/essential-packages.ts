/**
 * The Essential packages of Debian, where a shell script is part of what was used, or a program that calls one.
 *
 * Why: Debian forbids packages to declare a dependency on Essential packages, because every script may take their commands for
 * granted (sed, grep, find, tar, getent), and those that they depend on in their turn (awk). So where a shell or a script of it was used no Depends field names the commands
 * that an untouched branch calls. A program that imports system() or popen() meets a shell as soon as somebody configures or asks
 * for a command (PostgreSQL's COPY ... TO PROGRAM, its archive_command). One that never does gets none of them.
 */
import type { ByteString, Entry } from "../../formats/entry.ts";
import type { Reason } from "../reason.ts";
import type { Rule, Scene } from "../rule.ts";
import { isUse } from "../rule.ts";
import { basename } from "../tree.ts";
import { mayBeElf } from "./elf-closure.ts";
import type { RuleState } from "./index.ts";
import { Packer } from "./installed-packages.ts";
import { leftOutAsDependency } from "./package-table.ts";

export function essentialPackages(state: RuleState): Rule {
  let shell: ByteString | undefined;
  let packed = false;
  const packer = new Packer(state);
  return {
    name: "essential",
    async reason(scene, entry, reason) {
      if (entry.kind !== "file" || !isUse(reason) || (shell !== undefined && shell <= entry.path)) return;
      if (!/^(ba|da|k|z|mk)?sh$/.test(basename(entry.path)) && !(await callsShell(scene, entry))) return;
      if (shell === undefined || entry.path < shell) shell = entry.path;
    },
    async settle(scene, emit) {
      if (shell === undefined || packed) return;
      packed = true;
      for (const one of scene.installed.all()) {
        if (!one.essential) continue;
        const reason: Reason = { kind: "installed", from: shell, detail: one.name };
        const because = leftOutAsDependency(one.name, one);
        if (because !== undefined) {
          emit.candidate(`package:${one.name}`, reason, because);
          continue;
        }
        packer.touch(scene, { name: one.name, from: shell, direct: false }, emit);
      }
    },
  };
}

async function callsShell(scene: Scene, entry: Entry): Promise<boolean> {
  if (!(await mayBeElf(scene, entry))) return false;
  const elf = await scene.elves.info(entry.path);
  return elf !== undefined && (elf.imports.has("system") || elf.imports.has("popen"));
}
