// What an instance fetched from its source, and what of it was refused or not there: lines of JSON in the instance's directory, which every
// start goes on with. It is evidence: `misses` shows it, and a package can be made whole by it.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes, unescapeBytes } from "../formats/escape.ts";
import type { Instance } from "./find.ts";

/**
 * fetched: it is in the instance now. refused: the source has it, and it may not be taken. absent: the source lacks it too.
 * unreachable: the source could not be asked.
 */
export const tetherStates = ["fetched", "refused", "absent", "unreachable"] as const;
export type TetherState = (typeof tetherStates)[number];

export interface TetherEvent {
  /** RFC 3339. */
  readonly time: string;
  /** Canonical inside the instance. */
  readonly path: ByteString;
  readonly state: TetherState;
  /** Why it was refused; "listed" where the name came with its directory. */
  readonly why: string;
  readonly kind: string;
  /** Bytes of a regular file. */
  readonly size: number;
  /** sha256 of its data, holes left out; "" for all else. */
  readonly digest: string;
  readonly use: string;
  /** The program that asked. */
  readonly by: ByteString;
}

/** Lines of one instance: beyond, what is absent is no longer written. */
const mostLines = 200_000;

export class TetherLog {
  readonly #file: string;
  #lines: number;

  constructor(file: string) {
    this.#file = file;
    this.#lines = existsSync(file) ? readFileSync(file, "latin1").split("\n").length : 0;
  }

  add(event: Omit<TetherEvent, "time">): void {
    if (this.#lines >= mostLines && event.state !== "fetched") return;
    this.#lines++;
    const line = {
      time: new Date().toISOString(),
      ...event,
      path: escapeBytes(event.path),
      by: escapeBytes(event.by),
    };
    // One write: a line is whole, or cut off by a crash and then no JSON.
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }
}

/** The last word on each path, in the order of the first. Empty where it was never tethered. */
export function readTetherLog({ paths }: Pick<Instance, "paths">): TetherEvent[] {
  if (!existsSync(paths.tethered)) return [];
  const events = new Map<ByteString, TetherEvent>();
  for (const line of readFileSync(paths.tethered, "utf8").split("\n")) {
    const event = eventOf(line);
    if (event === undefined) continue;
    // What was fetched stays so, whatever is asked of that name later.
    if (events.get(event.path)?.state !== "fetched") events.set(event.path, event);
  }
  return [...events.values()];
}

function eventOf(line: string): TetherEvent | undefined {
  let value: Partial<Record<keyof TetherEvent, unknown>> | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    return undefined; // cut off by a crash
  }
  const state = tetherStates.find((one) => one === value?.state);
  if (value === null || state === undefined || typeof value.path !== "string") return undefined;
  const text = (one: unknown): string => (typeof one === "string" ? one : "");
  return {
    time: text(value.time),
    path: unescapeBytes(value.path),
    state,
    why: text(value.why),
    kind: text(value.kind),
    size: typeof value.size === "number" ? value.size : 0,
    digest: text(value.digest),
    use: text(value.use),
    by: unescapeBytes(text(value.by)),
  };
}
