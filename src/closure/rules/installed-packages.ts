/**
 * The whole of an installed package of which a file is used, and of what it depends on.
 *
 * Why: a package is the smallest unit that its maker tested: pages, extensions, message catalogues and helpers that the
 * trace did not touch are in it. Depends are followed because they were declared to be needed at run time; those
 * that only serve installation, boot or administration stay out, each for the reason in the table (package-table.ts).
 * The decision and its figures: docs/decisions/0010-closure-by-owning-packages.md.
 */
import type { ByteString } from "../../formats/entry.ts";
import { isDocumentation, isSweepable } from "../policy.ts";
import type { Reason, ReasonKind } from "../reason.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { isUse } from "../rule.ts";
import { dirname } from "../tree.ts";
import type { RuleState } from "./index.ts";
import { leftOutAsDependency, onlyTouchedFiles } from "./package-table.ts";

/** Use by name: the configuration of these packages is looked at as if it had been opened. */
const directKinds: ReadonlySet<ReasonKind> = new Set([
  "traced",
  "rule",
  "installer",
  "loaded",
  "configuration",
]);

export function installedPackages(state: RuleState): Rule {
  const packer = new Packer(state);
  return {
    name: "installed",
    async reason(scene, entry, reason, emit) {
      // An interpreter never comes without its package, not even that of an unused script.
      const counts = isUse(reason) || reason.kind === "installed" || reason.kind === "interpreter";
      if (entry.kind === "directory" || !counts) return;
      // A symbolic link of the package database is used by whoever named it; only real files speak for their owner.
      if (reason.kind === "installed" && reason.detail !== undefined && state.packages.has(reason.detail))
        return;
      const owners = scene.installed.owner(entry.path);
      if (owners.length !== 1) return; // a file of several packages (multi-arch) speaks for none
      const name = owners[0] ?? "";
      packer.touch(scene, { name, from: entry.path, direct: directKinds.has(reason.kind) }, emit);
    },
  };
}

export interface Touch {
  name: string;
  from: ByteString;
  direct: boolean;
}

/** Takes installed packages whole, with what they depend on, each once in an expansion. */
export class Packer {
  readonly #state: RuleState;
  readonly #refused = new Set<string>();

  constructor(state: RuleState) {
    this.#state = state;
  }

  touch(scene: Scene, touch: Touch, emit: Emit): void {
    if (onlyTouchedFiles(touch.name) !== undefined) return;
    const queue: Touch[] = [touch];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (this.#state.packages.has(next.name)) continue;
      this.#state.packages.add(next.name);
      this.#pack(scene, next, emit);
      for (const name of scene.installed.depends(next.name)) {
        const because = leftOutAsDependency(name, scene.installed.get(name));
        if (because === undefined) queue.push({ name, from: next.from, direct: false });
        else this.#refuse(name, next, because, emit);
      }
    }
  }

  #refuse(name: string, by: Touch, because: string, emit: Emit): void {
    if (this.#refused.has(name)) return;
    this.#refused.add(name);
    const reason: Reason = { kind: "installed", from: by.from, detail: name };
    emit.candidate(`package:${name}`, reason, because);
  }

  #pack(scene: Scene, touch: Touch, emit: Emit): void {
    const reason: Reason = { kind: "installed", from: touch.from, detail: touch.name };
    const paths = scene.installed.filesOf(touch.name);
    for (const path of paths) {
      if (isDocumentation(path)) emit.candidate(path, reason, "documentation");
      else emit.add(path, reason);
    }
    for (const path of ownDirectories(paths)) emit.tree(path, reason, "unless huge");
    this.#alternatives(scene, touch, { emit, reason, paths: new Set(paths) });
  }

  /** Names that update-alternatives gave to files of the package, such as /usr/bin/java. */
  #alternatives(
    scene: Scene,
    _touch: Touch,
    own: { emit: Emit; reason: Reason; paths: ReadonlySet<ByteString> },
  ): void {
    for (const alternative of scene.installed.alternatives()) {
      if (!alternative.choices.some((choice) => own.paths.has(choice.paths[0] ?? ""))) continue;
      for (const { name, link } of alternative.links) {
        if (isDocumentation(link)) continue;
        own.emit.add(link, own.reason);
        own.emit.add(`/etc/alternatives/${name}`, own.reason);
      }
    }
  }
}

/**
 * Directories below /etc and /var/lib that the package brought: what its maintainer scripts, ucf and the administrator put
 * there (sites-enabled, conf.d links, state) is in no list. Shared directories are left out.
 */
export function ownDirectories(paths: readonly ByteString[]): ByteString[] {
  return paths.filter((path) => {
    const parent = dirname(path);
    return (parent === "/etc" || parent === "/var/lib") && isSweepable(path) && !shared.has(path);
  });
}

const shared: ReadonlySet<ByteString> = new Set([
  "/etc/default", "/etc/logrotate.d", "/etc/pam.d", "/etc/security", "/etc/profile.d", "/etc/apparmor.d", "/etc/apparmor", "/etc/skel",
  "/etc/init", "/etc/init.d", "/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly", "/etc/cron.monthly", "/etc/cron.weekly", "/etc/dpkg",
  "/etc/apt", "/etc/kernel", "/etc/udev", "/etc/modprobe.d", "/etc/modules-load.d", "/etc/sysctl.d", "/etc/bash_completion.d",
  "/etc/ufw", "/etc/insserv", "/etc/insserv.conf.d", "/etc/rsyslog.d", "/etc/tmpfiles.d", "/etc/sudoers.d", "/etc/opt", "/etc/xdg", "/etc/X11",
  "/etc/ssh", "/var/lib/systemd", "/var/lib/ucf", "/var/lib/pam", "/var/lib/misc", "/var/lib/dbus", "/var/lib/initramfs-tools", "/etc/ld.so.conf.d", "/etc/network", "/etc/dhcp", "/etc/update-motd.d", "/etc/selinux", "/etc/systemd", "/etc/emacs", "/etc/binfmt.d",
]); // biome-ignore format: a table
