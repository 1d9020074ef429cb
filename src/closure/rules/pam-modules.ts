/**
 * Modules and configuration of PAM, where libpam is used.
 *
 * Why: libpam loads what /etc/pam.d names for the service that logs in; neither is a NEEDED entry, and a trace shows one
 * service's only. All modules of its own directory are taken (about 1 MB); the packages that brought them are not.
 */
import type { Rule } from "../rule.ts";
import { isUse } from "../rule.ts";
import { basename, dirname } from "../tree.ts";

export function pamModules(): Rule {
  return {
    name: "pam",
    async reason(_scene, entry, reason, emit) {
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
