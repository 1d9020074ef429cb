// What an instance wrote: init's log, also its older files, followed while it grows.
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { StateRoot } from "../host/state-root.ts";
import { findInstance, type Instance } from "./find.ts";
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

  constructor(path: string) {
    this.#fd = openSync(path, "r");
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

function openLog(path: string): LogFile | undefined {
  try {
    return statSync(path).isFile() ? new LogFile(path) : undefined;
  } catch {
    return undefined;
  }
}

const mostFiles = 1000;

/** Oldest first. */
function* stored(path: string): Generator<LogLine> {
  let count = 0;
  while (count < mostFiles && statSync(`${path}.${count + 1}`, { throwIfNoEntry: false }) !== undefined)
    count++;
  for (; count > 0; count--) {
    const file = openLog(`${path}.${count}`);
    if (file === undefined) continue;
    yield* file.lines();
    file.close();
  }
}

/** Gives each line to `write`; with `follow`, returns when the instance has ended or `signal` is raised. */
export async function logsOf(
  root: StateRoot,
  text: string,
  options: LogOptions,
  write: (line: LogLine) => void,
): Promise<void> {
  const instance = findInstance(root, text);
  const path = `${instance.paths.run}/log/all.log`;
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
  for (const line of stored(path)) take(line);
  const file = openLog(path);
  for (const line of file?.lines() ?? []) take(line);
  for (const line of last) write(line);
  if (options.follow === true)
    await follow(instance, path, file, { ...options, write: (line) => wanted(line) && write(line) });
  else file?.close();
}

const pollInterval = 50;

async function follow(
  instance: Instance,
  path: string,
  begun: LogFile | undefined,
  options: LogOptions & { write: (line: LogLine) => void },
): Promise<void> {
  let file = begun;
  for (;;) {
    // Looked at before reading: what it wrote before its end is then read below.
    const { state } = statusOf(instance.paths, instance.record.id);
    file ??= openLog(path);
    for (const line of file?.lines() ?? []) options.write(line);
    const now = statSync(path, { throwIfNoEntry: false });
    if (file !== undefined && now !== undefined && now.ino !== file.inode) {
      // It was moved aside while we read: its last lines, then the new one.
      for (const line of file.lines()) options.write(line);
      file.close();
      file = openLog(path);
      continue;
    }
    const over = options.until !== undefined && Date.now() > Date.parse(options.until);
    if (over || options.signal?.aborted === true || (state !== "running" && state !== "starting")) break;
    await pause(pollInterval);
  }
  file?.close();
}
