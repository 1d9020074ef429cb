// What is put in place for a start: the OCI bundle and the files that are bound into the instance.
import { chownSync, existsSync, fchownSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import type { EnterMount } from "../host/enter.ts";
import { makeDirectory, writeFilePlain } from "../host/files.ts";
import { nativePath } from "../host/native.ts";
import { rootlessUser } from "../host/rootless-user.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { changeBelow } from "../host/untrusted.ts";
import { type DeviceNode, deviceNodes, devicesAreBound } from "./devices.ts";
import { elementWords, enginePath } from "./elements.ts";
import { mergeEnvironment } from "./environment.ts";
import { healthFile } from "./health/rule.ts";
import { identityMounts, noIdentity } from "./identity/files.ts";
import type { TakenIdentity } from "./identity/identity.ts";
import { initPath, insidePlan, insidePolicy } from "./image.ts";
import { type InstancePaths, instancePaths } from "./instance-paths.ts";
import { inLayers, readLayerFile } from "./layers.ts";
import { ratesOf } from "./limits/check.ts";
import { givenLimits } from "./limits/given.ts";
import { hostsText, resolvText } from "./network/files.ts";
import type { NamedAddress } from "./network/hosts-section.ts";
import { holder } from "./network/lease.ts";
import { redirectedNames } from "./network/redirected-names.ts";
import { type OciMount, ociConfig } from "./oci/config.ts";
import { seccompPart } from "./oci/profile.ts";
import type { OciRuntime } from "./oci/runtime.ts";
import type { InstanceRecord } from "./record.ts";
import { redirectedMounts } from "./redirect/mounts.ts";
import { requireSecret, secretCopies, secretMounts, secretVariables } from "./secrets.ts";
import { consoleSize } from "./stdio.ts";
import { lookUpUser, type User, withGroups } from "./user.ts";
import { stageMounts, stageOf } from "./userns/stage.ts";
import { prepareMount } from "./volumes/volumes.ts";

export interface BundleInput {
  root: StateRoot;
  paths: InstancePaths;
  record: InstanceRecord;
  layers: readonly string[];
  runtime: OciRuntime;
  /** What it takes on of another machine at this start. */
  taken: TakenIdentity;
  /** Forward what programs write to our own stdout and stderr. */
  forward: boolean;
  /** Nobody waits for it: init keeps its terminal or standard input, and a console to attach to. */
  detached: boolean;
  /** Of this launch. */
  startedAt: string;
  log: Log;
}

/** The mount point of every overlay, each in a namespace of its own: never busy for anyone else. */
export function mountPoint(root: StateRoot): string {
  const path = join(root.path, "mnt");
  if (!existsSync(path)) makeDirectory(path, 0o755);
  return path;
}

/** Returns what enter is to lay out for it, where it has a user namespace. */
export async function writeBundle(input: BundleInput): Promise<EnterMount[]> {
  const { root, paths, record, layers, runtime } = input;
  const user = withGroups(layers, lookUpUser(layers, record.user), record.groupAdd);
  const devices = deviceNodes(record.devices);
  givePlan(paths, layers);
  giveHealth(paths, record);
  forgetRun(paths);
  giveRun(paths, user);
  const volumes = await volumeMounts(input);
  const identity = { ...(record.identity ?? noIdentity), taken: input.taken };
  const stage = stageOf(root, record, runtime);
  const rootfs = stage?.rootfs ?? mountPoint(root);
  const given = givenLimits(record.limits);
  for (const words of given.lowered) input.log.warn(words);
  const own = [
    ...(await ownMounts(input)),
    ...identityMounts({ instance: { paths, record }, layers, identity, rootfs, runtime: runtime.kind }),
  ];
  const secrets = secretMounts(paths, record);
  const redirected = redirectedMounts(paths, record, [...own, ...volumes, ...secrets]);
  const mounts = [
    ...redirected.first,
    ...own.filter((mount) => !redirected.instead.has(mount.destination)),
    ...volumes,
    ...boundDevices(record, devices),
    ...redirected.later,
    ...secrets,
  ];
  const staged = stage === undefined ? { mounts, laid: [] } : stageMounts({ paths, record, stage }, mounts);
  const config = ociConfig({
    record,
    user,
    terminal: record.terminal && !input.detached,
    console: consoleSize(record.terminal && !input.detached),
    rootfs,
    mounts: staged.mounts,
    args: [...elementsAt(record, input.startedAt), initPath, ...record.command],
    environment: environmentOf(input, user.home),
    given,
    rates: ratesOf(record.limits.rates ?? []),
    filter: await seccompPart(root, record, runtime),
    devices,
    cgroups: runtime.cgroups,
    rootless: rootlessUser() !== undefined,
    ...(stage === undefined ? {} : { userns: `${stage.place}/userns` }),
  });
  step("bundle config");
  writeFilePlain(`${paths.bundle}/config.json`, JSON.stringify(config));
  return staged.laid;
}

/** What loads its programs where the kernel's own clock or names will not do. */
export function elementsAt({ elements, network }: InstanceRecord, startedAt: string): string[] {
  if (elements === undefined) return [];
  const { loopback, ...others } = elements;
  // Rules of the namespace may lead a connection elsewhere, which fast loopback would not see.
  const led = (network.redirections ?? []).length > 0;
  return elementWords(loopback === undefined || led ? others : elements, startedAt);
}

/**
 * init takes this plan before the one in the layers. What an earlier run of the instance made of it does not count. A baked image brings an engine
 * for other tools, in which init starts anew where it is given no plan: so it is given one, be it the same.
 */
export function givePlan(paths: InstancePaths, layers: readonly string[]): void {
  const given = `${paths.run}/init.bin`;
  rmSync(given, { recursive: true, force: true });
  const plan = existsSync(paths.plan)
    ? readFileSync(paths.plan)
    : inLayers(layers, insidePolicy)
      ? readLayerFile(layers, insidePlan)
      : undefined;
  if (plan !== undefined) writeFilePlain(given, plan, 0o644);
}

/** What an earlier run said of itself, or left in that place. */
export function forgetRun({ run }: InstancePaths): void {
  for (const name of ["exit.json", "state.json"]) rmSync(`${run}/${name}`, { recursive: true, force: true });
}

/** PID 1 is this user, and writes its log and its records. An earlier run of the instance may have left links there, which must not lead to files of the host. */
export function giveRun({ run }: InstancePaths, { uid, gid }: Pick<User, "uid" | "gid">): void {
  if (uid === 0) return;
  chownSync(run, uid, gid);
  for (const names of [["log"], ["log", "all.log"]])
    changeBelow((fd) => fchownSync(fd, uid, gid), run, ...names);
}

/** As with the plan: what an earlier run made of it does not count. */
function giveHealth({ run }: InstancePaths, { health }: InstanceRecord): void {
  const given = `${run}/health.conf`;
  rmSync(given, { recursive: true, force: true });
  if (health !== undefined) writeFilePlain(given, healthFile(health), 0o644);
}

function bind(source: string, destination: string, ...options: string[]): OciMount {
  return { destination, type: "bind", source, options: ["rbind", "rprivate", ...options] };
}

function boundDevices(record: InstanceRecord, devices: readonly DeviceNode[]): OciMount[] {
  if (!devicesAreBound(record)) return [];
  return devices.map(({ source, path }) => bind(source, path, "rw", "nosuid", "noexec"));
}

async function ownMounts(input: BundleInput): Promise<OciMount[]> {
  const { root, paths, layers, record } = input;
  const isInstance = (name: string): boolean => holder(root, "names", name) !== undefined;
  const redirected =
    record.network.mode === "container" ? [] : await redirectedNames(record, layers, isInstance);
  return [
    bind(paths.run, "/.tranship/run", "rw", "nosuid", "nodev", "noexec"),
    ...(inLayers(layers, initPath.slice(1))
      ? []
      : [bind(nativePath("init"), initPath, "ro", "nosuid", "nodev")]),
    ...(record.elements === undefined
      ? []
      : [bind(nativePath("engine"), enginePath, "ro", "nosuid", "nodev")]),
    ...nameMounts(input, redirected),
  ];
}

/** With the network of another instance goes what names things there: its files, as they are changed. */
function nameMounts(
  { root, paths, record, layers }: BundleInput,
  redirected: readonly NamedAddress[],
): OciMount[] {
  const { container } = record.network;
  const files = container === undefined ? paths.files : instancePaths(root, container).files;
  const hosts = join(files, "hosts");
  const hostname = join(files, "hostname");
  const resolv = join(files, "resolv.conf");
  const mounts = [
    bind(hosts, "/etc/hosts", "rw"),
    bind(hostname, "/etc/hostname", "rw"),
    bind(resolv, "/etc/resolv.conf", "rw"),
  ];
  if (container !== undefined) return mounts;
  const own = record.network.mode !== "host";
  writeFilePlain(
    hosts,
    hostsText(layers, {
      ...record,
      address: record.network.address,
      domain: record.identity?.domain ?? null,
      redirected,
    }),
    0o644,
  );
  writeFilePlain(hostname, `${record.hostname}\n`, 0o644);
  writeFilePlain(resolv, resolvText(own, record.identity?.domain ?? null, record.network.resolver), 0o644);
  return mounts;
}

async function volumeMounts({ root, record, layers }: BundleInput): Promise<OciMount[]> {
  const mounts: OciMount[] = [];
  // A mount below another one comes after it.
  for (const mount of [...record.mounts].sort((a, b) => a.target.length - b.target.length)) {
    if (mount.kind === "tmpfs") {
      const options = ["nosuid", "nodev", ...(mount.source === "" ? [] : mount.source.split(","))];
      mounts.push({ destination: mount.target, type: "tmpfs", source: "tmpfs", options });
    } else {
      mounts.push(bind(await prepareMount(root, mount, layers), mount.target, mount.readOnly ? "ro" : "rw"));
    }
  }
  return mounts;
}

export function environmentOf(
  { record, forward, detached }: Pick<BundleInput, "record" | "forward" | "detached">,
  home: string,
): string[] {
  for (const { target, source } of record.secrets) if (!target.startsWith("/")) requireSecret(source);
  const defaults = [
    `HOME=${home}`,
    `HOSTNAME=${record.hostname}`,
    ...(record.terminal ? ["TERM=xterm"] : []),
    ...(forward ? ["TRANSHIP_LOG_FORWARD=1"] : []),
    ...(detached ? [`TRANSHIP_CONSOLE=${consoleKind(record)}`] : []),
    ...(record.log?.maxSize === undefined ? [] : [`TRANSHIP_LOG_MAX_SIZE=${record.log.maxSize}`]),
    ...(record.log?.maxFiles === undefined ? [] : [`TRANSHIP_LOG_MAX_FILE=${record.log.maxFiles}`]),
    // What is thrown away at the end need not survive a power failure.
    ...(record.autoRemove ? ["TRANSHIP_RECORD_SYNC=0"] : []),
  ];
  return mergeEnvironment(defaults, record.environment, secretVariables(record));
}

/** See native/init/console.h. */
function consoleKind({ terminal, interactive }: InstanceRecord): string {
  return terminal ? "terminal" : interactive ? "input" : "output";
}

/** Nothing of an instance that has ended but its logs, records and changed files is needed any more. */
export function removeBundle(paths: InstancePaths): void {
  rmSync(`${paths.bundle}/config.json`, { force: true });
  // Of a killed `exec`; they have variables, which may be secret.
  for (const name of existsSync(paths.bundle) ? readdirSync(paths.bundle) : [])
    if (/^exec-[0-9a-f]+\.(environment|json|json\.log)$/.test(name))
      rmSync(`${paths.bundle}/${name}`, { force: true });
  rmSync(secretCopies(paths), { recursive: true, force: true });
  rmSync(paths.environment, { force: true });
  rmSync(paths.oci, { recursive: true, force: true });
}
