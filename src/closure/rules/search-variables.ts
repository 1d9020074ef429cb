/**
 * Libraries and trees by the variables that loaders and interpreters search: LD_LIBRARY_PATH, LD_PRELOAD, PYTHONPATH, CLASSPATH and
 * their like, of the programs as they are started and of the scripts that start them.
 *
 * Why: what stands in these variables is looked through at each import and each dlopen; a trace shows what one run found there. The values
 * of scripts are read, not run: branches count as if all of them ran, because on the next start another may.
 */
import type { ByteString, Entry } from "../../formats/entry.ts";
import { readShellAssignments } from "../../formats/shell-assignments.ts";
import { matchPaths } from "../glob.ts";
import { isSweepable } from "../policy.ts";
import type { ProgramStart } from "../program-start.ts";
import type { Reason } from "../reason.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { isUse } from "../rule.ts";
import { basename, join } from "../tree.ts";
import { addNamed } from "./configuration-paths.ts";

type Search = "libraries" | "preload" | "trees" | "classes";

const searched: Readonly<Record<string, Search>> = {
  LD_LIBRARY_PATH: "libraries", LD_PRELOAD: "preload", LD_AUDIT: "preload",
  PYTHONPATH: "trees", PYTHONHOME: "trees", PERL5LIB: "trees", PERLLIB: "trees", RUBYLIB: "trees", GEM_HOME: "trees", GEM_PATH: "trees",
  NODE_PATH: "trees", PHPRC: "trees", PHP_INI_SCAN_DIR: "trees", TCLLIBPATH: "trees", R_LIBS: "trees", ERL_LIBS: "trees",
  CLASSPATH: "classes", JAVA_HOME: "trees", JRE_HOME: "trees", CATALINA_HOME: "trees", CATALINA_BASE: "trees", JBOSS_HOME: "trees",
  OPENSSL_CONF: "trees", OPENSSL_ENGINES: "trees", OPENSSL_MODULES: "trees", SSL_CERT_FILE: "trees", SSL_CERT_DIR: "trees",
  GCONV_PATH: "trees", LOCPATH: "trees", TZDIR: "trees", TERMINFO: "trees", MAGICK_CONFIGURE_PATH: "trees", FONTCONFIG_PATH: "trees",
  ORACLE_HOME: "trees", TNS_ADMIN: "trees",
}; // biome-ignore format: a table

/** Of every program, or of the session that it was started from. */
const notLooked =
  /^(PATH|HOME|PWD|OLDPWD|SHELL|TMPDIR|TEMP|TMP|USER|LOGNAME|MAIL|LANG|LC_\w+|TERM|XDG_RUNTIME_DIR|_)$/;
const maxScript = 256 << 10;
const maxPaths = 500;

export function searchVariables(): Rule {
  const scanned = new Set<ByteString>();
  return {
    name: "search variables",
    async start(scene, emit) {
      for (const start of scene.starts) await addStart(scene, start, emit);
    },
    async reason(scene, entry, reason, emit) {
      if (!isUse(reason) || scanned.has(entry.path) || !(await mayStart(scene, entry))) return;
      scanned.add(entry.path);
      const text = await scene.tree.text(entry.path, maxScript);
      if (text === undefined || text.includes("\0")) return;
      const known = Object.assign({}, ...scene.starts.map((start) => start.variables));
      for (const { name, value } of readShellAssignments(text, entry.path, known)) {
        const search = searched[name];
        if (search === undefined) continue;
        const why: Reason = { kind: "configuration", from: entry.path };
        await addSearch(scene, { search, value, base: "/" }, why, emit);
      }
    },
  };
}

/** A script for the shell, or one that such a script reads for its variables. */
async function mayStart(scene: Scene, entry: Entry): Promise<boolean> {
  if (entry.kind !== "file" || entry.size === 0 || entry.size > maxScript) return false;
  if (/^\/etc\/(default|sysconfig|conf\.d)\/[^/]+$|\/envvars$|\.(sh|env)$/.test(entry.path)) return true;
  const head = Buffer.from(await scene.head(entry)).toString("latin1");
  return /^#!\s*\S*\/(env\s+)?(ba|da|k|z|mk|pdk)?sh\b/.test(head);
}

async function addStart(scene: Scene, start: ProgramStart, emit: Emit): Promise<void> {
  const why: Reason = { kind: "configuration", detail: `program ${start.name}` };
  const base = start.workingDirectory.startsWith("/") ? start.workingDirectory : "/";
  for (const [name, value] of Object.entries(start.variables)) {
    const search = searched[name];
    if (search !== undefined) await addSearch(scene, { search, value, base }, why, emit);
    else if (!notLooked.test(name)) await addValue(scene, value, why, emit);
  }
  const words = wordsOf(start.command);
  const java = words.findIndex((word) => /(^|\/)java$/.test(word));
  for (const [index, word] of words.entries()) {
    if (index === 0) continue;
    const before = words[index - 1] ?? "";
    if (/^(-cp|-classpath|--class-path|-p|--module-path)$/.test(before) && java >= 0 && java < index)
      await addSearch(scene, { search: "classes", value: word, base }, why, emit);
    else if (/^-I./.test(word))
      await addSearch(scene, { search: "trees", value: word.slice(2), base }, why, emit);
    else await addArgument(scene, word, { base, why }, emit);
  }
}

/** A line for the shell is taken as the words in it. */
function wordsOf(command: readonly ByteString[]): ByteString[] {
  return command.flatMap((word, index) =>
    command[index - 1] === "-c" && /\s/.test(word)
      ? word
          .split(/[\s;|&()<>"'`]+/)
          .filter((one) => one !== "")
          .slice(0, maxPaths)
      : [word],
  );
}

/**
 * A path, several with signs between them (/a:/b, /a,/b, -Dfile=/a -Dmore=/b), patterns, a URL of a file. Which of its words the program
 * takes for names nobody knows: what is there comes along.
 */
async function addValue(scene: Scene, value: ByteString, why: Reason, emit: Emit): Promise<void> {
  const whole = value.startsWith("/") ? await scene.tree.resolve(value) : undefined;
  if (whole?.entry !== undefined) return await addNamed(scene, value, why, emit);
  const parts = value
    .slice(0, 65_536)
    .replaceAll("file://", " ")
    .split(/[\s:;,="']+/)
    .slice(0, maxPaths);
  for (const part of parts) {
    if (!/^\/[^/]/.test(part)) continue;
    await addNamed(scene, part, why, emit);
    if (/[*?[]/.test(part))
      for (const path of await matchPaths(scene.tree, part)) await addNamed(scene, path, why, emit);
  }
}

/** A file that an argument names, alone or behind a sign: --config=/etc/x.conf, -javaagent:/opt/a.jar=port. Directories may be anything. */
async function addArgument(
  scene: Scene,
  word: ByteString,
  { base, why }: { base: ByteString; why: Reason },
  emit: Emit,
): Promise<void> {
  const names = /^[\w@][\w.@/+[\]-]*$/.test(word)
    ? [join(base, word)]
    : word.split(/[=:,]/).filter((one) => one.startsWith("/"));
  for (const name of names.slice(0, 20)) {
    // A pattern may be a name as well: pages/[id].js.
    for (const path of [name, ...(/[*?[]/.test(name) ? await matchPaths(scene.tree, name) : [])]) {
      const { entry } = await scene.tree.resolve(path);
      if (entry?.kind === "file") await addNamed(scene, path, why, emit);
    }
  }
}

async function addSearch(
  scene: Scene,
  { search, value, base }: { search: Search; value: ByteString; base: ByteString },
  why: Reason,
  emit: Emit,
): Promise<void> {
  const parts = value
    .split(search === "preload" ? /[\s:]+/ : search === "libraries" ? /[:;]/ : ":")
    .slice(0, maxPaths);
  // What is not known in a part ends it; an empty part is the working directory, which the program has anyway.
  const known = parts.filter((part) => part !== "" && !part.includes("\0"));
  const absolute = known.map((part) =>
    part.startsWith("/") || (search === "preload" && !part.includes("/")) ? part : join(base, part),
  );
  if (search === "preload") await addPreloaded(scene, absolute, why, emit);
  else if (search === "libraries") await addLibraries(scene, absolute, why, emit);
  else for (const path of absolute) await addTree(scene, path, { search, why }, emit);
}

async function addPreloaded(
  scene: Scene,
  names: readonly ByteString[],
  why: Reason,
  emit: Emit,
): Promise<void> {
  for (const name of names) {
    if (name.includes("/")) {
      // $LIB and $PLATFORM: the loader chooses, so whatever fits.
      const pattern = name.replace(/\$(?:\{(?:LIB|PLATFORM)\}|(?:LIB|PLATFORM))/g, "*");
      for (const path of await matchPaths(scene.tree, pattern)) emit.add(path, why);
      continue;
    }
    for (const program of ["/bin/sh", "/usr/bin/env"]) {
      const { entry } = await scene.tree.resolve(program);
      const elf = entry?.kind === "file" ? await scene.elves.info(entry.path) : undefined;
      const library = elf === undefined ? undefined : await scene.loader.find(name, program, elf);
      if (library === undefined) continue;
      emit.add(library.path, why);
      break;
    }
  }
}

/** The loader looks there for every library from now on; a directory of the application's own is taken as it is, for dlopen. */
async function addLibraries(
  scene: Scene,
  paths: readonly ByteString[],
  why: Reason,
  emit: Emit,
): Promise<void> {
  const directories: ByteString[] = [];
  for (const path of paths) {
    const { entry } = await scene.tree.resolve(path);
    if (entry?.kind !== "directory") continue;
    directories.push(path.replace(/(.)\/+$/, "$1"));
    if (isSweepable(entry.path)) emit.tree(path, why, "unless huge");
    else emit.add(path, why);
  }
  if (directories.length > 0) scene.loader.addLibraryPath(directories);
}

async function addTree(
  scene: Scene,
  path: ByteString,
  { search, why }: { search: Search; why: Reason },
  emit: Emit,
): Promise<void> {
  if (search === "classes" && basename(path) === "*") {
    for (const jar of await matchPaths(scene.tree, path)) if (/\.jar$/i.test(jar)) emit.add(jar, why);
    return;
  }
  await addNamed(scene, path, why, emit);
}
