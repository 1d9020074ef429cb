// Files of an export, as a tar or as a directory: made beside the destination and renamed when whole.
import { randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Entry } from "../formats/entry.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../formats/tar.ts";
import { ioError, syncDirectory } from "../host/files.ts";
import { Digester } from "./digest.ts";

/** A file by content or by where its content lies; `expected` where that has not been checked yet. */
export type ExportFile = { name: string } & (
  | { content: Uint8Array | string }
  | { path: string; expected?: Digest }
);

/** Writes a tar with the files in order of their names; returns its size. */
export async function writeArchive(destination: string, files: readonly ExportFile[]): Promise<number> {
  return await inPlace(destination, async (temporary) => {
    const file = await open(temporary, "wx", 0o644);
    try {
      for (const name of directoriesOf(files)) await writeAll(file, header(name, "directory", 0));
      for (const each of sorted(files)) {
        const size = sizeOf(each);
        await writeAll(file, header(each.name, "file", size));
        await writeContent(file, each);
        await writeAll(file, new Uint8Array(tarPadding(size)));
      }
      await writeAll(file, tarEnd);
      await file.sync();
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  });
}

/** Makes a directory with the files; returns the sum of their sizes. */
export async function writeDirectory(destination: string, files: readonly ExportFile[]): Promise<number> {
  return await inPlace(destination, async (temporary) => {
    mkdirSync(temporary, { mode: 0o755 });
    for (const name of directoriesOf(files))
      mkdirSync(join(temporary, name), { recursive: true, mode: 0o755 });
    let size = 0;
    for (const each of sorted(files)) {
      const file = await open(join(temporary, each.name), "wx", 0o644);
      try {
        await writeContent(file, each);
        await file.sync();
      } finally {
        await file.close();
      }
      size += sizeOf(each);
    }
    return size;
  });
}

/** Makes something beside its place and renames it when it is whole. */
export async function inPlace(
  destination: string,
  make: (temporary: string) => Promise<number>,
): Promise<number> {
  const parent = dirname(destination);
  const temporary = join(parent, `.${basename(destination)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    const size = await make(temporary);
    renameSync(temporary, destination);
    syncDirectory(parent);
    return size;
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    throw ioError(`cannot write ${destination}`, cause);
  }
}

function sorted(files: readonly ExportFile[]): ExportFile[] {
  return [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Parents first. */
function directoriesOf(files: readonly ExportFile[]): string[] {
  const names = new Set<string>();
  for (const { name } of files) {
    for (let at = name.indexOf("/"); at > 0; at = name.indexOf("/", at + 1)) names.add(name.slice(0, at));
  }
  return [...names].sort();
}

function sizeOf(file: ExportFile): number {
  if ("path" in file) return statSync(file.path).size;
  return typeof file.content === "string" ? Buffer.byteLength(file.content) : file.content.length;
}

async function writeContent(into: FileHandle, file: ExportFile): Promise<void> {
  if ("path" in file) {
    const digester = file.expected === undefined ? undefined : new Digester(file.expected);
    for await (const chunk of createReadStream(file.path, { highWaterMark: 1 << 20 })) {
      digester?.update(chunk);
      await writeAll(into, chunk);
    }
    if (digester === undefined) return;
    const found = digester.digest();
    if (found !== file.expected)
      throw new TranshipError("E_IMAGE_CORRUPT", `blob ${file.expected}: content has the digest ${found}`, {
        hint: "see all damage with `tranship verify`",
      });
  } else await writeAll(into, typeof file.content === "string" ? Buffer.from(file.content) : file.content);
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
}

/** The same for everybody: root's, without a time. */
function header(name: string, kind: "file" | "directory", size: number): Uint8Array {
  const entry: Entry = {
    path: `/${name}`,
    kind,
    mode: kind === "file" ? 0o644 : 0o755,
    uid: 0,
    gid: 0,
    nlink: 1,
    dev: 0n,
    ino: 0n,
    size,
    blocks: 0,
    mtime: 0n,
    ctime: 0n,
    rdevMajor: 0,
    rdevMinor: 0,
    target: "",
    xattrs: [],
    extents: undefined,
  };
  return encodeTarHeader(entry).bytes;
}
