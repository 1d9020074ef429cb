/**
 * Modules and configuration of PAM, where libpam is used.
 *
 * Why: libpam loads what /etc/pam.d names for the service that logs in; neither is a NEEDED entry, and a trace shows one
 * service's only. All modules of its own directory are taken (about 1 MB); the packages that brought them are not.
 * Where a used program lets users in by pam_unix, the file with their hashes is named: a secret, so it is listed, not packed.
 */
import type { ByteString } from "../../formats/entry.ts";
import { isUse, type Rule, type Scene } from "../rule.ts";
import { basename, dirname } from "../tree.ts";

export function pamModules(): Rule {
  return {
    name: "pam",
    async reason(scene, entry, reason, emit) {
      if (entry.kind === "file" && (entry.mode & 0o111) !== 0 && isUse(reason)) {
        const service = `/etc/pam.d/${basename(entry.path)}`;
        if (await checksPasswords(scene, service))
          emit.add("/etc/shadow", { kind: "configuration", from: service });
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

/** Whether the service, or a file that it includes, has pam_unix check passwords. */
async function checksPasswords(scene: Scene, service: ByteString): Promise<boolean> {
  const text = await scene.tree.text(service);
  if (text === undefined) return false;
  const included = [...text.matchAll(/^\s*(?:@include|-?auth\s+(?:include|substack))\s+([\w.-]+)/gm)];
  const texts = await Promise.all(included.map((match) => scene.tree.text(`/etc/pam.d/${match[1]}`)));
  return [text, ...texts].some((one) => /^\s*-?auth\s.*\bpam_(unix|pwdb)\.so/m.test(one ?? ""));
}
