// A package becomes an EMP folder: its root is ProgData, and beside it lie the files of EMP: those that it was imported with, with what
// has changed since, or new ones. The folder is made beside its place and renamed when it is whole.
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { maxTextBytes } from "../../formats/emp/encoding.ts";
import { contentName, metadataNames, reportNames, xmlFiles } from "../../formats/emp/files.ts";
import { findName } from "../../formats/emp/folder.ts";
import type { ByteString } from "../../formats/entry.ts";
import { ioError, syncDirectory, writeFileAtomic } from "../../host/files.ts";
import { processAlive, processStartTime } from "../../host/lock.ts";
import { runChecked } from "../../host/process.ts";
import { randomHex } from "../../host/random.ts";
import { step } from "../../host/steps.ts";
import { flattenImage } from "../../image/flatten.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import type { ImageStore, StoredImage } from "../../image/store.ts";
import { descriptorName, filesOf } from "../../package/emp/emp.ts";
import { keptDirectory } from "../../package/emp/paths.ts";

export interface ExportedFolder {
  path: string;
  /** Of EMP, by name: what was written, and did not lie in the package. */
  written: string[];
  /** Names below ProgData that Windows cannot hold: two that differ in case, or characters that it has no names with. */
  unfit: number;
}

/** `text`: of the descriptor. `destination` must be absent, or an empty directory. */
export async function exportFolder(
  store: ImageStore,
  image: StoredImage,
  text: string,
  destination: string,
): Promise<ExportedFolder> {
  const path = resolve(destination);
  refuseTaken(path);
  removeDead(path);
  const start = processStartTime(process.pid) ?? "";
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${start}-${randomHex(6)}.emp`);
  try {
    step("make the folder beside its place");
    mkdirSync(temporary, { mode: 0o755 });
    const { names, events } = await flattenImage(store, image);
    await makeTree(temporary, moved(events()), {}, (reason) => failure(path, reason));
    const written = writeFiles(temporary, text, image.name ?? "the package");
    await runChecked("sync", ["-f", temporary]);
    step("put the folder in its place");
    renameSync(temporary, path);
    syncDirectory(dirname(path));
    return { path, written, unfit: unfitNames(names) };
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    throw ioError(`cannot write ${path}`, cause);
  }
}

function refuseTaken(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || (found.isDirectory() && readdirSync(path).length === 0)) return;
  throw new TranshipError("E_IO", `${path} is there already`, {
    hint: "choose another place, or remove it first",
  });
}

/** What exports to this place left that were killed. */
function removeDead(path: string): void {
  const parent = dirname(path);
  if (!existsSync(parent))
    throw new TranshipError("E_IO", `there is no directory ${parent}`, { hint: "make it first" });
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(`.${basename(path)}.`)) continue;
    const [, pid, begun] = /\.(\d+)-(\d*)-[0-9a-f]{12}\.emp$/.exec(name) ?? [];
    if (pid === undefined || begun === undefined || processAlive(Number(pid), begun)) continue;
    rmSync(join(parent, name), { recursive: true, force: true });
  }
}

/** The package's root below ProgData, what was kept of a folder at the top, and nothing else of ours. */
async function* moved(events: AsyncIterable<LayerEvent>): AsyncGenerator<LayerEvent> {
  let shown = false;
  for await (const event of events) {
    if (event.type === "whiteout" || event.type === "opaque") continue;
    if (event.type !== "entry") {
      if (shown) yield event;
      continue;
    }
    const path = placeInFolder(event.entry.path);
    const target = event.hardlinkTo === undefined ? undefined : placeInFolder(event.hardlinkTo);
    shown = path !== undefined && (event.hardlinkTo === undefined || target !== undefined);
    if (path !== undefined && shown) yield { ...event, entry: { ...event.entry, path }, hardlinkTo: target };
  }
}

function placeInFolder(path: ByteString): ByteString | undefined {
  if (path === keptDirectory) return "/";
  if (path.startsWith(`${keptDirectory}/`)) {
    const below = path.slice(keptDirectory.length);
    const [, first = ""] = below.split("/");
    return first.toLowerCase() === contentName.toLowerCase() ? undefined : below;
  }
  if (path === "/.tranship" || path.startsWith("/.tranship/")) return undefined;
  return path === "/" ? `/${contentName}` : `/${contentName}${path}`;
}

function writeFiles(directory: string, text: string, name: string): string[] {
  const present = readdirSync(directory, { withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => one.name);
  const known = [
    metadataNames,
    reportNames,
    [descriptorName],
    ...Object.values(xmlFiles).map(({ names }) => names),
  ];
  const before = new Map<string, Uint8Array>();
  for (const names of known) {
    const found = findName(present, names);
    if (found === undefined) continue;
    const path = join(directory, found);
    if (lstatSync(path).size > maxTextBytes) throw new TranshipError("E_LIMIT", `${found} is too large`);
    before.set(found, readFileSync(path));
  }
  const files = filesOf(before, text, name);
  for (const old of before.keys()) if (!files.has(old)) rmSync(join(directory, old));
  const written = [...files].filter(([one, bytes]) => before.get(one) !== bytes);
  for (const [one, bytes] of written)
    writeFileAtomic(join(directory, one), bytes, { mode: 0o644, volatile: true });
  return written.map(([one]) => one);
}

/** How many names of the package a folder on Windows could not have. */
function unfitNames(names: readonly ByteString[]): number {
  const seen = new Set<string>();
  let count = 0;
  for (const path of names) {
    if (path.startsWith("/.tranship")) continue;
    const folded = path.toLowerCase();
    const last = path.slice(path.lastIndexOf("/") + 1);
    if (seen.has(folded) || /[\x01-\x1f<>:"\\|?*]|[ .]$/.test(last)) count++;
    seen.add(folded);
  }
  return count;
}

function failure(path: string, reason: string): TranshipError {
  if (/No space left on device|Disk quota exceeded/.test(reason))
    return new TranshipError("E_NO_SPACE", `cannot write ${path}: ${reason}`, { hint: "free space there" });
  if (process.geteuid?.() !== 0 && reason.includes("Operation not permitted"))
    return new TranshipError("E_NEEDS_ROOT", `cannot write ${path}: ${reason}`, {
      hint: "files are written with their owners: run the command as root",
    });
  return new TranshipError("E_LAYER_HOSTILE", `cannot write ${path}: ${reason}`);
}
