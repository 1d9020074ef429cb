/**
 * Modules and configuration of PAM, where libpam is used.
 *
 * Why: libpam loads what /etc/pam.d names for the service that logs in; neither is a NEEDED entry, and a trace shows one
 * service's only. All modules of its own directory are taken (about 1 MB); the packages that brought them are not.
 * Where passwords are checked by pam_unix, the file with their hashes is named: it is a secret, so it is listed, not packed.
 */
import type { Rule } from "../rule.ts";
import { isUse } from "../rule.ts";
import { basename, dirname } from "../tree.ts";

const checksPasswords = /^\s*-?auth\s.*\bpam_(unix|pwdb)\.so/m;

export function pamModules(): Rule {
  return {
    name: "pam",
    async reason(scene, entry, reason, emit) {
      if (entry.kind === "file" && entry.path.startsWith("/etc/pam.d/")) {
        if (checksPasswords.test((await scene.tree.text(entry.path)) ?? ""))
          emit.add("/etc/shadow", { kind: "configuration", from: entry.path });
        return;
      }
      if (entry.kind !== "file" || !isUse(reason) || !/^libpam\.so\.0/.test(basename(entry.path))) return;
      const why = { kind: "base", from: entry.path, detail: "PAM" } as const;
      const directory = dirname(entry.path);
      const usr = directory.startsWith("/usr") ? directory : `/usr${directory}`;
      for (const path of new Set([`${directory}/security`, `${usr}/security`])) emit.tree(path, why);
      for (const path of ["/etc/pam.d", "/etc/security"]) emit.tree(path, why);
      emit.add("/etc/pam.conf", why);
    },
  };
}
