/**
 * The directories of programs that no package manager brought.
 *
 * Why: an application of one's own lies in /home/deploy/shop, /var/www/shop or /usr/local/lib/shop and puts the names of its pages, modules
 * and templates together as it runs; a trace shows those of one run. So a used script or program brings the directory that it is in: the
 * highest one above it that holds a mark of a project (package.json, composer.json, ...), else its own, or the one above where its own is
 * only a part (bin, src). Whoever's directories are shared (a home, /var/www) stays where he is.
 */
import type { ByteString, Entry } from "../../formats/entry.ts";
import { isSweepable } from "../policy.ts";
import type { Reason } from "../reason.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { basename, dirname } from "../tree.ts";

export function programHomes(): Rule {
  const homes = new Map<ByteString, Promise<ByteString | undefined>>();
  const taken = new Set<ByteString>();
  return {
    name: "program homes",
    async reason(scene, entry, reason, emit) {
      if (entry.kind !== "file" || !isStarted(reason)) return;
      if (scene.installed.owner(entry.path).length > 0) return;
      for (const path of localDirectories(entry.path)) {
        if (taken.has(path)) continue;
        taken.add(path);
        if ((await scene.tree.resolve(path)).entry?.kind === "directory")
          await takeHome(scene, path, entry.path, emit);
      }
      if (!isProgram(entry, reason)) return;
      const own = dirname(entry.path);
      const home = await known(homes, own, () => homeOf(scene, own));
      if (home === undefined || taken.has(home)) return;
      taken.add(home);
      await takeHome(scene, home, entry.path, emit);
    },
  };
}

/** Who asks for one file by --include gets that one; a look at a name or its attributes uses nothing. */
function isStarted({ kind, detail = "" }: Reason): boolean {
  if (kind === "rule") return !detail.startsWith("--include");
  return kind === "traced" && !/^(stat|access|readlink|xattr|metadata)$/.test(detail);
}

const program = /\.(py|pyc|rb|ru|p[lm]|psgi|f?cgi|wsgi|php\d?|phtml|[cm]?[jt]s|jar|war|sh|tcl|lua)$/;
const ofTheSystem =
  /^\/(usr|lib|lib32|lib64|libx32|bin|sbin|etc|boot|proc|sys|dev|run|tmp|var\/(tmp|cache|log|run|lock|lib\/(dpkg|apt|rpm)))(\/|$)/;

/** What a home has in dot directories is of tools; node_modules are taken by themselves. */
function isProgram(entry: Entry, reason: Reason): boolean {
  const { path } = entry;
  if (ofTheSystem.test(path) || /\/(\.|node_modules\/|site-packages\/)/.test(path)) return false;
  return program.test(path) || ((entry.mode & 0o111) !== 0 && reason.detail === "exec");
}

async function known(
  homes: Map<ByteString, Promise<ByteString | undefined>>,
  directory: ByteString,
  find: () => Promise<ByteString | undefined>,
): Promise<ByteString | undefined> {
  const home = homes.get(directory) ?? find();
  homes.set(directory, home);
  return await home;
}

const marks = [
  "package.json", "composer.json", "Gemfile", "config.ru", "manage.py", "setup.py", "pyproject.toml", "requirements.txt", "Pipfile",
  "Makefile.PL", "cpanfile", "Procfile", "WEB-INF", ".git", ".svn",
]; // biome-ignore format: a table
const partOfOne = /^(s?bin|src|lib|libexec|public|htdocs|web|scripts?|cgi-bin)$/;
const shared = /^\/(var\/(www|lib|opt|spool)|srv\/(www|http|ftp)|data|mnt|media)$/;
const maxLevels = 8;

/** Whether all of it may be one application's. */
function mayBeHome(directory: ByteString): boolean {
  if (/^\/root\/./.test(directory)) return true;
  return isSweepable(directory) && !shared.test(directory);
}

async function homeOf(scene: Scene, own: ByteString): Promise<ByteString | undefined> {
  if (!mayBeHome(own)) return undefined;
  let home: ByteString | undefined;
  let at = own;
  for (let level = 0; level < maxLevels && mayBeHome(at); level++, at = dirname(at)) {
    const names = new Set(((await scene.tree.list(at)) ?? []).map((one) => basename(one.path)));
    if (marks.some((mark) => names.has(mark))) home = at;
  }
  if (home !== undefined) return home;
  const above = dirname(own);
  return partOfOne.test(basename(own)) && mayBeHome(above) ? above : own;
}

const localParts = ["lib", "lib64", "libexec", "share", "etc", "var"];
const ofEverybody =
  /^(python[\d.]*|perl5?|ruby|site_perl|gems|rubygems|node_modules|nodejs|php\d*|pear|R|tcl[\d.]*|lua|jni|man|doc|info|locale|i18n|fonts|icons|pixmaps|applications|mime|pkgconfig|cmake|aclocal|include|terminfo|zoneinfo|ca-certificates|zsh|fish|bash-completion|emacs|games|glibc-hwcaps|haswell|tls|x86_64-linux-gnu|.*\.so.*)$/;

/** /usr/local/lib/shop, /usr/local/share/shop, ... of a used /usr/local/bin/shop or of a file in one of them. */
function localDirectories(path: ByteString): ByteString[] {
  const name =
    /^\/usr\/local\/(?:lib|lib64|libexec|share|etc|var)\/([^/]+)\/./.exec(path)?.[1] ??
    /^\/usr\/local\/s?bin\/([^/]+)$/.exec(path)?.[1];
  if (name === undefined || ofEverybody.test(name)) return [];
  return localParts.map((part) => `/usr/local/${part}/${name}`);
}

const leftEmpty = /^(logs?|tmp)$/;
const ofDevelopers = /^\.(git|svn|hg|bzr|idea|vscode|cache)$/;

/** Directory by directory, so that a huge one does not keep the others out. */
async function takeHome(scene: Scene, home: ByteString, from: ByteString, emit: Emit): Promise<void> {
  const { entry } = await scene.tree.resolve(home);
  if (entry?.kind !== "directory") return;
  const why: Reason = { kind: "listed", from, detail: `application ${entry.path}` };
  emit.add(home, why);
  for (const child of (await scene.tree.list(entry.path)) ?? []) {
    const name = basename(child.path);
    if (ofDevelopers.test(name)) emit.candidate(child.path, why, "of those who develop it");
    else if (child.kind === "directory" && !leftEmpty.test(name)) emit.tree(child.path, why, "unless huge");
    else emit.add(child.path, why);
  }
}
