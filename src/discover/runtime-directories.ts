// Directories below /run that must be made before a service starts: a machine that does not run has an empty /run.
import type { ByteString } from "../formats/entry.ts";
import { parseTmpfiles, type TmpfilesLine } from "../formats/tmpfiles.ts";
import type { ServiceFact } from "./inventory.ts";
import type { RuntimeDirectory, ServiceRecipe } from "./recipe.ts";
import { baseName, type Source } from "./source.ts";

/** Adds a directory unless it is known; `replace` lets the new owner and mode count. */
export async function addDirectory(
  source: Source,
  recipe: ServiceRecipe,
  directory: RuntimeDirectory,
  replace = false,
): Promise<void> {
  const path = await canonicalRun(source, directory.path);
  const known = recipe.runtimeDirectories.findIndex((each) => each.path === path);
  if (known < 0) recipe.runtimeDirectories.push({ ...directory, path });
  else if (replace) recipe.runtimeDirectories[known] = { ...directory, path };
}

/** /var/run and /var/lock are links to /run on all but old machines. */
async function canonicalRun(source: Source, path: ByteString): Promise<ByteString> {
  const match = /^(\/var\/run|\/var\/lock)(\/.*)$/.exec(path);
  if (match === null) return path;
  const link = await source.stat(match[1] ?? "");
  if (link?.kind !== "symlink") return path;
  return match[1] === "/var/run" ? `/run${match[2]}` : `/run/lock${match[2]}`;
}

/** `install -d`, `mkdir`: the directory that a command makes, where it does nothing else. */
export function directoryOfCommand(argv: readonly ByteString[]): RuntimeDirectory | undefined {
  const program = baseName(argv[0] ?? "");
  if (program !== "install" && program !== "mkdir") return undefined;
  const directory: RuntimeDirectory = { path: "", mode: 0o755, user: "root", group: "root" };
  let makes = program === "mkdir";
  for (let at = 1; at < argv.length; at++) {
    const word = argv[at] ?? "";
    const value = /^--(mode|owner|group)=(.*)$/.exec(word);
    const letter = value?.[1]?.charAt(0) ?? /^-([mog])$/.exec(word)?.[1];
    if (letter !== undefined) {
      const text = value?.[2] ?? argv[++at] ?? "";
      if (letter === "m" && /^[0-7]{3,5}$/.test(text)) directory.mode = Number.parseInt(text, 8);
      if (letter === "o") directory.user = text;
      if (letter === "g") directory.group = text;
    } else if (word === "-d" || word === "--directory") makes = true;
    else if (word === "-p" || word === "--parents" || word === "-v") continue;
    else if (word.startsWith("/") && directory.path === "") directory.path = word;
    else return undefined;
  }
  return makes && /^\/(var\/)?run\/./.test(directory.path) ? directory : undefined;
}

/** Lines of tmpfiles.d for /run that belong to the service: by the file's name, the path or the owner. */
export async function addTmpfilesDirectories(
  source: Source,
  service: ServiceFact,
  recipe: ServiceRecipe,
): Promise<void> {
  const names = new Set([
    service.name,
    service.name.replace(/@.*$/, ""),
    baseName(service.program),
    ...service.aliases,
  ]);
  for (const { path, lines } of await tmpfiles(source)) {
    const own = names.has(baseName(path).replace(/\.conf$/, ""));
    for (const line of lines) {
      if (
        !/^[dDqQv]$/.test(line.type) ||
        !/^(\/var)?\/(run|lock)\/./.test(line.path) ||
        /%|\*/.test(line.path)
      )
        continue;
      const first = line.path.replace(/^(\/var)?\/(run|lock)\/(lock\/)?/, "").split("/")[0] ?? "";
      const owned = recipe.user !== "root" && line.user === recipe.user;
      if (!own && !owned && !names.has(first)) continue;
      const { mode = 0o755, user, group } = line;
      await addDirectory(source, recipe, { path: line.path, mode, user, group }, true);
      if (!recipe.from.includes(path)) recipe.from.push(path);
    }
  }
}

async function tmpfiles(source: Source): Promise<{ path: ByteString; lines: TmpfilesLine[] }[]> {
  const paths = new Map<ByteString, ByteString>();
  for (const directory of ["/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/lib/tmpfiles.d"]) {
    for (const path of await source.filesIn(directory, /\.conf$/)) {
      if (!paths.has(baseName(path)) && paths.size < 2000) paths.set(baseName(path), path);
    }
  }
  const files: { path: ByteString; lines: TmpfilesLine[] }[] = [];
  for (const path of paths.values())
    files.push({ path, lines: parseTmpfiles((await source.text(path)) ?? "") });
  return files;
}
