/**
 * Application directories that no package manager of the system owns.
 *
 * Why: what was unpacked below /opt, /srv or /usr/local/NAME, a virtual environment, a node_modules or a composer vendor directory
 * belongs together like an installed package; the trace shows only the modules that were imported.
 */
import type { ByteString, Entry } from "../../formats/entry.ts";
import { isSweepable } from "../policy.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { dirname } from "../tree.ts";

export function applicationTrees(): Rule {
  return {
    name: "applications",
    async reason(scene, entry, reason, emit) {
      if (entry.kind === "symlink" && reason.kind === "link") await environmentStarted(scene, entry, emit);
      if (
        reason.kind !== "traced" &&
        reason.kind !== "rule" &&
        reason.kind !== "installer" &&
        reason.kind !== "needed" &&
        reason.kind !== "interpreter"
      )
        return;
      if (entry.kind !== "file" && entry.kind !== "symlink") return;
      const { path } = entry;
      if (scene.installed.owner(path).length === 0) await modulesAbove(scene, path, emit);
      if (scene.installed.owner(path).length > 0) return;
      const modules = (await environmentOf(scene, path)) ?? modulesOf(path);
      if (modules !== undefined && isSweepable(modules))
        emit.tree(modules, { kind: "language", from: path, detail: `modules ${modules}` });
      const home = modules === undefined ? homeOf(path) : undefined;
      if (home !== undefined && isSweepable(home))
        emit.tree(home, { kind: "listed", from: path, detail: `application ${home}` });
    },
  };
}

/** Node looks for a module in a node_modules beside its script and in each directory above (modules.html, "Loading from node_modules folders"). */
async function modulesAbove(scene: Scene, path: ByteString, emit: Emit): Promise<void> {
  if (!/\.[cm]?js$/.test(path) || /^\/usr\/(?!local\/)|\/node_modules\//.test(path)) return;
  for (let at = path.lastIndexOf("/"); at >= 0; at = path.lastIndexOf("/", at - 1)) {
    const modules = `${path.slice(0, at)}/node_modules`;
    const { entry } = await scene.tree.resolve(modules);
    if (entry?.kind === "directory")
      emit.tree(modules, { kind: "language", from: path, detail: `modules of ${path.slice(0, at) || "/"}` });
    if (at === 0) return;
  }
}

const shared = new Set([
  "bin",
  "sbin",
  "lib",
  "lib64",
  "share",
  "etc",
  "include",
  "man",
  "src",
  "games",
  "libexec",
  "var",
]);

/** Directories in which interpreters look for modules, outside of the system's own: also of one user (pip --user, gem --user-install, local::lib). */
const moduleDirectories = [
  /^(.*?\/node_modules)\//,
  /^(.*?\/vendor)\/(?:autoload\.php|composer\/)/,
  /^(.*?\/lib(?:64)?\/python[\d.]+\/(?:site|dist)-packages)\//,
  /^(.*?\/(?:\.gem\/ruby|\.local\/share\/gem\/ruby|lib\/ruby\/gems)\/[\d.]+)\//,
  /^(.*?\/perl5\/lib\/perl5)\//,
];

function modulesOf(path: ByteString): ByteString | undefined {
  for (const pattern of moduleDirectories) {
    const directory = pattern.exec(path)?.[1];
    if (directory !== undefined) return directory;
  }
  return undefined;
}

function homeOf(path: ByteString): ByteString | undefined {
  const match = /^(\/opt\/[^/]+|\/srv\/[^/]+|\/usr\/local\/([^/]+))\/./.exec(path);
  return match === null || (match[2] !== undefined && shared.has(match[2])) ? undefined : match[1];
}

/** The python of a virtual environment is a link to the system's: who starts it by that name means the environment. */
async function environmentStarted(scene: Scene, link: Entry, emit: Emit): Promise<void> {
  if (!/\/bin\/(python|pypy)[\d.]*$/.test(link.path)) return;
  const home = await environmentOf(scene, link.path);
  if (home !== undefined && isSweepable(home))
    emit.tree(home, { kind: "language", from: link.path, detail: `modules ${home}` });
}

/** The virtual environment that a file of site-packages or bin is in. */
async function environmentOf(scene: Scene, path: ByteString): Promise<ByteString | undefined> {
  const inside = /^(.*?)\/(?:lib|lib64)\/python[\d.]+\/site-packages\//.exec(path)?.[1];
  const home = inside ?? (/\/bin\/[^/]+$/.test(path) ? dirname(dirname(path)) : undefined);
  if (home === undefined || home === "/" || home === "/usr" || home === "/usr/local") return undefined;
  const { entry } = await scene.tree.resolve(`${home}/pyvenv.cfg`);
  return entry === undefined ? undefined : home;
}
