// The record of what happened to instances, volumes and networks: events/events.jsonl of the state root, one JSON object a line,
// appended by whoever did it (native/supervise among them). It outlives what it tells of. A record that cannot be
// written stops nothing: what happened has happened.
import { appendFileSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, makeDirectory } from "../../host/files.ts";
import { processStartTime } from "../../host/lock.ts";
import { stampAfter } from "../../host/stamp.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { EndRecord, LaunchRecord } from "../launch-record.ts";
import type { InstanceRecord } from "../record.ts";

export type EventType = "instance" | "volume" | "network";

/** As it is written. Times are RFC 3339 in UTC. */
export interface RecordedEvent {
  type: EventType;
  action: string;
  id: string;
  attributes: Readonly<Record<string, string>>;
  /** Of a `start`, and of a `die` that native/supervise wrote: which start of the instance. */
  launch?: string;
  /** Of a `die`: what history tells. */
  run?: RunSummary;
  /** Of a `die` that native/supervise wrote: status, and exit.json of init as text. */
  status?: number;
  exit?: string;
  time: string;
}

/** One start of an instance to its end. */
export interface RunSummary {
  /** Tells one start from the next: see launchName(). */
  launch: string;
  startedAt: string;
  status: number | null;
  reason: string;
  signal: number | null;
  cpuSeconds: number | null;
  /** Of its largest process. */
  peakBytes: number | null;
  /** Files of its own directory that it wrote; null where nobody counted. */
  files: number | null;
}

const largest = 8 << 20;
const mostFiles = 8;

export function eventDirectory(root: StateRoot): string {
  return join(root.path, "events");
}

export function eventFile(root: StateRoot): string {
  return join(eventDirectory(root), "events.jsonl");
}

export function note(
  root: StateRoot,
  record: InstanceRecord,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
  time: Date = new Date(),
): void {
  write(root, { ...instanceEvent(record, action, attributes), time: time.toISOString() });
}

export function instanceEvent(
  record: InstanceRecord,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): Omit<RecordedEvent, "time"> {
  const own = { image: record.image.reference, name: record.name };
  return { type: "instance", action, id: record.id, attributes: { ...record.labels, ...own, ...attributes } };
}

export function noteStart(root: StateRoot, record: InstanceRecord, launch: LaunchRecord): void {
  write(root, {
    ...instanceEvent(record, "start"),
    launch: launchName(launch),
    time: new Date().toISOString(),
  });
}

/** The end of a run. It may be told twice where its teller was killed: readers drop the second. */
export function noteEnd(root: StateRoot, record: InstanceRecord, end: EndRecord, run: RunSummary): void {
  const attributes = { exitCode: end.status === null ? "unknown" : String(end.status) };
  write(root, { ...instanceEvent(record, "die", attributes), run, time: end.endedAt });
}

export function noteOther(
  root: StateRoot,
  event: { type: EventType; action: string; id: string; attributes?: Readonly<Record<string, string>> },
): void {
  write(root, { attributes: {}, ...event, time: new Date().toISOString() });
}

/** Tells one start of an instance from the next. */
export function launchName(launch: LaunchRecord): string {
  return `${launch.startedAt}/${launch.starter.pid}`;
}

function write(root: StateRoot, event: RecordedEvent): void {
  const line = `${JSON.stringify(event)}\n`;
  const file = eventFile(root);
  try {
    append(file, line);
    if (statSync(file).size > largest) rotate(root, file);
  } catch {} // see above
}

function append(file: string, line: string): void {
  try {
    appendFileSync(file, line, { mode: 0o600 });
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
    makeDirectory(join(file, ".."));
    appendFileSync(file, line, { mode: 0o600 });
  }
}

/** Two that rotate at once make two files, which hurts nobody. Who still has the old one open writes into it under its new name. */
function rotate(root: StateRoot, file: string): void {
  const directory = eventDirectory(root);
  const stamp = `${stampAfter(readdirSync(directory))}-${process.pid}-${processStartTime(process.pid) ?? ""}`;
  renameSync(file, join(directory, `events-${stamp}.jsonl`));
  const old = readdirSync(directory)
    .filter((name) => /^events-.*\.jsonl$/.test(name))
    .sort();
  for (const name of old.slice(0, Math.max(0, old.length - mostFiles)))
    rmSync(join(directory, name), { force: true });
}
