/**
 * The Essential packages of Debian, where a shell script is part of what was used.
 *
 * Why: Debian forbids packages to declare a dependency on Essential packages, because every script may take their commands for
 * granted (sed, grep, find, tar, getent). So where a shell or a script of it was used no Depends field names the commands
 * that an untouched branch calls. A program that never meets a shell does not get them.
 */
import type { ByteString } from "../../formats/entry.ts";
import { isDocumentation } from "../policy.ts";
import type { Reason } from "../reason.ts";
import type { Rule } from "../rule.ts";
import { isUse } from "../rule.ts";
import { basename } from "../tree.ts";
import type { RuleState } from "./index.ts";
import { leftOutAsDependency } from "./package-table.ts";

export function essentialPackages(state: RuleState): Rule {
  let shell: ByteString | undefined;
  let packed = false;
  return {
    name: "essential",
    async reason(_scene, entry, reason) {
      if (entry.kind !== "file" || !/^(ba|da|k|z|mk)?sh$/.test(basename(entry.path))) return;
      if (isUse(reason) && (shell === undefined || entry.path < shell)) shell = entry.path;
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
        state.packages.add(one.name);
        for (const path of scene.installed.filesOf(one.name)) {
          if (isDocumentation(path)) emit.candidate(path, reason, "documentation");
          else emit.add(path, reason);
        }
      }
    },
  };
}
