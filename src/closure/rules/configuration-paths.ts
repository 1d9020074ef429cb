/**
 * Files and directories that a configuration file names.
 *
 * Why: a server reads its configuration at start and opens what it names when it needs it (an error page, a template
 * directory, a module, a map). Files named there are taken; directories are taken whole when they are the application's own and not
 * huge. What is only named in a comment is reported, not packed.
 */
import type { ByteString, Entry } from "../../formats/entry.ts";
import { isSweepable } from "../policy.ts";
import type { Reason, ReasonKind } from "../reason.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { dirname } from "../tree.ts";

const maxText = 1 << 20;
const maxNames = 1000;

export function configurationPaths(): Rule {
  const scanned = new Set<ByteString>();
  return {
    name: "configuration",
    async reason(scene, entry, reason, emit) {
      if (!isConfiguration(scene, entry, reason) || scanned.has(entry.path)) return;
      scanned.add(entry.path);
      const text = await scene.tree.text(entry.path, maxText);
      if (text === undefined || text.includes("\0")) return;
      const why: Reason = { kind: "configuration", from: entry.path };
      const { active, commented } = findNamedPaths(text, maxNames);
      for (const path of active) await addNamed(scene, path, why, emit);
      for (const path of commented) {
        const { entry: named } = await scene.tree.resolve(path);
        if (named !== undefined && named.kind !== "directory")
          emit.candidate(named.path, why, "named in a comment");
      }
    },
  };
}

/** Tables of the system that name homes, shells and devices of others. */
const notScanned =
  /^\/etc\/(passwd|group|shadow|gshadow|services|protocols|mime\.types|fstab|mtab|shells|login\.defs|hosts|localtime|magic|ld\.so\..*|profile|bash\.bashrc|crontab|environment|updatedb\.conf)-?$|^\/etc\/(ssl|alternatives|ld\.so\.conf\.d|ca-certificates|profile\.d|skel|pam\.d|security|init\.d|cron\.\w+|systemd|udev|apparmor\.d|logcheck|logrotate\.d|X11|terminfo|apt|dpkg)\//;

const ofTheSystem = /^\/(usr\/local\/)?etc\//;
const direct: ReadonlySet<ReasonKind> = new Set(["traced", "rule", "installer", "configuration"]);

/** A text file of the configuration that was used, or that belongs to a package which was. */
export function isConfiguration(scene: Scene, entry: Entry, reason: Reason): boolean {
  if (entry.kind !== "file" || entry.size === 0 || entry.size > maxText) return false;
  const { path } = entry;
  // Named on the command line of a running program, or named in turn by such a file: configuration wherever it lies.
  if (reason.kind === "traced" && reason.detail === "argument") return true;
  if (
    reason.kind === "configuration" &&
    /\.(conf|cnf|cfg|ini)$/.test(path) &&
    !ofTheSystem.test(reason.from ?? "/etc/")
  )
    return true;
  if (!/^\/(usr\/local\/)?etc\//.test(path) && !/^\/opt\/.*\/(conf|etc|config)\//.test(path)) return false;
  if (notScanned.test(path)) return false;
  if (direct.has(reason.kind)) return true;
  return reason.kind === "language" || (reason.kind === "installed" && isUsedDirectly(scene, reason));
}

/** `from` of the reason is the file that brought the package: of itself (used) or of another one (a dependency). */
function isUsedDirectly(scene: Scene, reason: Reason): boolean {
  if (reason.from === undefined || reason.detail === undefined) return true;
  return scene.installed.owner(reason.from).includes(reason.detail);
}

interface NamedPaths {
  active: ByteString[];
  commented: ByteString[];
}

/** Absolute paths in the text, quoted or bare; those of lines that begin as a comment apart. */
function findNamedPaths(text: string, limit: number): NamedPaths {
  const active = new Set<ByteString>();
  const commented = new Set<ByteString>();
  for (const line of text.split("\n")) {
    const into = /^\s*(#|;|\/\/)/.test(line) ? commented : active;
    for (const match of line
      .slice(0, 4096)
      .matchAll(/(["'])(\/[^"']+)\1|(?<![\w.:/$}*-])(\/[^\s"'`,;:=<>(){}[\]|&*?$\\]+)/g)) {
      const path = (match[2] ?? match[3] ?? "").replace(/[.)\]]+$/, "").replace(/(.)\/+$/, "$1");
      if (path.length < 3 || path.startsWith("//") || path.length > 4096) continue;
      if (active.size + commented.size >= limit) return { active: [...active], commented: [...commented] };
      into.add(path);
    }
  }
  for (const path of active) commented.delete(path);
  return { active: [...active], commented: [...commented] };
}

async function addNamed(scene: Scene, path: ByteString, why: Reason, emit: Emit): Promise<void> {
  const { entry } = await scene.tree.resolve(path);
  if (entry === undefined) return;
  if (entry.kind !== "directory") {
    if (!/^\/(dev|proc|sys|run)\//.test(entry.path)) emit.add(path, why);
    return;
  }
  if (!isSweepable(entry.path) || dirname(entry.path) === "/") {
    emit.add(path, why);
    return;
  }
  emit.tree(path, why, "unless huge");
}
