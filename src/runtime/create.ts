// Creating an instance: its record, its directory, its name and its address; nothing of it runs yet.
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { bootId } from "../host/boot-id.ts";
import { writeFileAtomic, writeFilePlain } from "../host/files.ts";
import { processStartTime } from "../host/lock.ts";
import { randomHex } from "../host/random.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { supervisorPid } from "../host/supervisor.ts";
import { monotonicNow } from "../host/uptime.ts";
import { type Draft, makeDraft, takeDraft } from "./draft.ts";
import { chosenElements, type ElementOptions } from "./elements.ts";
import { mergeEnvironment } from "./environment.ts";
import { note } from "./events/note.ts";
import { readInstance } from "./find.ts";
import { type HealthRequest, healthRule } from "./health/rule.ts";
import { checkKept, type IdentityOptions, instanceIdentity } from "./identity/identity.ts";
import { type OpenPackage, openPackage } from "./image.ts";
import { checkLimits } from "./limits/check.ts";
import { hasDisk, makeDisk } from "./limits/disk.ts";
import { chosenLimits, type Limits } from "./limits/limits.ts";
import { checkName, randomName } from "./names.ts";
import { packageHostname } from "./network/files.ts";
import { claim, free, holder } from "./network/lease.ts";
import {
  identityOn,
  type NetworkOptions,
  networkRecord,
  networkRedirections,
  type Plugged,
  plug,
  release,
} from "./network/plug.ts";
import { exposedPorts } from "./network/ports.ts";
import { capabilitySet, neededCapabilities } from "./oci/capabilities.ts";
import {
  type EngineName,
  type InstanceLog,
  type InstanceMount,
  type InstancePaths,
  type InstanceRecord,
  type InstanceSecret,
  type LaunchRecord,
  pathsIn,
  type RestartRule,
  type SyscallProfile,
  type TetherChoice,
} from "./record.ts";
import type { ChosenRedirections, RedirectInput, RedirectOptions } from "./redirect/choose.ts";
import { stopTime } from "./stop-time.ts";
import { profileOf } from "./syscall-profile.ts";
import { checkUserns } from "./userns/check.ts";
import { freeIds, type LentIds, lendIds } from "./userns/lend.ts";
import type { UsernsRequest } from "./userns/request.ts";
import { checkVolumeName } from "./volumes/volumes.ts";

export interface CreateOptions extends NetworkOptions {
  /** Default: namespace. */
  engine?: EngineName;
  reference: string;
  /** After the reference on the command line. */
  command: readonly string[];
  name?: string;
  entrypoint?: readonly string[];
  terminal?: boolean;
  interactive?: boolean;
  environment?: readonly string[];
  workingDirectory?: string;
  user?: string;
  identity?: IdentityOptions;
  elements?: ElementOptions;
  /** In process alone: see inprocess/led.ts. */
  logRedirections?: boolean;
  redirect?: RedirectOptions;
  mounts?: readonly InstanceMount[];
  secrets?: readonly InstanceSecret[];
  limits?: Partial<Limits>;
  capAdd?: readonly string[];
  capDrop?: readonly string[];
  readOnly?: boolean;
  /** Default: host. */
  userns?: UsernsRequest;
  syscalls?: SyscallProfile;
  restart?: RestartRule;
  stopSignal?: string;
  /** Milliseconds. */
  stopTimeout?: number;
  log?: InstanceLog;
  health?: HealthRequest;
  labels?: Readonly<Record<string, string>>;
  /** A mode of native/trace that works here. */
  observe?: string;
  /** A descriptor to take in place of the package's own. */
  descriptorFile?: string;
  /** Manual services that are started too. */
  services?: readonly string[];
  tether?: TetherChoice;
  autoRemove?: boolean;
}

export interface Created {
  readonly record: InstanceRecord;
  readonly package: OpenPackage;
}

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What an instance is made from, before anything is changed. */
export interface Begun {
  readonly package: OpenPackage;
  readonly draft: Draft | undefined;
}

export async function beginInstance(root: StateRoot, options: CreateOptions, log: Log): Promise<Begun> {
  const file = options.descriptorFile;
  const opened = await openPackage(root, options.reference, log, {
    ...(file === undefined ? {} : { descriptorFile: file }),
    services: options.services ?? [],
  });
  const led = opened.descriptor?.redirections.network.length ?? 0;
  if (led > 0 && (options.network === "host" || options.network === "container")) {
    log.warn(
      `${options.reference} redirects addresses, which needs a network of its own: not with --network ${options.network}`,
    );
  }
  if (opened.facts?.syscalls.profile === "off" && options.syscalls === undefined) {
    // A package may come from anywhere: it cannot loosen what holds it.
    log.warn(
      `${options.reference} asks for no filter of system calls, and gets the default one; --syscalls off allows it`,
    );
  }
  if (process.arch !== "x64" && chosenElements(options.elements ?? {}, opened.descriptor?.elements))
    log.warn(`${options.reference}: clock, uname and vsyscall stay the kernel's: their engine is for x86-64`);
  const { withheld } = neededCapabilities(opened.facts?.capabilities ?? []);
  const missing = withheld.filter((name) => !capabilitySet(options.capAdd ?? [], []).includes(`CAP_${name}`));
  if (missing.length > 0)
    log.warn(`${options.reference} needs ${missing.join(", ")}, which nobody gave: --cap-add ${missing[0]}`);
  return { package: opened, draft: takeDraft(root) };
}

/** `launch`: the launch record of a `run`, so that the instance is seen as starting from its first moment. */
export async function createInstance(
  root: StateRoot,
  options: CreateOptions,
  begun: Begun,
  launch?: LaunchRecord,
): Promise<Created> {
  const opened = begun.package;
  const { id, path: draft } = begun.draft ?? makeDraft(root);
  let name: string | undefined;
  let plugged: Plugged | undefined;
  let userns: LentIds | undefined;
  try {
    name = leaseName(root, options.name, id);
    plugged = plug(root, id, options, options.identity);
    userns = lendIds(root, id, options.userns, opened.layers);
    const made = await withElements(makeRecord({ id, name, plugged, userns }, options, opened), opened);
    checkLimits(made);
    checkUserns(made);
    const chosen = await redirectionsOf(root, options, opened, made);
    const record = chosen === undefined ? made : { ...made, redirections: chosen.redirections };
    if (chosen !== undefined) {
      await makeRedirections(root, pathsIn(draft), record, chosen, opened);
    }
    writeDraft(draft, record, launch, opened.givenPlan);
    if (hasDisk(record.limits)) await makeDisk(pathsIn(draft), record.limits.disk ?? 0);
    step("instance directory");
    renameSync(draft, join(root.instances, id));
    note(root, record, "create");
    return { record, package: opened };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (name !== undefined) free(root, "names", name, id);
    if (plugged !== undefined) release(root, id, plugged.attachments);
    if (userns !== undefined) freeIds(root, { id, userns });
    throw error;
  }
}

/** Whether the package or the command line redirects files: then more is to be made ready than a root. */
export function redirectsFiles({ redirect }: Pick<CreateOptions, "redirect">, opened: OpenPackage): boolean {
  const { rules = [], host = [] } = redirect ?? {};
  return rules.length + host.length + (opened.descriptor?.redirections.files.length ?? 0) > 0;
}

async function redirectionsOf(
  root: StateRoot,
  options: CreateOptions,
  opened: OpenPackage,
  { mounts, secrets, engine }: InstanceRecord,
): Promise<ChosenRedirections | undefined> {
  if (!redirectsFiles(options, opened)) return undefined;
  const input: RedirectInput = {
    options: options.redirect ?? { rules: [], host: [] },
    declared: opened.descriptor?.redirections.files ?? [],
    layers: opened.layers,
    mounts,
    stateRoot: root.path,
  };
  // Loaded by those who ask for it alone.
  if (engine === "namespace") return (await import("./redirect/choose.ts")).chooseRedirections(input);
  const { engineRedirections } = await import("./inprocess/redirections.ts");
  return engineRedirections({ ...input, mounts: [...mounts, ...secrets] });
}

/** The files behind them, in a draft. */
async function makeRedirections(
  root: StateRoot,
  paths: InstancePaths,
  record: InstanceRecord,
  { entries }: ChosenRedirections,
  { layers }: OpenPackage,
): Promise<void> {
  if (record.engine === "inprocess") {
    const { buildCopies } = await import("./inprocess/copies.ts");
    const { onHost, prepareVolumes } = await import("./inprocess/volumes.ts");
    await prepareVolumes(root, paths.tree, record);
    return await buildCopies(paths, onHost(root, record));
  }
  const { buildRedirections } = await import("./redirect/layer.ts");
  await buildRedirections(paths, record, entries, layers);
}

export function newLaunch(mode: LaunchRecord["mode"], created: boolean, runtime = ""): LaunchRecord {
  const starter = mode === "foreground" ? supervisorPid() : process.pid;
  return {
    bootId: bootId(),
    startedAt: new Date().toISOString(),
    startedClock: monotonicNow(),
    starter: { pid: starter, startTime: processStartTime(starter) ?? "" },
    mode,
    acknowledged: false,
    created,
    runtime,
    ports: [],
    restarts: 0,
  };
}

function writeDraft(
  draft: string,
  record: InstanceRecord,
  launch: LaunchRecord | undefined,
  plan: Uint8Array | undefined,
): void {
  const paths = pathsIn(draft);
  // Nobody looks into a draft: what is thrown away at the end needs neither renames nor the disk.
  const write = record.autoRemove ? writeFilePlain : writeFileAtomic;
  if (launch !== undefined) write(paths.launch, `${JSON.stringify(launch)}\n`);
  if (plan !== undefined) write(paths.plan, plan);
  write(paths.record, `${JSON.stringify(record, null, 2)}\n`);
}

function leaseName(root: StateRoot, wanted: string | undefined, id: string): string {
  if (wanted === undefined) {
    for (;;) {
      const name = randomName();
      if (claim(root, "names", name, id)) return name;
    }
  }
  if (claim(root, "names", checkName(wanted), id)) return wanted;
  throw nameTaken(root, wanted);
}

export function nameTaken(root: StateRoot, wanted: string): TranshipError {
  const other = holder(root, "names", wanted) ?? "";
  // A name may outlive its instance by a moment, or by a crash that nobody has repaired yet.
  const gone = readInstance(root, other) === undefined;
  return new TranshipError(
    "E_NAME_TAKEN",
    `the name ${wanted} is used by the instance ${other.slice(0, 12)}`,
    {
      hint: gone
        ? "that instance is just being made or removed: try again"
        : "choose another, or remove it with `tranship rm`",
    },
  );
}

function makeRecord(
  given: { id: string; name: string; plugged: Plugged; userns: LentIds | undefined },
  options: CreateOptions,
  opened: OpenPackage,
): InstanceRecord {
  const config = opened.config;
  const { facts } = opened;
  checkKept(options.identity?.keep ?? [], facts, options.reference);
  const identity = instanceIdentity(options.identity ?? {}, facts);
  const taken = identityOn(given.plugged.mode, identity.taken);
  const redirected = networkRedirections(options, opened.descriptor?.redirections.network ?? []);
  const ports = [...(options.ports ?? []), ...(options.publishAll ? exposedPorts(config.exposedPorts) : [])];
  return {
    tranship: "instance",
    version: 1,
    id: given.id,
    name: given.name,
    createdAt: new Date().toISOString(),
    image: { reference: options.reference, digest: opened.digest, diffIds: opened.diffIds },
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
    ...profileOf(options, facts),
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
  { engine, logRedirections }: CreateOptions,
  { descriptor }: OpenPackage,
): Pick<InstanceRecord, "excludes" | "logsRedirections"> {
  if (engine !== "inprocess") return {};
  const excludes = descriptor?.excludes ?? [];
  return {
    ...(excludes.length === 0 ? {} : { excludes }),
    ...(logRedirections === true ? { logsRedirections: true } : {}),
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
