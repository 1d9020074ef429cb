// Reading the record of events: all that is kept, and what comes while one looks.
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { StateRoot } from "../../host/state-root.ts";
import { eventDirectory, eventFile, type RecordedEvent } from "./note.ts";

const chunkSize = 256 << 10;
/** Of one line: more is none of ours. */
const longestLine = 1 << 20;

/** Oldest file first; the one that is written last. */
function eventFiles(root: StateRoot): string[] {
  const directory = eventDirectory(root);
  if (!existsSync(directory)) return [];
  const old = readdirSync(directory)
    .filter((name) => /^events-.*\.jsonl$/.test(name))
    .sort();
  return [...old.map((name) => join(directory, name)), eventFile(root)];
}

class EventReader {
  readonly #fd: number;
  readonly inode: number;
  #offset = 0;
  #rest = "";

  constructor(path: string) {
    this.#fd = openSync(path, "r");
    this.inode = fstatSync(this.#fd).ino;
  }

  /** What is whole and was not given yet. */
  *events(): Generator<RecordedEvent> {
    const buffer = Buffer.allocUnsafe(chunkSize);
    for (;;) {
      const count = readSync(this.#fd, buffer, 0, chunkSize, this.#offset);
      if (count === 0) return;
      this.#offset += count;
      const lines = (this.#rest + buffer.toString("latin1", 0, count)).split("\n");
      this.#rest = lines.pop() ?? "";
      if (this.#rest.length > longestLine) this.#rest = "";
      for (const line of lines) {
        const event = parseEvent(Buffer.from(line, "latin1").toString());
        if (event !== undefined) yield event;
      }
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const lineBegin = '{"type":"';

/** undefined for what is no event. A line that a full disk cut short is followed by a whole one on the same line. */
export function parseEvent(line: string): RecordedEvent | undefined {
  const at = line.lastIndexOf(lineBegin);
  for (const text of at > 0 ? [line, line.slice(at)] : [line]) {
    try {
      const value = JSON.parse(text) as Partial<RecordedEvent>;
      const whole =
        typeof value.type === "string" &&
        typeof value.action === "string" &&
        typeof value.id === "string" &&
        typeof value.time === "string";
      if (whole) return withStatus({ attributes: {}, ...value } as RecordedEvent);
    } catch {} // tried from further on, or left out
  }
  return undefined;
}

/** native/supervise gives the status apart. */
function withStatus(event: RecordedEvent): RecordedEvent {
  if (event.status === undefined) return event;
  return { ...event, attributes: { ...event.attributes, exitCode: String(event.status) } };
}

function openEvents(path: string): EventReader | undefined {
  try {
    return new EventReader(path);
  } catch {
    return undefined; // not there (any more)
  }
}

/** A die is told once, also where its teller was killed and another told it again. */
class Once {
  readonly #told = new Set<string>();

  first(event: RecordedEvent): boolean {
    if (event.action !== "die" && event.action !== "destroy") return true;
    const name = `${event.action} ${event.id} ${event.action === "die" ? (event.run?.launch ?? event.launch ?? event.time) : ""}`;
    if (this.#told.has(name)) return false;
    this.#told.add(name);
    return true;
  }
}

export function* storedEvents(root: StateRoot): Generator<RecordedEvent> {
  const once = new Once();
  for (const path of eventFiles(root)) {
    const reader = openEvents(path);
    if (reader === undefined) continue;
    for (const event of reader.events()) if (once.first(event)) yield event;
    reader.close();
  }
}

const pollInterval = 50;

/** What is kept, then what comes, until `signal` is raised or `until` (milliseconds since the epoch) has passed. */
export async function followEvents(
  root: StateRoot,
  options: { signal: AbortSignal; until: number },
  take: (event: RecordedEvent) => void,
): Promise<void> {
  const once = new Once();
  const give = (reader: EventReader): void => {
    for (const event of reader.events()) if (once.first(event)) take(event);
  };
  let reader: EventReader | undefined;
  for (const path of eventFiles(root)) {
    reader?.close();
    reader = openEvents(path);
    if (reader !== undefined) give(reader);
  }
  const file = eventFile(root);
  // A last look after the time, so that what was written before it is told.
  for (let ended = false; ; ) {
    const now = statSync(file, { throwIfNoEntry: false });
    if (reader !== undefined) give(reader);
    if (now !== undefined && now.ino !== reader?.inode) {
      reader?.close();
      reader = openEvents(file);
      continue;
    }
    if (ended || options.signal.aborted) break;
    ended = Date.now() >= options.until;
    if (!ended) await new Promise((resolve) => setTimeout(resolve, pollInterval));
  }
  reader?.close();
}
