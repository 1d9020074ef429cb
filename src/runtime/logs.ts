// What an instance wrote: init's log, also its older files, followed while it grows.
import { closeSync, fstatSync, readSync, statSync } from "node:fs";
import type { StateRoot } from "../host/state-root.ts";
import { openBelow } from "../host/untrusted.ts";
import { findAny, type Instance } from "./find.ts";
import { pause } from "./processes.ts";
import { statusOf } from "./state.ts";

export interface LogLine {
  text: string;
  stream: "stdout" | "stderr";
  time: string;
  service: string;
  /** The line went on, or ended without a newline. */
  partial: boolean;
}

export interface LogOptions {
  follow?: boolean;
  /** Only so many of the last lines. */
  tail?: number;
  /** RFC 3339. */
  since?: string;
  /** RFC 3339. */
  until?: string;
  service?: string;
  signal?: AbortSignal;
}

const chunkSize = 64 << 10;
const longestLine = 4 << 20;

/** One log file, read from its beginning on and again when it has grown. */
class LogFile {
  readonly #fd: number;
  readonly inode: number;
  #offset = 0;
  #rest = "";
  readonly #decoder = new TextDecoder();

  /** The descriptor is closed with it. */
  constructor(fd: number) {
    this.#fd = fd;
    this.inode = fstatSync(this.#fd).ino;
  }

  /** Lines that are whole now. */
  *lines(): Generator<LogLine> {
    const buffer = Buffer.allocUnsafe(chunkSize);
    for (;;) {
      const count = readSync(this.#fd, buffer, 0, chunkSize, this.#offset);
      if (count === 0) return;
      this.#offset += count;
      const parts = (this.#rest + this.#decoder.decode(buffer.subarray(0, count), { stream: true })).split(
        "\n",
      );
      this.#rest = parts.pop() ?? "";
      if (this.#rest.length > longestLine) this.#rest = "";
      for (const part of parts) {
        const line = parseLine(part);
        if (line !== undefined) yield line;
      }
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** undefined for what is no line of init's: the instance can write into this file. */
export function parseLine(text: string): LogLine | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    if (typeof value.log !== "string" || typeof value.time !== "string") return undefined;
    return {
      text: value.log,
      stream: value.stream === "stderr" ? "stderr" : "stdout",
      time: value.time,
      service: typeof value.service === "string" ? value.service : "",
      partial: value.partial === true,
    };
  } catch {
    return undefined;
  }
}

/** `run`: the instance's run directory, into which it can write. */
function openLog(run: string, name: string): LogFile | undefined {
  const fd = openBelow(run, "log", name);
  return fd === undefined ? undefined : new LogFile(fd);
}

const mostFiles = 1000;

/** Oldest first. */
function* stored(run: string): Generator<LogLine> {
  let count = 0;
  const there = (number: number): boolean =>
    statSync(`${run}/log/all.log.${number}`, { throwIfNoEntry: false }) !== undefined;
  while (count < mostFiles && there(count + 1)) count++;
  for (; count > 0; count--) {
    const file = openLog(run, `all.log.${count}`);
    if (file === undefined) continue;
    yield* file.lines();
    file.close();
  }
}

/** What there is, then with `follow` what comes until the instance has ended or `signal` is raised; for a reader that takes its time. */
export async function* logLines(
  root: StateRoot,
  text: string,
  { since, follow: goOn, signal }: Pick<LogOptions, "since" | "follow" | "signal">,
): AsyncGenerator<LogLine> {
  const instance = findAny(root, text);
  const { run } = instance.paths;
  const late = ({ time }: LogLine): boolean => since === undefined || time >= since;
  for (const line of stored(run)) if (late(line)) yield line;
  let file = openLog(run, "all.log");
  try {
    for (;;) {
      // Looked at before reading: what it wrote before its end is then read below.
      const { state } = statusOf(instance.paths, instance.record.id);
      file ??= openLog(run, "all.log");
      for (const line of file?.lines() ?? []) if (late(line)) yield line;
      const now = statSync(`${run}/log/all.log`, { throwIfNoEntry: false });
      if (file !== undefined && now !== undefined && now.ino !== file.inode) {
        for (const line of file.lines()) if (late(line)) yield line;
        file.close();
        file = openLog(run, "all.log");
        continue;
      }
      if (goOn !== true || signal?.aborted === true || (state !== "running" && state !== "starting")) return;
      await pause(pollInterval);
    }
  } finally {
    file?.close();
  }
}

/** Gives each line to `write`; with `follow`, returns when the instance has ended or `signal` is raised. */
export async function logsOf(
  root: StateRoot,
  text: string,
  options: LogOptions,
  write: (line: LogLine) => void,
): Promise<void> {
  const instance = findAny(root, text);
  const { run } = instance.paths;
  const wanted = (line: LogLine): boolean =>
    (options.since === undefined || line.time >= options.since) &&
    (options.until === undefined || line.time <= options.until) &&
    (options.service === undefined || line.service === options.service);
  const last: LogLine[] = [];
  const take = (line: LogLine): void => {
    if (!wanted(line)) return;
    if (options.tail === undefined) write(line);
    else last.push(line);
    if (options.tail !== undefined && last.length > options.tail) last.shift();
  };
  for (const line of stored(run)) take(line);
  const file = openLog(run, "all.log");
  for (const line of file?.lines() ?? []) take(line);
  for (const line of last) write(line);
  if (options.follow === true)
    await follow(instance, file, { ...options, write: (line) => wanted(line) && write(line) });
  else file?.close();
}

const pollInterval = 50;

async function follow(
  instance: Instance,
  begun: LogFile | undefined,
  options: LogOptions & { write: (line: LogLine) => void },
): Promise<void> {
  const { run } = instance.paths;
  let file = begun;
  for (;;) {
    // Looked at before reading: what it wrote before its end is then read below.
    const { state } = statusOf(instance.paths, instance.record.id);
    file ??= openLog(run, "all.log");
    for (const line of file?.lines() ?? []) options.write(line);
    const now = statSync(`${run}/log/all.log`, { throwIfNoEntry: false });
    if (file !== undefined && now !== undefined && now.ino !== file.inode) {
      // It was moved aside while we read: its last lines, then the new one.
      for (const line of file.lines()) options.write(line);
      file.close();
      file = openLog(run, "all.log");
      continue;
    }
    const over = options.until !== undefined && Date.now() > Date.parse(options.until);
    if (over || options.signal?.aborted === true || (state !== "running" && state !== "starting")) break;
    await pause(pollInterval);
  }
  file?.close();
}
