// Questions of the tracer, answered: which names have to be in the instance for the call that waits, and whether they are now.

import type { Log } from "../../base/log.ts";
import { isSweepable } from "../../closure/policy.ts";
import type { AskAnswer, Question } from "../../formats/ask-records.ts";
import { isElf, readElf } from "../../formats/elf.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { parseShebang } from "../../formats/shebang.ts";
import type { MachineFiles } from "../../machine/machine.ts";
import type { Asked, Fetcher, FetchResult } from "./fetcher.ts";
import type { TetherSource } from "./source.ts";
import { type Walked, walkTo } from "./walk.ts";

export interface AnswerParts {
  /** Of the running instance. */
  readonly instance: MachineFiles;
  readonly fetcher: Fetcher;
  readonly source: TetherSource;
  readonly log: Log;
}

/** Names and bytes that one listing brings at most: beyond, names come when they are asked for. */
const mostNames = 20_000;
const mostBytes = 256 << 20;
/** A path leads through fewer missing names than this. */
const mostSteps = 200;
/** What is loaded to run a program is run by another at most so often. */
const mostInterpreters = 5;

/** Calls for which the last name need not be there: its directory has to. */
const makers: ReadonlySet<string | undefined> = new Set(["create", "symlink", "mkdir", "mknod"]);

export async function answerTo(parts: AnswerParts, question: Question, by: ByteString): Promise<AskAnswer> {
  const { path, second, root, noFollow } = question;
  const asked = { use: question.operation ?? "exec", by };
  const follow = !noFollow;
  switch (question.kind) {
    case "gone":
      return await takenAway(parts, question);
    case "lists":
      return await completeDirectory(parts, question, by);
    case "makes":
      return combine([await reach(parts, { path, root, follow }, { ...asked, use: "write" })]);
    case "exec":
      return await reachProgram(parts, question, asked);
    case "absent": {
      if (makers.has(question.operation)) return combine([await reach(parts, parentOf(path, root), asked)]);
      const first = await reach(parts, { path, root, follow }, asked);
      if (question.operation !== "rename" && question.operation !== "link") return combine([first]);
      return combine([first, await reach(parts, parentOf(second, root), asked)]);
    }
  }
}

interface Target {
  readonly path: ByteString;
  readonly root: ByteString;
  readonly follow: boolean;
}

function parentOf(path: ByteString, root: ByteString): Target {
  return { path: path.slice(0, Math.max(1, path.lastIndexOf("/"))), root, follow: true };
}

/** Fetches what is missing on the way, and in the end. */
async function reach(parts: AnswerParts, target: Target, asked: Asked): Promise<FetchResult> {
  for (let i = 0; i < mostSteps; i++) {
    const walked = await walk(parts, target);
    if (walked === undefined) return "refused";
    if (walked.entry !== undefined) return "here";
    // Links of a chroot mean other files when the source follows them.
    if (walked.rest !== "" && target.root === "") {
      const whole = await parts.fetcher.knows(walked.path + walked.rest, target.follow, asked);
      if (whole !== "here") return whole;
    }
    const result = await parts.fetcher.fetch(walked.path, asked);
    if (result !== "here") return result;
  }
  return "refused";
}

function walk({ instance }: AnswerParts, target: Target): Promise<Walked | undefined> {
  return walkTo({ ...target, stat: (path) => instance.stat(path) });
}

function combine(results: readonly FetchResult[]): AskAnswer {
  if (results.every((one) => one === "here")) return "again";
  return results.includes("unreachable") ? "no" : "never";
}

/** The program, and what its first line or its ELF header names, and so on. */
async function reachProgram(parts: AnswerParts, question: Question, asked: Asked): Promise<AskAnswer> {
  const { root } = question;
  let { path } = question;
  for (let i = 0; i < mostInterpreters; i++) {
    const result = await reach(parts, { path, root, follow: true }, asked);
    if (result !== "here") return combine([result]);
    const walked = await walk(parts, { path, root, follow: true });
    const next = walked === undefined ? undefined : await interpreterOf(parts.instance, walked.path);
    if (next?.startsWith("/") !== true) return "again";
    path = root + next;
  }
  return "never";
}

async function interpreterOf(files: MachineFiles, path: ByteString): Promise<ByteString | undefined> {
  const head = await files.readRange(path, 0, 256);
  if (head === undefined) return undefined;
  if (!isElf(head)) return parseShebang(head)?.interpreter;
  const elf = await readElf(
    async (offset, length) => (await files.readRange(path, offset, length)) ?? new Uint8Array(0),
  );
  return elf?.interpreter;
}

/** Whoever lists a directory acts on its names: so all of them are there, files with their content, directories without. */
async function completeDirectory(parts: AnswerParts, question: Question, by: ByteString): Promise<AskAnswer> {
  const { path, root } = question;
  const walked = await walk(parts, { path, root, follow: true });
  if (walked?.entry?.kind !== "directory" || !isSweepable(walked.path)) return "never";
  const top = await parts.instance.stat("/");
  // A volume or another mount is nobody's but the instance's.
  if (top === undefined || top.dev !== walked.entry.dev) return "never";
  const told = await parts.source.ask((files) => files.list(walked.path));
  if (told === undefined) return "no";
  const here = new Set((await parts.instance.list(walked.path))?.map((entry) => entry.path));
  const missing = (told.told ?? []).filter(
    (entry) => !here.has(entry.path) && !parts.fetcher.removed(entry.path),
  );
  const wanted = bounded(missing);
  if (wanted.length < missing.length)
    parts.log.warn(
      `tether: ${escapeBytes(walked.path)} has ${missing.length - wanted.length} names more than one listing brings: they come when they are asked for by name`,
    );
  for (const entry of wanted) {
    const asked = { use: entry.kind === "directory" ? "stat" : "read", by, listed: true };
    if ((await parts.fetcher.fetch(entry.path, asked)) === "unreachable") return "no";
  }
  return "never";
}

function bounded(entries: readonly Entry[]): Entry[] {
  let bytes = 0;
  const fits = (entry: Entry): boolean => {
    const size = entry.kind === "file" ? entry.size : 0;
    if (bytes + size > mostBytes) return false;
    bytes += size;
    return true;
  };
  return entries.filter(fits).slice(0, mostNames);
}

/** By its canonical name, as far as its directory has one. */
async function takenAway(parts: AnswerParts, { path, root }: Question): Promise<AskAnswer> {
  const cut = path.lastIndexOf("/");
  const directory = await walk(parts, { path: path.slice(0, Math.max(1, cut)), root, follow: true });
  const base = directory === undefined || directory.path === "/" ? "" : directory.path;
  if (directory !== undefined) parts.fetcher.gone(`${base}/${path.slice(cut + 1)}`);
  return "never";
}
