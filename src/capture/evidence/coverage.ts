// What the watched run exercised of what is there to be exercised, and what was reachable and never touched. A package is as good as
// the exercise that showed what it needs; these lines say what the exercise left out.
import type { Reason } from "../../closure/reason.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { PlanGroup } from "../plan/plan.ts";
import type { Evidence } from "./evidence.ts";

export interface CoverageLine {
  /** "listeners", "service verbs", "configuration files", "schedules", "document roots", "plug-ins". */
  what: string;
  total: number;
  exercised: number;
  /** The first of those that were not, as texts. */
  never: string[];
}

export interface CoverageFacts {
  evidence: Evidence;
  descriptor: Descriptor;
  /** Services whose unit or script knows reload, with the signals by which it is done. */
  reloadable: ReadonlyMap<string, ReadonlySet<number>>;
  /** The capture itself started the services and stopped them by their own stop commands. */
  startedAndStopped: boolean;
  groups: readonly PlanGroup[];
  reasons: ReadonlyMap<ByteString, readonly Reason[]>;
  isFile: (path: ByteString) => boolean;
}

const neverTold = 1000;

/** Lines of which nothing is there are left out. */
export function coverageOf(facts: CoverageFacts): CoverageLine[] {
  const lines = [
    lineOf("listeners", listeners(facts)),
    lineOf("service verbs", serviceVerbs(facts)),
    lineOf("schedules", schedules(facts)),
    lineOf("configuration files", filesOf(facts, isConfiguration)),
    lineOf("document roots", filesOf(facts, isServed)),
    lineOf("plug-ins", filesOf(facts, isPlugIn)),
  ];
  return lines.filter((line) => line.total > 0);
}

type Items = readonly (readonly [name: string, exercised: boolean])[];

function lineOf(what: string, items: Items): CoverageLine {
  const never = items.filter(([, exercised]) => !exercised).map(([name]) => name);
  return {
    what,
    total: items.length,
    exercised: items.length - never.length,
    never: never.sort().slice(0, neverTold),
  };
}

function listeners({ evidence }: CoverageFacts): Items {
  const ports = evidence.listeners.map(({ family, address, port, protocol }) => {
    const host = family === "inet6" ? `[${address}]` : address;
    return [`${protocol} ${host}:${port}`, evidence.connected.has(port)] as const;
  });
  const sockets = [...evidence.sockets].map(([path, used]) => {
    return [
      `unix ${path.startsWith("\0") ? `@${escapeBytes(path.slice(1))}` : escapeBytes(path)}`,
      used,
    ] as const;
  });
  return [...ports, ...sockets];
}

function serviceVerbs({ descriptor, evidence, reloadable, startedAndStopped }: CoverageFacts): Items {
  const reloaded = (name: string): boolean =>
    [...(evidence.reloads.get(name) ?? [])].some((signal) => reloadable.get(name)?.has(signal) === true);
  return descriptor.services
    .filter((service) => service.type !== "oneshot")
    .flatMap(({ name }) => [
      [`${name} start`, startedAndStopped] as const,
      ...(reloadable.has(name) ? [[`${name} reload`, reloaded(name)] as const] : []),
      [`${name} stop`, startedAndStopped] as const,
    ]);
}

/** A schedule ran where a program of its command, other than a tool of the system, was started. */
function schedules({ descriptor, evidence }: CoverageFacts): Items {
  const programs = new Map(descriptor.programs.map((program) => [program.name, program.command.join(" ")]));
  return descriptor.schedules.map(({ name, program }) => {
    const paths = (programs.get(program) ?? "").match(/\/[\w.@%+~/-]+/g) ?? [];
    const own = paths.filter((path) => !/^\/(usr\/)?s?bin\/|^\/dev\//.test(path));
    return [name, own.some((path) => evidence.paths.get(path)?.uses.has("exec") === true)];
  });
}

type Test = (path: ByteString, reasons: readonly Reason[], group: PlanGroup) => boolean;

/** Files of the plan that fit; used are those that the run opened or started. */
function filesOf({ groups, reasons, isFile }: CoverageFacts, fits: Test): Items {
  const items: [string, boolean][] = [];
  for (const group of groups) {
    if (group.layer === "system") continue;
    for (const path of group.files) {
      const why = reasons.get(path) ?? [];
      if (isFile(path) && fits(path, why, group)) items.push([escapeBytes(path), why.some(isOpened)]);
    }
  }
  return items;
}

/** A look at a file's name or attributes does not use it. */
function isOpened(reason: Reason): boolean {
  return reason.kind === "traced" && !/^(stat|access|readlink|xattr|metadata)$/.test(reason.detail ?? "");
}

/** What the application's own installed packages or directories hold; configuration of mere libraries is not asked for. */
function isConfiguration(_path: ByteString, reasons: readonly Reason[], group: PlanGroup): boolean {
  return (
    group.layer === "config" &&
    reasons.some(({ kind }) => kind === "traced" || kind === "listed" || kind === "configuration")
  );
}

function isServed(_path: ByteString, reasons: readonly Reason[]): boolean {
  return reasons.some((reason) => reason.kind === "listed" && reason.detail === "document root");
}

/** Objects that a program loads by itself: not in a directory of plain libraries. */
function isPlugIn(path: ByteString): boolean {
  return (
    /\.so$/.test(path) &&
    !/^\/(usr\/(local\/)?)?lib(32|64|x32)?\/([a-z0-9_]+-linux-[a-z0-9]+\/)?[^/]+$/.test(path)
  );
}

export function coverageLines(coverage: readonly CoverageLine[], most: number): string[] {
  return coverage.map(({ what, total, exercised, never }) => {
    const shown = never.slice(0, most).join(", ");
    const more = total - exercised - Math.min(never.length, most);
    const rest = more > 0 ? ` and ${more} more` : "";
    const counts = `  ${what.padEnd(20)} ${String(exercised).padStart(5)} of ${String(total).padEnd(5)}`;
    return shown === "" ? counts.trimEnd() : `${counts} never: ${shown}${rest}`;
  });
}
