// Creating an instance: its record, its directory, its name and its address; nothing of it runs yet.
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { bootId } from "../host/boot-id.ts";
import { createExclusive, writeFileAtomic, writeFilePlain } from "../host/files.ts";
import { processStartTime } from "../host/lock.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { supervisorPid } from "../host/supervisor.ts";
import { monotonicNow } from "../host/uptime.ts";
import type { CreateOptions } from "./create-options.ts";
import { deviceNodes } from "./devices.ts";
import { type Draft, makeDraft, takeDraft } from "./draft.ts";
import { chosenElements } from "./elements.ts";
import { note } from "./events/note.ts";
import { readInstance } from "./find.ts";
import { type OpenPackage, openPackage } from "./image.ts";
import { type InstancePaths, pathsIn } from "./instance-paths.ts";
import type { LaunchRecord } from "./launch-record.ts";
import { checkLimits } from "./limits/check.ts";
import { hasDisk, makeDisk } from "./limits/disk.ts";
import { checkName, randomName } from "./names.ts";
import { claim, free, holder } from "./network/lease.ts";
import { type Plugged, plug, release } from "./network/plug.ts";
import { newRecord } from "./new-record.ts";
import { capabilitySet, neededCapabilities } from "./oci/capabilities.ts";
import type { InstanceRecord } from "./record.ts";
import type { ChosenRedirections, RedirectInput } from "./redirect/choose.ts";
import { lookUpUser, withGroups } from "./user.ts";
import { checkUserns } from "./userns/check.ts";
import { freeIds, type LentIds, lendIds } from "./userns/lend.ts";

export interface Created {
  readonly record: InstanceRecord;
  readonly package: OpenPackage;
}

/** What an instance is made from, before anything is changed. */
export interface Begun {
  readonly package: OpenPackage;
  readonly draft: Draft | undefined;
}

export async function beginInstance(root: StateRoot, options: CreateOptions, log: Log): Promise<Begun> {
  const file = options.descriptorFile;
  const opened = await openPackage(root, options.reference, log, {
    ...(file === undefined ? {} : { descriptorFile: file }),
    linked: options.linked ?? [],
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
  given: CreateOptions,
  begun: Begun,
  launch?: LaunchRecord,
): Promise<Created> {
  const opened = begun.package;
  const { id, path: draft } = begun.draft ?? makeDraft(root);
  let name: string | undefined;
  let plugged: Plugged | undefined;
  let userns: LentIds | undefined;
  try {
    const options = await readyOptions(root, given, opened);
    name = leaseName(root, options.name, id);
    plugged = plug(root, id, options, options.identity);
    userns = lendIds(root, id, options.userns, opened.layers);
    const made = await newRecord({ id, name, plugged, userns }, options, opened);
    checkLimits(made);
    checkUserns(made);
    const chosen = await redirectionsOf(root, options, opened, made);
    const record = chosen === undefined ? made : { ...made, redirections: chosen.redirections };
    if (chosen !== undefined) {
      await makeRedirections(root, pathsIn(draft), record, chosen, opened);
    }
    writeDraft(draft, record, launch, opened.givenPlan);
    if (hasDisk(record.limits)) await makeDisk(pathsIn(draft), record.limits.disk ?? 0);
    writeIdFile(options.idFile, id);
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

/** What would fail at the start is told before anything is made; what is borrowed is added. */
async function readyOptions(
  root: StateRoot,
  options: CreateOptions,
  { layers, config }: OpenPackage,
): Promise<CreateOptions> {
  deviceNodes(options.devices);
  if ((options.groupAdd ?? []).length > 0)
    withGroups(layers, lookUpUser(layers, options.user ?? config.user), options.groupAdd);
  if ((options.volumesFrom ?? []).length === 0) return options;
  // Loaded by those who ask for it alone.
  return await (await import("./volumes/borrow.ts")).withBorrowed(root, options);
}

/** E_USAGE where another one has been faster. */
function writeIdFile(path: string | undefined, id: string): void {
  if (path === undefined) return;
  if (createExclusive(path, id, 0o644)) return;
  throw new TranshipError("E_USAGE", `container ID file found: ${path}`, { hint: "remove the file" });
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
