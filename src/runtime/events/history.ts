// The runs of instances: each start with its end, what it used and what it wrote. Told by the record of events, so that it survives the
// instances themselves.
import type { StateRoot } from "../../host/state-root.ts";
import type { Instance } from "../find.ts";
import type { EndRecord, LaunchRecord } from "../launch-record.ts";
import { hasDisk } from "../limits/disk.ts";
import { launchName, type RecordedEvent, type RunSummary } from "./note.ts";
import { storedEvents } from "./read.ts";
import { filesWritten } from "./written.ts";

export interface Run extends RunSummary {
  id: string;
  name: string;
  image: string;
  /** undefined while it runs, or where nobody has noticed its end yet. */
  endedAt: string | undefined;
  /** How often it came up against a limit, by the name of the limit. */
  breaches: Record<string, number>;
}

/** What init wrote of its end: from the instance, so that every field may be anything. */
export interface ExitFacts {
  signal: number | null;
  cpuSeconds: number | null;
  peakBytes: number | null;
  startedAt: string | undefined;
}

export function exitFacts(text: string | undefined): ExitFacts {
  let value: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(text ?? "");
    if (typeof parsed === "object" && parsed !== null) value = parsed as Record<string, unknown>;
  } catch {} // nothing known
  const rss = numberOf(value.maxRssKiB);
  return {
    signal: numberOf(value.signal),
    cpuSeconds: numberOf(value.cpuSeconds),
    peakBytes: rss === null ? null : rss * 1024,
    startedAt: typeof value.startedAt === "string" ? value.startedAt.slice(0, 40) : undefined,
  };
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

/** `exit`: the text of exit.json; `usage` stands in where init wrote none. */
export function summarize(
  { paths, record }: Instance,
  launch: LaunchRecord | undefined,
  end: EndRecord,
  exit: string | undefined,
  usage: Pick<ExitFacts, "cpuSeconds" | "peakBytes"> | undefined,
): RunSummary {
  const { startedAt: _, ...told } = exitFacts(exit);
  const facts = exit === undefined ? { ...told, ...usage } : told;
  return {
    launch: launch === undefined ? "" : launchName(launch),
    startedAt: launch?.startedAt ?? "",
    status: end.status,
    reason: end.reason,
    ...facts,
    // A disk of its own has gone with its launch.
    files:
      launch === undefined || hasDisk(record.limits)
        ? null
        : filesWritten(paths.upper, Date.parse(launch.startedAt)),
  };
}

/** Every run that the events tell of, oldest first. */
export function historyOf(root: StateRoot): Run[] {
  const open = new Map<string, Run>();
  const runs: Run[] = [];
  const names = new Map<string, string>();
  for (const event of storedEvents(root)) {
    if (event.type !== "instance") continue;
    names.set(event.id, event.attributes.name ?? "");
    if (event.action === "start") {
      const run = startedRun(event);
      open.set(`${event.id} ${run.launch}`, run);
      runs.push(run);
    } else if (event.action === "oom" || event.action === "breach") {
      addBreach(
        runs.findLast((run) => run.id === event.id),
        event,
      );
    } else if (event.action === "die") {
      const ended = endedRun(event);
      const run = open.get(`${event.id} ${ended.launch}`);
      if (run === undefined) runs.push(ended);
      else Object.assign(run, { ...ended, startedAt: startOf(run, ended), breaches: run.breaches });
    }
  }
  // By the last name that it had: that is how people ask for it.
  return runs.map((run) => ({ ...run, name: names.get(run.id) ?? run.name }));
}

/** A start is told when it is done; what ended before that began when its launch did. */
function startOf(run: Run, ended: Run): string {
  const told = Date.parse(run.startedAt) <= Date.parse(ended.endedAt ?? run.startedAt);
  return told || ended.startedAt === "" ? run.startedAt : ended.startedAt;
}

/** Events before 2026-12 name neither limit nor count: they were of memory. */
function addBreach(run: Run | undefined, { attributes }: RecordedEvent): void {
  if (run === undefined) return;
  const limit = attributes.limit ?? "memory";
  run.breaches[limit] = (run.breaches[limit] ?? 0) + Number(attributes.count ?? 1);
}

function startedRun(event: RecordedEvent): Run {
  return {
    ...owner(event),
    breaches: {},
    launch: event.launch ?? "",
    startedAt: event.time,
    endedAt: undefined,
    status: null,
    reason: "",
    signal: null,
    cpuSeconds: null,
    peakBytes: null,
    files: null,
  };
}

function endedRun(event: RecordedEvent): Run {
  if (event.run !== undefined) return { ...owner(event), ...event.run, endedAt: event.time, breaches: {} };
  // By native/supervise, which looks after instances that wrote nothing.
  const { startedAt = event.time, ...facts } = exitFacts(event.exit);
  const status = event.status ?? null;
  return {
    ...owner(event),
    breaches: {},
    launch: event.launch ?? "",
    startedAt,
    endedAt: event.time,
    status,
    reason: facts.signal === null ? `ended with status ${status}` : `ended by signal ${facts.signal}`,
    ...facts,
    files: 0,
  };
}

function owner({ id, attributes }: RecordedEvent): Pick<Run, "id" | "name" | "image"> {
  return { id, name: attributes.name ?? "", image: attributes.image ?? "" };
}
