// An EMP folder becomes a package: ProgData is its root, and all else that lies in the folder is kept below /.tranship/emp, byte for
// byte, so that an export gives it back. The folder may come from anywhere: no link in it is followed, and what would pass for a part
// of ours, or of a kernel, is left out or refused.
import { closeSync, constants, openSync } from "node:fs";
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { throwIfInterrupted } from "../../capture/interrupt.ts";
import { ownItems } from "../../capture/pack/pack.ts";
import { maxTextBytes } from "../../formats/emp/encoding.ts";
import { contentName, metadataNames, reportNames, xmlFiles } from "../../formats/emp/files.ts";
import { type EmpFiles, findName } from "../../formats/emp/folder.ts";
import { type EmpLintFinding, lintFolder } from "../../formats/emp/lint.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { kernelPartByPath } from "../../formats/kernel-part.ts";
import { ioError } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { type BuiltImage, buildImage, type ImageLayer } from "../../image/build.ts";
import { openHostFile } from "../../image/host-file.ts";
import type { LayerItem } from "../../image/layer-item.ts";
import { writeLayer } from "../../image/layer-writer.ts";
import { ownDirectory } from "../../image/own-item.ts";
import { PackingListMaker } from "../../image/packed-object.ts";
import { newName, openStore } from "../../image/store.ts";
import { type StoreSession, withSession } from "../../image/store-session.ts";
import { isUnreadable, type MachineFiles } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import { containerConfig } from "../../package/container-config.ts";
import { descriptorName, packageOf, type ReadFolder } from "../../package/emp/emp.ts";
import { keptDirectory } from "../../package/emp/paths.ts";

export interface ImportRequest {
  root: StateRoot;
  directory: string;
  reference: string;
  log: Log;
  signal: AbortSignal;
}

export interface ImportedFolder extends BuiltImage {
  findings: EmpLintFinding[];
  /** What the folder says and a descriptor has no word for. */
  notes: string[];
}

interface OpenFolder {
  files: MachineFiles;
  directory: string;
  /** Name of the captured tree; undefined where there is none. */
  content: string | undefined;
  read: ReadFolder;
  findings: EmpLintFinding[];
}

/** What an import would make of the folder; nothing is written. E_EMP_INVALID, E_DESCRIPTOR_INVALID, E_LIMIT. */
export async function lookAtFolder(directory: string): Promise<Pick<OpenFolder, "read" | "findings">> {
  return await withFolder(directory, async ({ read, findings }) => ({ read, findings }));
}

export async function importFolder(request: ImportRequest): Promise<ImportedFolder> {
  newName(request.reference);
  return await withFolder(request.directory, async (folder) => {
    return await withSession(openStore(request.root), (session) => packFolder(request, folder, session));
  });
}

async function packFolder(
  request: ImportRequest,
  folder: OpenFolder,
  session: StoreSession,
): Promise<ImportedFolder> {
  const { descriptor, text, notes } = folder.read;
  const packed = new PackingListMaker(session);
  const layers: ImageLayer[] = [];
  const add = async (
    origin: string,
    items: AsyncIterable<LayerItem> | Iterable<LayerItem>,
  ): Promise<void> => {
    step(`write the ${origin} layer`);
    const onPacked = origin === "tranship" ? {} : { onPacked: packed.add };
    const check = (): void => throwIfInterrupted(request.signal);
    const built = await writeLayer(items, session, { check, ...onPacked });
    for (const note of built.notes) request.log.warn(`left out ${escapeBytes(note.path)}: ${note.reason}`);
    layers.push({ descriptor: built.descriptor, diffId: built.diffId, origin });
  };
  if (folder.content !== undefined) await add("app", contentItems(folder, request.log));
  await add("emp", keptItems(folder, request.log));
  await add("tranship", ownItems(descriptor, packed.print([])));
  step("name the image");
  const image = await buildImage(session, {
    reference: request.reference,
    layers,
    config: containerConfig(descriptor),
    architecture: descriptor.origin.architecture,
    descriptorYaml: text,
  });
  return { ...image, findings: folder.findings, notes };
}

async function withFolder<T>(given: string, use: (folder: OpenFolder) => Promise<T>): Promise<T> {
  const directory = resolve(given);
  try {
    closeSync(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY));
  } catch (cause) {
    throw ioError(`cannot read the folder ${directory}`, cause);
  }
  const files = new TreeFiles(directory);
  try {
    return await use(await openFolder(files, directory));
  } finally {
    await files.close();
  }
}

async function openFolder(tree: MachineFiles, directory: string): Promise<OpenFolder> {
  const top = (await tree.list("/")) ?? [];
  const byName = new Map(top.map((entry) => [entry.path.slice(1), entry]));
  const content = findName(byName.keys(), [contentName]);
  if (content !== undefined && byName.get(content)?.kind !== "directory")
    throw notEmp(`${content} is a ${byName.get(content)?.kind}, not a directory`);
  const known = [
    metadataNames,
    reportNames,
    [descriptorName],
    ...Object.values(xmlFiles).map(({ names }) => names),
  ];
  const files = new Map<string, Uint8Array>();
  for (const names of known) {
    const name = findName(byName.keys(), names);
    const entry = name === undefined ? undefined : byName.get(name);
    if (name !== undefined && entry !== undefined) files.set(name, readWhole(directory, entry));
  }
  if (files.size === 0 || (content === undefined && files.size < 2))
    throw notEmp(`${directory} holds neither ProgData nor the files of a compatibility package`);
  const findings = await lint(tree, files);
  const invalid = findings.find((one) => one.id === "package-id" || one.id === "rule-escapes");
  if (invalid !== undefined) throw notEmp(`${placeOf(invalid)}: ${invalid.message}`);
  return { files: tree, directory, content, read: packageOf(files), findings };
}

export function placeOf({ file, line }: EmpLintFinding): string {
  return line === undefined ? file : `${file}: line ${line}`;
}

/** The very file of the entry, and nothing that took its place since. */
function readWhole(directory: string, entry: Entry): Uint8Array {
  if (entry.kind !== "file")
    throw notEmp(`${escapeBytes(entry.path.slice(1))} is a ${entry.kind}, not a file`);
  if (entry.size > maxTextBytes)
    throw new TranshipError(
      "E_LIMIT",
      `${entry.path.slice(1)} has ${entry.size} bytes, more than ${maxTextBytes}`,
    );
  const file = openHostFile(encodeText(directory) + entry.path, entry);
  try {
    const bytes = new Uint8Array(entry.size);
    for (let at = 0; at < bytes.length; ) at += file.read(bytes.subarray(at), at);
    file.check();
    return bytes;
  } finally {
    file.close();
  }
}

/** Lint asks of a few paths; a tree may have millions: only what was asked of is remembered. */
async function lint(tree: MachineFiles, files: EmpFiles): Promise<EmpLintFinding[]> {
  const asked = new Set<string>();
  lintFolder(files, (path) => {
    asked.add(fold(path));
    return true;
  });
  const there = new Set<string>();
  if (asked.size > 0)
    for await (const entry of tree.walk("/")) {
      const path = fold(entry.path.slice(1));
      if (asked.has(path)) there.add(path);
    }
  return lintFolder(files, (path) => there.has(fold(path)));
}

/** Names as Windows compares them. */
function fold(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

async function* contentItems(folder: OpenFolder, log: Log): AsyncGenerator<LayerItem> {
  const prefix = `/${folder.content ?? ""}`;
  let left = 0;
  for await (const entry of walk(folder, prefix, [], log)) {
    const path = entry.path.slice(prefix.length) || "/";
    if (path === "/.tranship" || path.startsWith("/.tranship/"))
      throw notEmp(`${escapeBytes(entry.path.slice(1))} is where Tranship keeps its own files`);
    if (kernelPartByPath(path, entry.kind) !== undefined) left++;
    else yield item(folder, entry, path);
  }
  if (left > 0) log.warn(`left out ${left} parts of a kernel`);
}

async function* keptItems(folder: OpenFolder, log: Log): AsyncGenerator<LayerItem> {
  yield ownDirectory("/.tranship");
  const content = folder.content === undefined ? [] : [`/${folder.content}`];
  for await (const entry of walk(folder, "/", content, log)) {
    const path = entry.path === "/" ? keptDirectory : keptDirectory + entry.path;
    yield item(folder, entry, path);
  }
}

async function* walk(
  { files }: OpenFolder,
  top: ByteString,
  exclude: readonly ByteString[],
  log: Log,
): AsyncGenerator<Entry> {
  for await (const entry of files.walk(top, { oneFileSystem: true, exclude })) {
    if (isUnreadable(entry)) log.warn(`left out ${escapeBytes(entry.path)}: ${entry.error}`);
    else yield entry;
  }
}

function item({ directory }: OpenFolder, entry: Entry, path: ByteString): LayerItem {
  const placed = { ...entry, path };
  return entry.kind === "file"
    ? { entry: placed, hostFile: encodeText(directory) + entry.path }
    : { entry: placed };
}

function notEmp(message: string): TranshipError {
  return new TranshipError("E_EMP_INVALID", message, {
    hint: "docs/guide/emp.md says what an EMP folder holds; nothing was taken from it",
  });
}
