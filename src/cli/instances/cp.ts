// tranship cp: INSTANCE:PATH to here, here to INSTANCE:PATH, with "-" for a tar stream.
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { errnoOf, ioError } from "../../host/files.ts";
import { isTerminal } from "../../host/terminal.ts";
import { decodeArchive, encodeArchive } from "../../runtime/files/archive.ts";
import {
  findDirectory,
  findSource,
  findTarget,
  openSide,
  type ReadOptions,
  readSource,
  type Side,
  writeEvents,
} from "../../runtime/files/copy.ts";
import { type InstanceTree, openInstanceTree } from "../../runtime/files/tree.ts";
import { findAny } from "../../runtime/find.ts";
import { humanSize } from "../amounts.ts";
import type { Context } from "../context.ts";
import { watchStreams } from "../streams.ts";
import { type Call, flag, type OptionValues } from "../verb.ts";

export async function run(
  { args: [from = "", to = ""], options }: Call,
  context: Context,
): Promise<undefined> {
  const source = splitPlace(from);
  const target = splitPlace(to);
  if ((source.instance === undefined) === (target.instance === undefined)) {
    throw usage(
      source.instance === undefined ? "neither path is in an instance" : "both paths are in instances",
      "write INSTANCE:PATH for one of them, and copy between instances by way of this host",
    );
  }
  const instance = findAny(context.root, source.instance ?? target.instance ?? "");
  const tree = await openInstanceTree(context.root, instance);
  const copy: Copy = { context, options, tree, name: instance.record.name, bytes: 0 };
  try {
    await (source.instance === undefined ? copyIn(copy, from, target.path) : copyOut(copy, source.path, to));
  } finally {
    await tree.close();
  }
  if (!flag(options, "quiet") && isTerminal(2))
    context.say(`Successfully copied ${humanSize(copy.bytes)} to ${to}`);
}

interface Copy {
  context: Context;
  options: OptionValues;
  tree: InstanceTree;
  name: string;
  bytes: number;
}

/** As docker: what begins with / or . is a path of this host, whatever colons it has. */
function splitPlace(word: string): { instance: string | undefined; path: string } {
  const cut = word.indexOf(":");
  if (cut < 1 || word.startsWith("/") || word.startsWith(".")) return { instance: undefined, path: word };
  return { instance: word.slice(0, cut), path: word.slice(cut + 1) };
}

async function copyOut(copy: Copy, path: string, to: string): Promise<void> {
  const { side, inside } = instanceSide(copy, path);
  const here = openSide("/", escapeBytes);
  try {
    const source = await findSource(side, inside, flag(copy.options, "followLink"));
    if (to === "-") {
      if (isTerminal(1)) throw usage("an archive is not for a terminal", "send it to a file or a program");
      const target = `/${source.name}`;
      await writeAll(encodeArchive(readSource(side, source, readOptions(copy, target, undefined))));
      return;
    }
    const target = await findTarget(here, hostPath(to), source);
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    await writeEvents(here, readSource(side, source, readOptions(copy, target, owner)));
  } finally {
    await close([side, here]);
  }
}

async function copyIn(copy: Copy, from: string, path: string): Promise<void> {
  const { side, inside } = instanceSide(copy, path);
  const here = openSide("/", escapeBytes);
  try {
    if (from === "-") {
      await writeEvents(side, decodeArchive(counted(copy), await findDirectory(side, inside)));
      return;
    }
    const source = await findSource(here, hostPath(from), flag(copy.options, "followLink"));
    const target = await findTarget(side, inside, source);
    await writeEvents(side, readSource(here, source, readOptions(copy, target, { uid: 0, gid: 0 })));
  } finally {
    await close([side, here]);
  }
}

/** The part of the instance that the path lies in. A path of an instance is always one from its root. */
function instanceSide({ tree, name }: Copy, path: string): { side: Side; inside: string } {
  const located = tree.locate(path.startsWith("/") ? path : `/${path}`);
  const side = openSide(located.directory, (shown) => `${name}:${escapeBytes(shown)}`, tree.within);
  return { side, inside: encodeText(located.path) };
}

/** What the path says at its end ("/", "/.") counts. */
function hostPath(path: string): string {
  const end = /\/\.?$/.exec(path)?.[0] ?? (path === "." ? "/." : "");
  return encodeText(`${resolve(path)}${end}`);
}

function readOptions(
  copy: Copy,
  target: string,
  owner: { uid: number; gid: number } | undefined,
): ReadOptions {
  return {
    target,
    owner: flag(copy.options, "archive") ? undefined : owner,
    skipped: (path, why) => copy.context.log.warn(`${escapeBytes(path)} was not copied: ${why}`),
    copied: (bytes) => {
      copy.bytes += bytes;
    },
  };
}

async function* counted(copy: Copy): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    copy.bytes += chunk.length;
    yield chunk;
  }
}

async function writeAll(pieces: AsyncIterable<Uint8Array>): Promise<void> {
  watchStreams();
  for await (const piece of pieces) {
    // The bytes are only valid until the next piece is asked for.
    await new Promise<void>((done, fail) => {
      process.stdout.write(piece, (error) => {
        if (!error) done();
        // A reader that went away ends us.
        else if (errnoOf(error) !== "EPIPE") fail(ioError("cannot write the archive", error));
      });
    });
  }
}

async function close(sides: readonly Side[]): Promise<void> {
  for (const side of sides) await side.files.close();
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
