// The record of an instance that is being made: what its package says, where nothing else was asked for.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { randomHex } from "../host/random.ts";
import type { CreateOptions } from "./create-options.ts";
import { chosenElements } from "./elements.ts";
import { mergeEnvironment } from "./environment.ts";
import { healthRule } from "./health/rule.ts";
import { checkKept, instanceIdentity } from "./identity/identity.ts";
import type { OpenPackage } from "./image.ts";
import { viewsUsers } from "./inprocess/users.ts";
import { chosenLimits } from "./limits/limits.ts";
import { packageHostname } from "./network/files.ts";
import { identityOn, networkRecord, networkRedirections, type Plugged } from "./network/plug.ts";
import { exposedPorts } from "./network/ports.ts";
import { neededCapabilities } from "./oci/capabilities.ts";
import type { InstanceImage, InstanceMount, InstanceRecord } from "./record.ts";
import { stopTime } from "./stop-time.ts";
import { profileOf } from "./syscall-profile.ts";
import type { LentIds } from "./userns/lend.ts";
import { checkVolumeName } from "./volumes/volumes.ts";

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What it has taken already. */
export interface Given {
  readonly id: string;
  readonly name: string;
  readonly plugged: Plugged;
  readonly userns: LentIds | undefined;
}

export async function newRecord(
  given: Given,
  options: CreateOptions,
  opened: OpenPackage,
): Promise<InstanceRecord> {
  return await withElements(makeRecord(given, options, opened), opened);
}

function imageOf({ reference }: CreateOptions, { digest, diffIds, linked }: OpenPackage): InstanceImage {
  const image = { reference, digest, diffIds };
  if (linked.length === 0) return image;
  return { ...image, linked: linked.map(({ id, digest }) => ({ id, digest })) };
}

function makeRecord(given: Given, options: CreateOptions, opened: OpenPackage): InstanceRecord {
  const config = opened.config;
  const { facts } = opened;
  checkKept(options.identity?.keep ?? [], facts, options.reference);
  const identity = instanceIdentity(options.identity ?? {}, facts);
  const taken = identityOn(given.plugged.mode, identity.taken);
  const redirected = networkRedirections(
    options,
    opened.descriptor?.redirections.network ?? [],
    given.plugged,
  );
  const ports = [
    ...(options.ports ?? []),
    ...(options.publishAll ? exposedPorts([...config.exposedPorts, ...(options.expose ?? [])]) : []),
  ];
  return {
    tranship: "instance",
    version: 1,
    id: given.id,
    name: given.name,
    createdAt: new Date().toISOString(),
    image: imageOf(options, opened),
    ...(opened.descriptorFrom === "inside" ? {} : { descriptor: describedBy(opened, options) }),
    engine: options.engine ?? "namespace",
    command: commandOf(options, opened),
    terminal: options.terminal ?? false,
    interactive: options.interactive ?? false,
    environment: mergeEnvironment([defaultPath, ...config.environment], options.environment ?? []),
    workingDirectory: options.workingDirectory ?? (config.workingDirectory || "/"),
    user: options.user ?? config.user,
    hostname: hostnameOf(given, options, opened),
    identity: { ...identity, taken },
    network: {
      ...networkRecord(given.plugged, ports, taken),
      ...(redirected.length === 0 ? {} : { redirections: redirected }),
      ...optional("resolver", options.resolver),
    },
    mounts: mountsOf(options.mounts ?? [], opened, options.engine === "inprocess"),
    ...elementsOf(options, opened),
    ...inProcessOf(options, opened),
    secrets: options.secrets ?? [],
    limits: chosenLimits(options.limits ?? {}, facts?.limits ?? {}),
    ...optional("userns", given.userns),
    capAdd: options.capAdd ?? [],
    capDrop: options.capDrop ?? [],
    ...(facts?.capabilities ? { capabilities: neededCapabilities(facts.capabilities).given } : {}),
    readOnly: options.readOnly ?? false,
    ...optional("sysctls", options.sysctls),
    ...profileOf(options, facts),
    ...(options.noNewPrivileges === true ? { noNewPrivileges: true } : {}),
    ...optional("groupAdd", options.groupAdd),
    ...optional("devices", options.devices),
    restart: options.restart ?? { policy: "no", attempts: 0 },
    stop: {
      signal: options.stopSignal ?? (config.stopSignal || "SIGTERM"),
      timeout: options.stopTimeout ?? stopTime(opened.plan, commandOf(options, opened)),
    },
    ...optional("log", options.log),
    ...optional(
      "health",
      options.engine === "inprocess" ? undefined : healthRule(options.health ?? {}, config.healthcheck),
    ),
    labels: { ...config.labels, ...options.labels },
    autoRemove: options.autoRemove ?? false,
    ...optional("observe", options.observe),
    ...optional("tether", options.tether),
  };
}

/** What only the in-process engine carries out. */
function inProcessOf(
  { engine, logRedirections, confine, users }: CreateOptions,
  { descriptor }: OpenPackage,
): Pick<InstanceRecord, "excludes" | "logsRedirections" | "confine" | "users"> {
  if (engine !== "inprocess") return {};
  const excludes = descriptor?.excludes ?? [];
  return {
    ...(excludes.length === 0 ? {} : { excludes }),
    ...(logRedirections === true ? { logsRedirections: true } : {}),
    ...(confine === true ? { confine: true } : {}),
    ...(viewsUsers(users, descriptor) ? { users: "view" } : {}),
  };
}

function elementsOf(
  { elements = {} }: CreateOptions,
  { descriptor }: OpenPackage,
): Pick<InstanceRecord, "elements"> {
  const chosen = chosenElements(elements, descriptor?.elements);
  return chosen === undefined || process.arch !== "x64" ? {} : { elements: chosen };
}

/** As above, where the vsyscall page has a say. */
async function withElements(record: InstanceRecord, opened: OpenPackage): Promise<InstanceRecord> {
  const { descriptor, layers } = opened;
  // Nearly always there is nothing to ask the programs.
  const clocked = (record.elements?.clock ?? null) !== null;
  if (process.arch !== "x64" || (!clocked && readFileSync("/proc/self/maps").includes("[vsyscall]")))
    return record;
  const { withVsyscall } = await import("./vsyscall.ts");
  const commands = [record.command, ...(descriptor?.programs ?? []).map(({ command }) => command)];
  const elements = await withVsyscall({
    elements: record.elements,
    wanted: descriptor?.elements.vsyscall ?? "auto",
    programs: commands.flatMap(([program]) => program ?? []),
    layers,
  });
  return elements === undefined ? record : { ...record, elements };
}

/** Absent where there is none. */
function optional<K extends string, T>(key: K, value: T | undefined): { [key in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]?: T });
}

function hostnameOf(
  { id, plugged }: { id: string; plugged: Plugged },
  options: CreateOptions,
  { facts, layers }: OpenPackage,
): string {
  const own = options.hostname ?? facts?.identity.hostname ?? packageHostname(layers);
  return plugged.hostname ?? own ?? id.slice(0, 12);
}

function describedBy(opened: OpenPackage, { descriptorFile }: CreateOptions): string {
  return opened.descriptorFrom === "file" ? resolve(descriptorFile ?? "") : "package";
}

/** What init gets to do. A package's entry point is init itself; any other entry point and its command run under ours. */
function commandOf(options: CreateOptions, opened: OpenPackage): readonly string[] {
  if (options.entrypoint !== undefined) return [...options.entrypoint, ...options.command];
  const { entrypoint, command } = opened.config;
  const more = options.command.length > 0 ? options.command : command;
  return opened.isPackage ? more : [...entrypoint, ...more];
}

/**
 * Those of the command line, then a new anonymous volume for each volume of the package that none of them covers; in process these stay in its own copy of the
 * package.
 */
function mountsOf(given: readonly InstanceMount[], opened: OpenPackage, inProcess: boolean): InstanceMount[] {
  const named = given.map((mount) => {
    if (mount.kind !== "volume") return mount;
    if (mount.source === "") return { ...mount, source: randomHex(32) };
    return { ...mount, source: checkVolumeName(mount.source) };
  });
  const covered = new Set(named.map((mount) => mount.target));
  const own = (inProcess ? [] : opened.volumes)
    .filter((volume) => !covered.has(volume.path))
    .map((volume) => ({
      kind: "volume" as const,
      source: randomHex(32),
      target: volume.path,
      readOnly: false,
      anonymous: true,
      seed: volume.seed,
    }));
  const seeds = new Map(opened.volumes.map((volume) => [volume.path, volume.seed]));
  return [
    ...named.map((mount) => ({ ...mount, seed: mount.seed && (seeds.get(mount.target) ?? true) })),
    ...own,
  ];
}
