// What holds between the parts of a descriptor: names that stand for something, and stand for one thing; an order that ends.
import { nearest } from "../base/nearest.ts";
import type { Descriptor } from "./descriptor.ts";

export interface BrokenReference {
  path: (string | number)[];
  message: string;
  hint?: string;
}

/** Everything that keeps init from carrying the descriptor out as a whole; an empty list where nothing does. */
export function brokenReferences(
  value: Pick<Descriptor, "programs" | "services" | "schedules" | "ports" | "volumes" | "secrets" | "hooks">,
): BrokenReference[] {
  return [...twice(value), ...dangling(value), ...circle(value.services)];
}

function* twice(value: Parameters<typeof brokenReferences>[0]): Generator<BrokenReference> {
  const lists: [list: string, key: string, what: string, names: string[]][] = [
    ["programs", "name", "program", value.programs.map((one) => one.name)],
    ["services", "name", "service", value.services.map((one) => one.name)],
    ["schedules", "name", "schedule", value.schedules.map((one) => one.name)],
    ["ports", "port", "port", value.ports.map((one) => `${one.port}/${one.protocol}`)],
    ["volumes", "path", "volume", value.volumes.map((one) => plainPath(one.path))],
    [
      "secrets",
      "path",
      "secret",
      value.secrets.map((one) => (one.delivery === "mount" ? plainPath(one.path) : one.name)),
    ],
  ];
  for (const [list, key, what, names] of lists) {
    const first = new Map<string, number>();
    for (const [index, name] of names.entries()) {
      const before = first.get(name);
      if (before === undefined) first.set(name, index);
      else
        yield {
          path: [list, index, key],
          message: `the ${what} ${name} is there twice: ${list}[${before}] has it too`,
          hint: "remove one of them, or give it another name",
        };
    }
  }
}

function plainPath(path: string): string {
  return path.replace(/\/+/g, "/").replace(/(.)\/$/, "$1");
}

function* dangling(value: Parameters<typeof brokenReferences>[0]): Generator<BrokenReference> {
  const programs = value.programs.map((one) => one.name);
  const services = value.services.map((one) => one.name);
  for (const [i, one] of value.services.entries()) {
    yield* missing(["services", i, "program"], "program", one.program, programs);
    for (const [j, other] of (one.after ?? []).entries())
      yield* missing(["services", i, "after", j], "service", other, services);
  }
  for (const [i, one] of value.schedules.entries())
    yield* missing(["schedules", i, "program"], "program", one.program, programs);
  for (const kind of ["preInstall", "postInstall", "uninstall"] as const) {
    for (const [i, one] of value.hooks[kind].entries())
      if (one.program !== undefined)
        yield* missing(["hooks", kind, i, "program"], "program", one.program, programs);
  }
}

function* missing(
  path: (string | number)[],
  what: string,
  wanted: string,
  known: readonly string[],
): Generator<BrokenReference> {
  if (known.includes(wanted)) return;
  const message = `no ${what} is named ${JSON.stringify(wanted)} (there are: ${known.join(", ") || "none"})`;
  const meant = nearest(wanted, known);
  yield { path, message, ...(meant === undefined ? {} : { hint: `did you mean ${meant}?` }) };
}

/** Services that wait for each other: the first circle, from the service that stands first. */
function* circle(services: Descriptor["services"]): Generator<BrokenReference> {
  const byName = new Map(services.map((one) => [one.name, one]));
  const done = new Set<string>();
  for (const [index, service] of services.entries()) {
    const way = findCircle(service.name, byName, [], done);
    if (way === undefined) continue;
    yield {
      path: ["services", index, "after"],
      message: `services wait for each other in a circle: ${way.join(" -> ")}`,
      hint: "remove one of their `after` entries",
    };
    return;
  }
}

function findCircle(
  name: string,
  byName: ReadonlyMap<string, Descriptor["services"][number]>,
  way: readonly string[],
  done: Set<string>,
): string[] | undefined {
  const seen = way.indexOf(name);
  if (seen >= 0) return [...way.slice(seen), name];
  if (done.has(name)) return undefined;
  for (const next of byName.get(name)?.after ?? []) {
    const found = findCircle(next, byName, [...way, name], done);
    if (found !== undefined) return found;
  }
  done.add(name);
  return undefined;
}
