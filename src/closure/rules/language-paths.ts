/**
 * Libraries that a language finds by a path that a file names.
 *
 * Why: Python reads *.pth and *.egg-link below its site directories, and imports from the directories they name; a jar's
 * manifest names further jars (Class-Path), relative to it. Neither lies in the tree that is taken whole.
 */
import { inflateRawSync } from "node:zlib";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { findZipMember, manifestClassPath, zipContentAt, zipDirectory, zipTail } from "../../formats/zip.ts";
import { isSweepable } from "../policy.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { basename, dirname } from "../tree.ts";

const maxPthBytes = 64 << 10;
const maxLines = 200;
const maxDirectoryBytes = 8 << 20;
const maxManifest = 1 << 20;

export function languagePaths(): Rule {
  return {
    name: "language paths",
    async entry(scene, entry, _reason, emit) {
      if (entry.kind !== "file") return;
      if (
        /\/(?:site|dist)-packages\/(?:[^/]+\.(pth|egg-link)|__editable___[^/]+_finder\.py)$/.test(entry.path)
      )
        await pythonPaths(scene, entry, emit);
      else if (/\.(jar|war)$/.test(entry.path)) await classPath(scene, entry, emit);
    },
  };
}

async function pythonPaths(scene: Scene, entry: Entry, emit: Emit): Promise<void> {
  const text = (await scene.tree.text(entry.path, maxPthBytes)) ?? "";
  const why = { kind: "language", from: entry.path, detail: `path of ${basename(entry.path)}` } as const;
  for (const name of pythonNames(entry.path, text)) {
    const path = name.startsWith("/") ? name : `${dirname(entry.path)}/${name}`;
    const { entry: found } = await scene.tree.resolve(path);
    if (found?.kind === "directory" && isSweepable(found.path)) emit.tree(path, why, "unless huge");
    else if (found?.kind === "file") emit.add(path, why);
  }
}

function pythonNames(file: ByteString, text: string): ByteString[] {
  // The second line of an egg-link leads back from the sources to where setup.py is.
  const lines = text.split("\n", file.endsWith(".egg-link") ? 1 : maxLines).map((line) => line.trim());
  return lines.flatMap((line) => {
    if (line === "" || line.startsWith("#")) return [];
    // Program text: setuptools' finders, and lines of a .pth that begin with import. What they name in quotes they may add.
    if (!file.endsWith(".py") && !/^import[ \t]/.test(line)) return [line];
    return [...line.matchAll(/(["'])(\/[^"']+)\1/g)].map((match) => match[2] ?? "");
  });
}

async function classPath(scene: Scene, entry: Entry, emit: Emit): Promise<void> {
  const manifest = await readManifest(scene, entry).catch(() => undefined);
  if (manifest === undefined) return;
  const why = { kind: "language", from: entry.path, detail: "Class-Path" } as const;
  for (const url of manifestClassPath(manifest).slice(0, maxLines)) {
    const path = pathOfUrl(url, dirname(entry.path));
    const found = path === undefined ? undefined : (await scene.tree.resolve(path)).entry;
    if (path === undefined || found === undefined) continue;
    if (found.kind === "directory" && isSweepable(found.path)) emit.tree(path, why, "unless huge");
    else emit.add(path, why);
  }
}

function pathOfUrl(url: string, directory: ByteString): ByteString | undefined {
  const name = url
    .replace(/^file:(\/\/)?/, "")
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (/^[a-z]+:/i.test(name) || name.includes("\0")) return undefined;
  return name.startsWith("/") ? name : `${directory}/${name}`;
}

async function readManifest(scene: Scene, entry: Entry): Promise<string | undefined> {
  const read = async (offset: number, length: number) =>
    (await scene.tree.source.readRange(entry.path, offset, length)) ?? new Uint8Array();
  const from = Math.max(0, entry.size - zipTail);
  const place = zipDirectory(await read(from, entry.size - from));
  if (place === undefined || place.offset + place.size > entry.size || place.size > maxDirectoryBytes)
    return undefined;
  const member = findZipMember(await read(place.offset, place.size), "META-INF/MANIFEST.MF");
  if (member === undefined || member.size > maxManifest || member.compressedSize > maxManifest)
    return undefined;
  const at = zipContentAt(await read(member.offset, 30));
  if (at === undefined) return undefined;
  const bytes = await read(member.offset + at, member.compressedSize);
  const content = member.method === 8 ? inflateRawSync(bytes, { maxOutputLength: maxManifest }) : bytes;
  return new TextDecoder().decode(content);
}
