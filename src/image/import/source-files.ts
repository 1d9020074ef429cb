// The files of what is imported: of a directory, or of a tar, which is laid out in a work directory first (also where it is compressed).
// Names are only compared, never used as paths of this host.
import { closeSync, createReadStream, openSync, readSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { maxDocument } from "../../formats/oci.ts";
import { type Digest, splitDigest } from "../../formats/oci-reference.ts";
import { TarEvents } from "../../formats/tar-event.ts";
import { TarReader } from "../../formats/tar-reader.ts";
import { ioError, readInput } from "../../host/files.ts";
import { UnpackBound, unpackBounded } from "../layer-bound.ts";
import { defaultLimits } from "../layer-reader.ts";

export interface SourceFile {
  path: string;
  size: number;
}

export interface SourceFiles {
  /** By its name inside, "blobs/sha256/HEX". */
  file(name: string): SourceFile | undefined;
}

const maxMembers = 100_000;

export function directoryFiles(directory: string): SourceFiles {
  return {
    file: (name) => {
      if (!/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/.test(name) || name.split("/").includes(".."))
        return undefined;
      const path = join(directory, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat?.isFile() === true ? { path, size: stat.size } : undefined;
    },
  };
}

/** Lays the regular files of a tar out below `work`. */
export async function archiveFiles(archive: string, work: string): Promise<SourceFiles> {
  const members = new Map<string, SourceFile>();
  const links = new Map<string, string>();
  const tar = new TarReader();
  const events = new TarEvents();
  let out: Awaited<ReturnType<typeof open>> | undefined;
  let current: SourceFile | undefined;
  try {
    const blob = {
      compression: compressionOf(archive),
      size: statSync(archive).size,
      read: () => createReadStream(archive, { highWaterMark: 1 << 20 }),
    };
    for await (const chunk of unpackBounded(blob, new UnpackBound(archive, blob.size, defaultLimits))) {
      tar.push(chunk, events);
      for (const event of events.take()) {
        if (event.type === "entry") {
          const name = plainName(event.entry.name);
          if (members.size + links.size >= maxMembers)
            throw new TranshipError("E_LIMIT", `${archive} has more than ${maxMembers} members`);
          if (event.entry.kind === "symlink" || event.entry.kind === "hardlink")
            links.set(name, linkTarget(name, event.entry.linkName, event.entry.kind === "hardlink"));
          if (event.entry.kind !== "file") continue;
          current = { path: join(work, `member-${members.size}`), size: event.entry.size };
          members.set(name, current);
          out = await open(current.path, "wx", 0o600);
        } else if (event.type === "data" && out !== undefined) {
          for (let done = 0; done < event.bytes.length; )
            done += (await out.write(event.bytes, done, event.bytes.length - done, event.offset + done))
              .bytesWritten;
        } else if (event.type === "end") {
          await out?.sync();
          await out?.close();
          out = undefined;
        }
      }
    }
    tar.finish();
  } catch (cause) {
    throw ioError(`cannot read ${archive}`, cause);
  } finally {
    await out?.close();
  }
  return { file: (name) => members.get(name) ?? members.get(links.get(name) ?? "") };
}

/** By the first bytes. */
export function compressionOf(path: string): "none" | "gzip" | "zstd" {
  const head = Buffer.alloc(4);
  try {
    const fd = openSync(path, "r");
    readSync(fd, head);
    closeSync(fd);
  } catch (cause) {
    throw ioError(`cannot read ${path}`, cause);
  }
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return head.readUInt32LE() === 0xfd2fb528 ? "zstd" : "none";
}

function plainName(name: string): string {
  return name.replace(/^(?:\.?\/)+/, "").replace(/\/+$/, "");
}

/** Older archives of docker name a layer that two images share by a link. */
function linkTarget(name: string, target: string, fromTop: boolean): string {
  const parts = fromTop ? [] : name.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

/** A document of the source as text. E_IMAGE_CORRUPT where it is missing. */
export function readDocumentFile(files: SourceFiles, name: string): string {
  const file = files.file(name);
  if (file === undefined) throw new TranshipError("E_IMAGE_CORRUPT", `${name} is missing`);
  const bytes = readInput(file.path, name, maxDocument);
  if (bytes === undefined)
    throw new TranshipError("E_LIMIT", `${name} has ${file.size} bytes, at most ${maxDocument} are accepted`);
  return bytes.toString("utf8");
}

export function blobFileName(digest: Digest): string {
  return `blobs/${splitDigest(digest).join("/")}`;
}
