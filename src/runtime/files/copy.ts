// Copying files between an instance and this host, or a tar stream. Both sides are read by `tree serve` and written by `tree unpack`, so that
// what one has (owners on demand, modes, times, extended attributes, hard links, holes) the other gets, and no link leads out.

import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { TreeWithin } from "../../host/tree-spawn.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { makeTree, type TreeFailure } from "../../image/make-tree.ts";
import { isUnreadable } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";

/** A directory of this host that is the root of one side. */
export interface Side {
  directory: string;
  /** Its owners are ids of the user namespace that this process is in. */
  within?: TreeWithin;
  files: TreeFiles;
  /** How messages call a path of it. */
  name(path: ByteString): string;
}

export function openSide(directory: string, name: (path: ByteString) => string, within?: TreeWithin): Side {
  const more = within === undefined ? {} : { within };
  return { directory, ...more, files: new TreeFiles(directory, more), name };
}

/** What is to be copied: as docker reads its path. */
export interface Source {
  entry: Entry;
  /** What it is called at the end of the path; "" for the root and for "DIR/.". */
  name: ByteString;
}

/** E_PATH_NOT_FOUND. `follow`: a symbolic link at the end means what it leads to. */
export async function findSource(side: Side, path: ByteString, follow: boolean): Promise<Source> {
  const { parts, contents, slash } = splitPath(path);
  const plain = `/${parts.join("/")}`;
  const resolved =
    follow || contents || slash ? (await side.files.resolve(plain)).entry : await side.files.stat(plain);
  if (resolved === undefined) throw notFound(side, plain);
  if (resolved.kind === "file" && /^\/(proc|sys)\//.test(resolved.path)) {
    throw new TranshipError("E_PATH_NOT_FOUND", `${side.name(plain)} is no file of a disk`, {
      hint: "the kernel tells it when it is read: `tranship exec INSTANCE cat PATH`",
    });
  }
  if ((contents || slash) && resolved.kind !== "directory") {
    throw new TranshipError("E_PATH_NOT_FOUND", `${side.name(plain)} is not a directory`, {
      hint: "leave the slash at its end out",
    });
  }
  // stat() gives the path as it was asked for; what lies below it is asked for by the real one.
  return { entry: resolved, name: contents ? "" : (parts.at(-1) ?? "") };
}

/** Where the copy goes: the path of what is made, and the directory that it is in. E_PATH_NOT_FOUND. */
export async function findTarget(side: Side, path: ByteString, source: Source): Promise<ByteString> {
  const { parts, contents, slash } = splitPath(path);
  const plain = `/${parts.join("/")}`;
  const there = (await side.files.resolve(plain)).entry;
  const directory = source.entry.kind === "directory";
  if (there?.kind === "directory") return source.name === "" ? there.path : join(there.path, source.name);
  if (there !== undefined) {
    if (!directory && !slash && !contents) return there.path;
    throw new TranshipError("E_PATH_NOT_FOUND", `${side.name(plain)} is not a directory`, {
      hint: "a directory can only be copied to a directory, or to a name that is not taken",
    });
  }
  const parent = `/${parts.slice(0, -1).join("/")}`;
  const above = (await side.files.resolve(parent)).entry;
  if (above?.kind !== "directory") throw notFound(side, parent);
  if (!directory && (slash || contents)) throw notFound(side, plain);
  return join(above.path, parts.at(-1) ?? "");
}

/** An existing directory: for a tar stream. */
export async function findDirectory(side: Side, path: ByteString): Promise<ByteString> {
  const { parts } = splitPath(path);
  const plain = `/${parts.join("/")}`;
  const there = (await side.files.resolve(plain)).entry;
  if (there?.kind === "directory") return there.path;
  throw there === undefined
    ? notFound(side, plain)
    : new TranshipError("E_PATH_NOT_FOUND", `${side.name(plain)} is not a directory`, {
        hint: "an archive needs a directory",
      });
}

function splitPath(path: ByteString): { parts: ByteString[]; contents: boolean; slash: boolean } {
  const parts: ByteString[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return { parts, contents: /(^|\/)\.$/.test(path), slash: path.endsWith("/") };
}

function join(directory: ByteString, name: ByteString): ByteString {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

function notFound(side: Side, path: ByteString): TranshipError {
  return new TranshipError("E_PATH_NOT_FOUND", `there is no ${side.name(path)}`, { hint: "check the path" });
}

/** Of the kernel, not of the instance; left out where they lie below what is copied. */
const kernelTrees = ["/proc", "/sys", "/dev", "/.tranship/run"];

export interface ReadOptions {
  /** The path that the source has at its destination. */
  target: ByteString;
  /** Everything belongs to these; undefined: as at the source. */
  owner: { uid: number; gid: number } | undefined;
  /** Told of what cannot be copied; the rest is. */
  skipped(path: ByteString, why: string): void;
  /** Bytes of content as they pass. */
  copied(bytes: number): void;
}

/** The source and all below it as it is to be made. What goes away meanwhile is not copied. */
export async function* readSource(
  side: Side,
  source: Source,
  options: ReadOptions,
): AsyncGenerator<LayerEvent, void, void> {
  const { entry: top } = source;
  const links = new Map<string, ByteString>();
  const place = (path: ByteString): ByteString =>
    top.path === "/"
      ? join(options.target, path.slice(1))
      : `${options.target === "/" ? "" : options.target}${path.slice(top.path.length)}` || "/";
  for await (const found of below(side, top)) {
    if (isUnreadable(found)) {
      options.skipped(found.path, found.error);
      continue;
    }
    const target = found.path === top.path ? options.target : place(found.path);
    if (found.kind === "socket") {
      options.skipped(found.path, "a socket cannot be copied");
      continue;
    }
    const key = `${found.dev}:${found.ino}`;
    const first = found.kind !== "directory" && found.nlink > 1 ? links.get(key) : undefined;
    if (first !== undefined) {
      yield { type: "entry", entry: { ...found, path: target }, hardlinkTo: first };
      continue;
    }
    if (found.kind === "file") yield* readFile(side, found.path, target, options);
    else yield { type: "entry", entry: owned(found, target, options), hardlinkTo: undefined };
    if (found.kind !== "directory" && found.nlink > 1) links.set(key, target);
  }
}

async function* below(
  side: Side,
  top: Entry,
): AsyncGenerator<Parameters<typeof isUnreadable>[0], void, void> {
  if (top.kind !== "directory") {
    yield top;
    return;
  }
  const exclude = kernelTrees.filter(
    (path) => path !== top.path && (top.path === "/" || path.startsWith(`${top.path}/`)),
  );
  const ours = side.directory === "/" && typeof side.within !== "object";
  yield* side.files.walk(top.path, { exclude: ours ? [] : exclude });
}

async function* readFile(
  side: Side,
  path: ByteString,
  target: ByteString,
  options: ReadOptions,
): AsyncGenerator<LayerEvent, void, void> {
  const stream = await side.files.stream(path);
  if (stream === undefined || stream.entry.kind !== "file") return;
  const { entry } = stream;
  yield { type: "entry", entry: owned(entry, target, options), hardlinkTo: undefined };
  let next = 0;
  for await (const { offset, bytes } of stream.data) {
    options.copied(bytes.length);
    yield { type: "data", offset, bytes };
    next = offset + bytes.length;
  }
  // It became shorter while it was read: what is missing is zeros, as in tar.
  for (; entry.extents === undefined && next < entry.size; next += zeros.length)
    yield { type: "data", offset: next, bytes: zeros.subarray(0, entry.size - next) };
  yield { type: "end" };
}

const zeros = new Uint8Array(64 << 10);

/** What the kernel keeps for itself is not taken along. */
const foreignXattr = /^(?:trusted\.|user\.overlay\.|security\.(?:selinux|ima|evm)$)/;

function owned(entry: Entry, path: ByteString, { owner }: ReadOptions): Entry {
  const xattrs = entry.xattrs.filter(([name]) => !foreignXattr.test(name));
  return { ...entry, ...owner, path, xattrs };
}

/** Makes what the events tell of below the root of a side. */
export async function writeEvents(side: Side, events: AsyncIterable<LayerEvent>): Promise<void> {
  const failed: TreeFailure = (reason, path) => {
    const shown = path === undefined ? "" : ` ${escapeBytes(path)}`;
    return new TranshipError("E_IO", `cannot write${shown}: ${reason.replace(/^tree: [^:]*: /, "")}`, {
      hint: "what was copied before it is there",
    });
  };
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
  const given = typeof side.within === "object" && uid !== 0 ? ofOne(events, { uid, gid }) : events;
  await makeTree(side.directory, given, {}, failed, side.within);
}

/** Without a user namespace an ordinary user has no other to give anything to. */
async function* ofOne(
  events: AsyncIterable<LayerEvent>,
  owner: { uid: number; gid: number },
): AsyncGenerator<LayerEvent, void, void> {
  for await (const event of events)
    yield event.type === "entry" ? { ...event, entry: { ...event.entry, ...owner } } : event;
}
