/**
 * Files and directories that a configuration file names.
 *
 * Why: a server reads its configuration at start and opens what it names when it needs it (an error page, a template
 * directory, a module, a map). Files named there are taken, also by a pattern and by a name relative to the server's directory;
 * directories are taken whole when they are the application's own and not huge. What is only named in a comment is
 * reported, not packed.
 */
import { findConfigurationNames } from "../../formats/configuration-text.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { maxConfiguration, type Surroundings } from "../configuration.ts";
import { matchPaths } from "../glob.ts";
import { isSweepable } from "../policy.ts";
import type { Reason, ReasonKind } from "../reason.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { dirname, join } from "../tree.ts";

const maxNames = 1000;
/** A file that many include is looked at for the first of them only. */
const maxLooks = 4;

export function configurationPaths(): Rule {
  const looks = new Map<ByteString, number>();
  const look = async (scene: Scene, entry: Entry, emit: Emit): Promise<void> => {
    const count = looks.get(entry.path) ?? 0;
    if (count >= maxLooks) return;
    looks.set(entry.path, count + 1);
    const file = await scene.configurations.read(entry);
    if (file === undefined) return;
    const why: Reason = { kind: "configuration", from: entry.path };
    const names = findConfigurationNames(file.text, maxNames);
    for (const path of names.active) await addNamed(scene, path, why, emit);
    for (const root of file.surroundings.roots)
      for (const path of names.active)
        if (!path.startsWith(`${root}/`)) await addNamed(scene, root + path, why, emit);
    for (const name of names.relative) await addRelative(scene, name, file.surroundings, { why, emit });
    for (const path of names.commented) {
      const { entry: named } = await scene.tree.resolve(path);
      if (named !== undefined && named.kind !== "directory")
        emit.candidate(named.path, why, "named in a comment");
    }
    for (const path of await included(scene, names.includes, file.surroundings)) {
      emit.add(path, why);
      const { entry: child } = await scene.tree.resolve(path);
      const again = child !== undefined && scene.configurations.hand(child.path, file.surroundings);
      // It may have been looked at before its includer was, with less known.
      if (again && looks.has(child.path)) await look(scene, child, emit);
    }
  };
  return {
    name: "configuration",
    async reason(scene, entry, reason, emit) {
      if (isConfiguration(scene, entry, reason) && !looks.has(entry.path)) await look(scene, entry, emit);
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
  if (entry.kind !== "file" || entry.size === 0 || entry.size > maxConfiguration) return false;
  const { path } = entry;
  // Named on the command line of a running program, or named in turn by such a file: configuration wherever it lies.
  if (reason.kind === "traced" && reason.detail === "argument") return true;
  if (
    reason.kind === "configuration" &&
    /\.(conf|cnf|cfg|ini)$/.test(path) &&
    !ofTheSystem.test(reason.from ?? "")
  )
    return true;
  if (!/^\/(usr\/local\/)?etc\//.test(path) && !/^\/opt\/.*\/(conf|etc|config)\//.test(path)) return false;
  if (notScanned.test(path)) return false;
  if (direct.has(reason.kind)) return true;
  if (reason.kind === "listed") return reason.detail?.startsWith("application ") === true;
  return reason.kind === "language" || (reason.kind === "installed" && isUsedDirectly(scene, reason));
}

/** `from` of the reason is the file that brought the package: of itself (used) or of another one (a dependency). */
function isUsedDirectly(scene: Scene, reason: Reason): boolean {
  if (reason.from === undefined || reason.detail === undefined) return true;
  return scene.installed.owner(reason.from).includes(reason.detail);
}

/** A file, or a directory of the application's own, whole unless it is huge. */
export async function addNamed(scene: Scene, path: ByteString, why: Reason, emit: Emit): Promise<void> {
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

/** Of a relative name only a file counts: directories by that name are too often something else. */
async function addRelative(
  scene: Scene,
  name: ByteString,
  { bases }: Surroundings,
  to: { why: Reason; emit: Emit },
): Promise<void> {
  for (const base of bases) {
    const path = join(base, name);
    if ((await scene.tree.resolve(path)).entry?.kind !== "file") continue;
    to.emit.add(path, to.why);
    return;
  }
}

/** Files that include directives name: by pattern, by a directory's name, by a name relative to the first base that has it. */
async function included(
  scene: Scene,
  patterns: readonly ByteString[],
  { bases, roots }: Surroundings,
): Promise<ByteString[]> {
  const found = new Set<ByteString>();
  for (const pattern of patterns) {
    const places = pattern.startsWith("/")
      ? [pattern, ...roots.map((root) => root + pattern)]
      : bases.map((base) => join(base, pattern));
    for (const place of places) {
      const paths = await filesAt(scene, place);
      for (const path of paths) if (found.size < maxNames) found.add(path);
      if (paths.length > 0) break;
    }
  }
  return [...found];
}

async function filesAt(scene: Scene, pattern: ByteString): Promise<ByteString[]> {
  const files: ByteString[] = [];
  for (const path of await matchPaths(scene.tree, pattern)) {
    const { entry } = await scene.tree.resolve(path);
    if (entry?.kind === "file") files.push(path);
    else if (entry?.kind === "directory")
      for (const one of (await scene.tree.list(entry.path)) ?? [])
        if (one.kind === "file" || one.kind === "symlink") files.push(one.path);
  }
  return files;
}
