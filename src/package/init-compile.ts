// Descriptor -> InitPlan: names become indices, services are put in starting order, texts become numbers.
import { TranshipError } from "../base/errors.ts";
import { parseDuration, parseSize } from "../base/units.ts";
import { parseCron } from "./cron.ts";
import type { Descriptor, Readiness, Service } from "./descriptor.ts";
import type {
  InitPlan,
  PlannedReadiness,
  PlannedSchedule,
  PlannedSecret,
  PlannedService,
  PlannedVolume,
  Variables,
} from "./init-plan.ts";
import { compileSockets } from "./init-sockets.ts";
import { signalOf } from "./signals.ts";

const defaultLog = { maxSize: 10 * 1024 * 1024, maxFiles: 3 };
const longest = 0xffff_fffe;

/** E_DESCRIPTOR_INVALID names the offending entry. The descriptor is taken as checked by its schema otherwise. */
export function compileInitPlan(descriptor: Descriptor): InitPlan {
  const programs = indexByName("program", descriptor.programs);
  const services = startingOrder(descriptor.services);
  return {
    log: defaultLog,
    environment: variables(descriptor.environment),
    directories: descriptor.directories.map((directory) => ({
      path: absolute("directory", directory.path),
      mode: octal(directory.mode, directory.path),
      uid: directory.uid,
      gid: directory.gid,
      empty: directory.empty ?? false,
    })),
    volumes: descriptor.volumes.map(compileVolume),
    secrets: descriptor.secrets.map(
      (secret): PlannedSecret => ({
        delivery: secret.delivery,
        name: secret.delivery === "mount" ? absolute("secret", secret.path) : secret.name,
        required: secret.required,
        reason: secret.reason ?? "",
      }),
    ),
    programs: descriptor.programs.map((program) => {
      if (program.command.length === 0) throw invalid(`program ${program.name} has an empty command`);
      return {
        name: program.name,
        command: [...program.command],
        workingDirectory: program.workingDirectory ?? "",
        user: program.user ?? "",
        environment: variables(program.environment ?? {}),
      };
    }),
    services: compileServices(services, programs),
    schedules: compileSchedules(descriptor, programs),
    sockets: compileSockets(services),
  };
}

function compileVolume(volume: Descriptor["volumes"][number]): PlannedVolume {
  const bytes =
    volume.size === undefined ? 1 : parsed(`volume ${volume.path}`, () => parseSize(volume.size ?? ""));
  const path = absolute("volume", volume.path);
  return { path, initial: volume.initial, promised: volume.initial !== "none" && bytes > 0 };
}

function compileSchedules(descriptor: Descriptor, programs: ReadonlyMap<string, number>): PlannedSchedule[] {
  indexByName("schedule", descriptor.schedules);
  return descriptor.schedules.map((schedule) => {
    const result = parseCron(schedule.cron);
    if ("problem" in result) throw invalid(`schedule ${schedule.name}: ${result.problem}`);
    return {
      name: schedule.name,
      expression: schedule.cron,
      program: find(programs, schedule.program, `schedule ${schedule.name}: program`),
      times: result.times,
    };
  });
}

function compileServices(
  ordered: readonly Service[],
  programs: ReadonlyMap<string, number>,
): PlannedService[] {
  const positions = indexByName("service", ordered);
  return ordered.map((service) => compileService(service, positions, programs));
}

function compileService(
  service: Service,
  positions: ReadonlyMap<string, number>,
  programs: ReadonlyMap<string, number>,
): PlannedService {
  const label = `service ${service.name}`;
  const type = service.type ?? "simple";
  if (type === "forking" && !service.pidFile) {
    throw invalid(`${label} is forking, but has no pidFile`, "add pidFile, or start it in the foreground");
  }
  const restart = service.restart ?? { policy: "no" as const };
  const stop = service.stop ?? {};
  return {
    name: service.name,
    program: find(programs, service.program, `${label}: program`),
    startup: service.startup ?? "auto",
    essential: service.essential ?? true,
    type,
    pidFile: service.pidFile === undefined ? "" : absolute(`${label}: pidFile`, service.pidFile),
    after: [...new Set(service.after ?? [])].map((name) => find(positions, name, `${label}: after`)),
    readiness: compileReadiness(label, service.readiness ?? {}),
    restart: {
      policy: restart.policy,
      attempts: restart.attempts ?? (restart.policy === "always" ? null : 5),
      backoff: duration(`${label}: restart.backoff`, restart.backoff ?? "1s"),
    },
    stop: {
      signal: signalNumber(`${label}: stop.signal`, stop.signal ?? "SIGTERM"),
      timeout: duration(`${label}: stop.timeout`, stop.timeout ?? "10s"),
      command: [...(stop.command ?? [])],
    },
  };
}

function compileReadiness(label: string, readiness: Readiness): PlannedReadiness {
  const { port, file, exec, log } = readiness;
  const timeout = duration(`${label}: readiness.timeout`, readiness.timeout ?? "30s");
  if ([port, file, exec, log].filter((kind) => kind !== undefined).length > 1) {
    throw invalid(`${label}: readiness has more than one of port, file, exec and log`);
  }
  if (port !== undefined) {
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalid(`${label}: not a port: ${port}`);
    return { kind: "port", port, timeout };
  }
  if (file !== undefined) return { kind: "file", file: absolute(`${label}: readiness.file`, file), timeout };
  if (exec !== undefined) {
    if (exec.length === 0) throw invalid(`${label}: readiness.exec is empty`);
    return { kind: "exec", exec: [...exec], timeout };
  }
  return log === undefined ? { kind: "none", timeout } : { kind: "log", log, timeout };
}

/** Stable: the written order wherever `after` allows it. */
function startingOrder(services: readonly Service[]): Service[] {
  const known = new Set(services.map((service) => service.name));
  const placed = new Set<string>();
  const ordered: Service[] = [];
  let rest = [...services];
  while (rest.length > 0) {
    const next = rest.find((service) =>
      (service.after ?? []).every((name) => placed.has(name) || !known.has(name)),
    );
    if (next === undefined) {
      const circle = rest.map((service) => service.name).join(", ");
      throw invalid(
        `services wait for each other in a circle: ${circle}`,
        "remove one of their `after` entries",
      );
    }
    placed.add(next.name);
    ordered.push(next);
    rest = rest.filter((service) => service !== next);
  }
  return ordered;
}

function variables(record: Readonly<Record<string, string>>): Variables {
  return Object.entries(record).map(([name, value]) => {
    if (name === "" || name.includes("=")) throw invalid(`not a variable name: ${JSON.stringify(name)}`);
    return [name, value] as const;
  });
}

function indexByName(what: string, items: ReadonlyArray<{ readonly name: string }>): Map<string, number> {
  const index = new Map<string, number>();
  for (const [position, { name }] of items.entries()) {
    if (name === "") throw invalid(`a ${what} has no name`);
    if (index.has(name)) throw invalid(`two entries are called ${what} ${name}`);
    index.set(name, position);
  }
  return index;
}

function find(index: ReadonlyMap<string, number>, name: string, label: string): number {
  const position = index.get(name);
  if (position === undefined) {
    const known = [...index.keys()].join(", ") || "none";
    throw invalid(`${label} ${JSON.stringify(name)} does not exist`, `known: ${known}`);
  }
  return position;
}

function absolute(label: string, path: string): string {
  if (!path.startsWith("/")) throw invalid(`${label} is not an absolute path: ${JSON.stringify(path)}`);
  return path;
}

function octal(text: string, path: string): number {
  if (!/^[0-7]{3,5}$/.test(text) || Number.parseInt(text, 8) > 0o7777) {
    throw invalid(`directory ${path}: not an octal mode: ${JSON.stringify(text)}`);
  }
  return Number.parseInt(text, 8);
}

function duration(label: string, text: string): number {
  const milliseconds = Math.round(parsed(label, () => parseDuration(text)));
  if (milliseconds > longest) throw invalid(`${label} is longer than 49 days: ${text}`);
  return milliseconds;
}

function parsed(label: string, parse: () => number): number {
  try {
    return parse();
  } catch (error) {
    throw invalid(`${label}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function signalNumber(label: string, text: string): number {
  const number = signalOf(text);
  if (number === undefined) throw invalid(`${label} is no signal: ${JSON.stringify(text)}`);
  return number;
}

function invalid(message: string, hint?: string): TranshipError {
  return new TranshipError("E_DESCRIPTOR_INVALID", message, hint === undefined ? {} : { hint });
}
