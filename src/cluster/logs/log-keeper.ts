// What containers wrote, kept on their node when they are removed: a file for each run of a container, until its time is over or there is too much.
//
// Theory. As long as a container is there, its log is where its engine has it. It is copied here before the container is removed: to a
// temporary file that gets its name when it is whole. Whoever is killed meanwhile finds the container again, and copies it again.
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync } from "node:fs";
import { open, rename, utimes } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../../host/files.ts";
import type { LogEvent, LogSource, OrderedLines } from "./log-event.ts";
import { textLines } from "./text-lines.ts";

export interface Retention {
  /** Milliseconds that lines are kept, where a group has no time of its own. */
  otherwise: number;
  groups: ReadonlyMap<string, number>;
  /** Bytes of all that is kept. */
  limit: number;
}

interface Kept {
  path: string;
  size: number;
  /** When its last line was written, in milliseconds since 1970. */
  until: number;
}

/** The first line of a file. */
type Header = LogSource & { from: string };

type Line = [time: string, stream: 1 | 2, text: string, partial?: 1];

const fileName = /^[0-9a-f]{32}\.[A-Za-z0-9_-]{1,255}\.[0-9a-f]{1,64}\.jsonl$/;
const longestHeader = 8192;
const chunk = 64 << 10;
/** Bytes that a file takes at least, however little is in it: containers that end at once leave thousands. */
const block = 4096;
/** Of the limit: what stays when there was too much, so that not every further file means a look at all of them. */
const staying = 0.95;

export class LogKeeper {
  readonly #directory: string;
  readonly retention: Retention;
  #swept = 0;
  /** Bytes of all files, as far as we know without looking. */
  #total = 0;

  /** The directory is made; what a copy that was killed has left there goes. */
  constructor(directory: string, retention: Retention) {
    this.#directory = directory;
    this.retention = retention;
    makeDirectory(directory);
    for (const name of readdirSync(directory))
      if (name.startsWith(".")) rmSync(join(directory, name), { force: true });
  }

  /** Copies the lines of one run of a container; without effect where it has none. `run`: its id. */
  async keep(source: LogSource, run: string, lines: AsyncIterable<LogEvent>): Promise<void> {
    const name = `${source.task}.${source.container}.${run}.jsonl`;
    const temporary = join(this.#directory, `.${name}`);
    let last: string | undefined;
    let size = 0;
    const file = await open(temporary, "w", 0o600);
    try {
      let text = "";
      for await (const event of lines) {
        if (last === undefined)
          text += `${JSON.stringify({ ...source, from: event.time.slice(0, 40) } satisfies Header)}\n`;
        last = event.time;
        text += `${JSON.stringify(lineOf(event))}\n`;
        if (text.length < chunk) continue;
        size += (await file.write(text)).bytesWritten;
        text = "";
        if (size > this.retention.limit) break; // nobody may fill the disk
      }
      size += (await file.write(text)).bytesWritten;
      await file.datasync();
    } finally {
      await file.close();
    }
    if (last === undefined) {
      rmSync(temporary, { force: true });
      return;
    }
    // A container can write what it wants into its log. With a time to come its lines would outlive those of all others.
    const at = new Date(Math.min(Date.now(), Date.parse(last) || Date.now()));
    await utimes(temporary, at, at);
    await rename(temporary, join(this.#directory, name));
    this.#total += Math.max(block, size);
    this.sweep(this.#total > this.retention.limit);
  }

  /** Oldest first. Files that are not ours, or damaged, are passed over. */
  find(wanted: (source: LogSource) => boolean): (OrderedLines & { run: string })[] {
    this.sweep();
    return this.#files().flatMap(({ path, until }) => {
      const header = readHeader(path);
      if (header === undefined || !wanted(header) || until + this.timeOf(header) < Date.now()) return [];
      const { from, ...source } = header;
      const [run = ""] = /[0-9a-f]+(?=\.jsonl$)/.exec(path) ?? [];
      return [{ from, run, open: () => linesOf(path, source) }];
    });
  }

  /** How long lines of a group are kept, in milliseconds. */
  timeOf({ group }: Pick<LogSource, "group">): number {
    return this.retention.groups.get(group ?? "") ?? this.retention.otherwise;
  }

  /** At most once a minute, unless there is too much. */
  sweep(now = false): void {
    if (!now && Date.now() - this.#swept < 60_000) return;
    this.#swept = Date.now();
    const files = this.#files();
    this.#total = files.reduce((sum, { size }) => sum + size, 0);
    const { limit, otherwise, groups } = this.retention;
    const wanted = this.#total > limit ? limit * staying : limit;
    const shortest = Math.min(otherwise, ...groups.values());
    for (const { path, until, size } of files) {
      if (this.#total <= wanted && until + shortest >= this.#swept) break; // those behind it are younger
      const header = readHeader(path);
      const over = header === undefined || until + this.timeOf(header) < this.#swept;
      const tooMuch = this.#total > limit || (this.#total > wanted && size <= limit - wanted);
      if (!over && !tooMuch) continue;
      rmSync(path, { force: true });
      this.#total -= size;
    }
  }

  #files(): Kept[] {
    return readdirSync(this.#directory)
      .filter((name) => fileName.test(name))
      .flatMap((name) => {
        const path = join(this.#directory, name);
        const stat = statSync(path, { throwIfNoEntry: false });
        return stat === undefined ? [] : [{ path, size: Math.max(block, stat.size), until: stat.mtimeMs }];
      })
      .sort((left, right) => left.until - right.until);
  }
}

function lineOf({ time, stream, text, partial }: LogEvent): Line {
  const number = stream === "stderr" ? 2 : 1;
  return partial ? [time, number, text, 1] : [time, number, text];
}

function readHeader(path: string): Header | undefined {
  try {
    const bytes = Buffer.alloc(longestHeader);
    const fd = openSync(path, "r");
    try {
      const text = bytes.subarray(0, readSync(fd, bytes)).toString();
      return JSON.parse(text.slice(0, text.indexOf("\n"))) as Header;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

async function* linesOf(path: string, source: LogSource): AsyncGenerator<LogEvent> {
  const file = await open(path, "r").catch(() => undefined); // its time may just be over
  if (file === undefined) return;
  const input = file.createReadStream({ start: 0 });
  try {
    let first = true;
    for await (const text of textLines(input)) {
      if (first) first = false;
      else {
        const [time, stream, words, partial] = JSON.parse(text) as Line;
        const event = { ...source, time, stream: stream === 2 ? "stderr" : "stdout", text: words } as const;
        yield partial === 1 ? { ...event, partial: true } : event;
      }
    }
  } finally {
    input.destroy();
  }
}
