/**
 * What lies in a directory that one installed package alone owns, and belongs to no package.
 *
 * Why: plug-ins and site files are put where a program looks for them (modules, themes, conf.d, sites-enabled), and caches are
 * generated there when a package is installed or triggered (gconv-modules.cache, compiled Python). No list of files names them, and
 * without a run no trace does. Directories that several packages share are left to the other rules.
 */
import type { ByteString } from "../../formats/entry.ts";
import { isDocumentation, isSweepable } from "../policy.ts";
import type { Reason } from "../reason.ts";
import type { Rule } from "../rule.ts";
import type { RuleState } from "./index.ts";

const looked = /^\/(usr|etc|opt|srv)\//;
/** Owned by one package, and filled by all. */
const shared =
  /^\/usr\/local(\/|$)|^\/usr\/share\/(locale|i18n|zoneinfo|icons|mime|applications|pixmaps|fonts|terminfo)(\/|$)|^\/usr\/(src|include)(\/|$)|^\/etc\/(default|skel|profile\.d|cron\.\w+|logrotate\.d|init\.d|systemd|udev|modprobe\.d|modules-load\.d|sysctl\.d|kernel|apt|dpkg|network|sudoers\.d|update-motd\.d|ssl\/private)(\/|$)/;

export function unownedFiles(state: RuleState): Rule {
  return {
    name: "unowned",
    async reason(scene, entry, reason, emit) {
      if (entry.kind !== "directory" || reason.kind !== "installed" || !mayHold(entry.path)) return;
      const owners = scene.installed.owner(entry.path);
      if (owners.length !== 1 || !state.packages.has(owners[0] ?? "")) return;
      const why: Reason = {
        kind: "listed",
        from: entry.path,
        detail: `unowned in a directory of ${owners[0]}`,
      };
      for (const child of (await scene.tree.list(entry.path)) ?? []) {
        if (scene.installed.owner(child.path).length > 0) continue;
        if (child.kind === "directory") emit.tree(child.path, why, "unless huge");
        else emit.add(child.path, why);
      }
    },
  };
}

function mayHold(path: ByteString): boolean {
  return looked.test(path) && !shared.test(path) && isSweepable(path) && !isDocumentation(`${path}/`);
}
