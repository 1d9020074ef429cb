// Starting an instance: from its record to a running PID 1. docs/internals/who-holds-what.md tells who keeps what alive.
import { closeSync, existsSync, openSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import {
  callArguments,
  type EnterMount,
  type LaunchOptions,
  launchCall,
  launchParts,
} from "../host/enter.ts";
import { makeDirectory, writeFileAtomic } from "../host/files.ts";
import { installRoot, nativePath } from "../host/native.ts";
import { childProcess, statusOf as exitStatusOf } from "../host/process.ts";
import { rootlessUser } from "../host/rootless-user.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { enterAhead } from "../host/supervisor.ts";
import { mountPoint, writeBundle } from "./bundle.ts";
import { type Begun, redirectsFiles } from "./create.ts";
import type { CreateOptions } from "./create-options.ts";
import { launchName } from "./events/note.ts";
import type { Instance } from "./find.ts";
import { takenAt } from "./identity/identity.ts";
import { leaseIdentity } from "./identity/lease.ts";
import type { LaunchRecord } from "./launch-record.ts";
import { diskMounts, hasDisk, writtenIn } from "./limits/disk.ts";
import { makeGroups } from "./limits/groups.ts";
import { chosenLimits } from "./limits/limits.ts";
import { watcherOf } from "./limits/watch.ts";
import { hasNames } from "./network/attachments.ts";
import { refreshNames } from "./network/names.ts";
import { prepareNetwork } from "./network/wire.ts";
import { observer } from "./observe.ts";
import { domainOf } from "./oci/config.ts";
import { refusalsSocket } from "./oci/profile.ts";
import { chooseRuntime, globalArguments, type OciRuntime } from "./oci/runtime.ts";
import { overlaySource, pause } from "./processes.ts";
import { enterMounts } from "./redirect/mounts.ts";
import { chainStatus, readExit, statusOf } from "./state.ts";
import { mappedMounts, stageOf, usernsOf, writtenOnStage } from "./userns/stage.ts";

export interface Launching {
  readonly root: StateRoot;
  readonly instance: Instance;
  readonly launch: LaunchRecord;
  readonly layers: readonly string[];
  readonly log: Log;
  /** An enter that waits for us has mounted the overlay already: see mountAhead(). */
  readonly mounted?: boolean;
}

export function writeLaunch({ instance, launch }: Pick<Launching, "instance" | "launch">): void {
  writeFileAtomic(instance.paths.launch, `${JSON.stringify(launch)}\n`, {
    volatile: instance.record.autoRemove,
  });
}

/** What starts an instance. */
export interface Chain {
  /** The whole command: enter and all its words. */
  readonly command: readonly string[];
  /** What an enter is still to be told that has had parts of the call: see host/supervisor.ts. */
  readonly lastPart: readonly string[];
}

/** Everything up to the command that starts it: network, ports, volumes, bundle. In process: of a detached one. */
export async function prepare(launching: Launching): Promise<Chain> {
  const { root, instance, launch, layers, log } = launching;
  const { paths, record } = instance;
  if (record.engine === "inprocess") return (await import("./inprocess/start.ts")).detachedChain(launching);
  const runtime = await chooseRuntime(root, log);
  if (launch.runtime !== runtime.path) {
    launch.runtime = runtime.path;
    writeLaunch(launching);
  }
  emptyRuntimeLog(paths.runtimeLog);
  const taken = takenAt(record, launch);
  await leaseIdentity(root, record.id, taken);
  const network = await prepareNetwork(launching, () => writeLaunch(launching));
  if (launching.mounted === true) enterAhead(launchParts({ network }).network);
  const laid = await writeBundle({
    root,
    paths,
    record,
    layers,
    runtime,
    taken,
    forward: launch.mode === "foreground" && !record.terminal,
    detached: launch.mode === "detached",
    startedAt: launch.startedAt,
    log,
  });
  // Its own hosts file is there now.
  if (hasNames(record)) await refreshNames(root);
  if (record.tether !== undefined) {
    // Loaded by those who ask for it alone.
    const { startTether } = await import("./tether.ts");
    await startTether(launching);
  }
  return chainOf(launching, { ...launchOptions(launching, runtime, laid), network });
}

/** An earlier start's words must not be taken for this one's. */
function emptyRuntimeLog(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > 0) rmSync(path, { force: true });
}

/**
 * Lets the enter that native/supervise has started mount the overlay of an instance that is still a draft, which enter knows as the directory that it
 * was given. False where there is no such enter, or it could not be of use: then the whole launch is one command.
 */
export function mountAhead(
  root: StateRoot,
  options: Pick<CreateOptions, "network" | "autoRemove" | "limits" | "redirect" | "userns">,
  { package: opened, draft }: Begun,
  runtime: OciRuntime,
): boolean {
  const { network, autoRemove = false, limits } = options;
  const { layers, facts } = opened;
  const shared = network === "host" || network === "container";
  // A limited disk has to be made first, and what redirections are made of.
  const more = hasDisk(chosenLimits(limits ?? {}, facts?.limits ?? {})) || redirectsFiles(options, opened);
  const owners = (options.userns ?? { kind: "host" }).kind !== "host";
  if (draft === undefined || shared || more || owners) return false;
  const inDraft = { upper: "upper", work: "work", volatile: autoRemove };
  const mounts = [overlayMount(root, draft.id, layers, runtime, inDraft)];
  return enterAhead(launchParts({ mounts, hideCgroup2: runtime.hideCgroup2 }).mounts);
}

function overlayMount(
  root: StateRoot,
  id: string,
  lowers: readonly string[],
  runtime: OciRuntime,
  { upper, work, volatile, target }: { upper: string; work: string; volatile: boolean; target?: string },
): EnterMount {
  return {
    kind: "overlay",
    target: target ?? mountPoint(root),
    lowers,
    upper: { dir: upper, work },
    source: overlaySource(id),
    volatile,
    renames: true,
    // Without cgroups nothing else keeps device nodes of the image closed.
    nodev: !runtime.cgroups,
  };
}

function launchOptions(
  { root, instance, layers }: Launching,
  runtime: OciRuntime,
  laid: readonly EnterMount[],
): LaunchOptions {
  const { paths, record } = instance;
  const stage = stageOf(root, record, runtime);
  const written = stage === undefined ? writtenIn(paths, record) : writtenOnStage(paths, record, stage);
  const rootfs = stage?.rootfs ?? mountPoint(root);
  const own = { ...written, volatile: record.autoRemove, target: rootfs };
  const redirected = enterMounts({
    root,
    paths,
    record,
    layers,
    rootfs,
    nodev: !runtime.cgroups,
    bytes: false,
  });
  return {
    mounts: [
      ...diskMounts(paths, record),
      ...(stage === undefined ? [] : mappedMounts(root, paths, record, stage)),
      overlayMount(root, record.id, layers, runtime, own),
      ...redirected,
      ...laid,
    ],
    ...(stage === undefined ? {} : { userns: usernsOf(record, stage) }),
    hideCgroup2: runtime.hideCgroup2,
    ...refusalsOf(root, instance),
    ...watched(watcherOf(root, instance)),
    cgroups: makeGroups(record),
    ...(rootlessUser() === undefined && stage === undefined ? {} : { domainname: domainOf(record) }),
    clonedRuntime: runtime.kind === "crun" && record.observe === undefined,
    command: {
      argv: [
        ...observer(instance),
        runtime.path,
        ...globalArguments(runtime, paths.oci, paths.runtimeLog),
        "run",
        "--bundle",
        paths.bundle,
        record.id,
      ],
    },
  };
}

function watched(watcher: readonly string[] | undefined): Pick<LaunchOptions, "watcher"> {
  return watcher === undefined ? {} : { watcher };
}

function chainOf({ instance, launch }: Launching, options: LaunchOptions): Chain {
  const { interactive, terminal } = instance.record;
  const call = launchCall(options);
  const bound = launch.mode === "foreground" ? ["--parent", String(launch.starter.pid)] : [];
  const nullStdin = interactive || terminal ? [] : ["--null-stdin"];
  return {
    command: [nativePath("enter"), ...callArguments(call, bound)],
    lastPart: [...launchParts(options).command, ...nullStdin, "--", ...call.argv],
  };
}

/** Who answers for calls that the filter refuses, where somebody does. Its socket is in a directory that root alone can enter. */
export function refusalsOf(root: StateRoot, { paths, record }: Instance): Pick<LaunchOptions, "refusals"> {
  const socket = refusalsSocket(root, record);
  if (socket === undefined) return {};
  const directory = dirname(socket);
  if (!existsSync(directory)) makeDirectory(directory, 0o700);
  return { refusals: { program: nativePath("refusals"), socket, log: paths.refused, instance: record.id } };
}

/**
 * Waits for the chain and then becomes the one that cleans up; in the host's own namespaces. Where somebody who ends many waits for this end and deals with
 * it, there is nothing left to do a moment later: a Node for each of fifty would take longer than all the rest. For five seconds, as he may die.
 */
const monitorScript = [
  '"$@"; s=$?; printf "%s %s" "$T_LAUNCH" "$s" >"$T_ENDED"',
  'n=0; while [ $n -lt 25 ] && [ -e "$T_DEALT" ]; do [ -e "$T_DONE" ] && exit; n=$((n + 1)); sleep 0.2; done; [ -d "${T_DONE%/*}" ] || exit 0',
  'exec "$T_BIN" --root "$T_ROOT" internal instance-ended "$T_ID" "$s" "$T_LAUNCH"',
].join("\n");

const startLimit = 60_000;

/** Starts it in a session of its own and returns when PID 1 works. Throws what went wrong before. */
export async function runDetached({ root, instance, launch }: Launching, { command }: Chain): Promise<void> {
  const { paths, record } = instance;
  const words = openSync(paths.monitorLog, "a", 0o600);
  step("detached start");
  const monitor = childProcess().spawn("/bin/sh", ["-c", monitorScript, "monitor", ...command], {
    cwd: "/",
    detached: true,
    stdio: ["ignore", words, words],
    env: {
      ...process.env,
      T_BIN: join(installRoot, "bin/tranship"),
      T_ROOT: root.path,
      T_ID: record.id,
      T_ENDED: paths.chainEnded,
      T_DEALT: paths.endDealt,
      T_DONE: paths.ended,
      T_LAUNCH: launchName(launch),
    },
  });
  closeSync(words);
  let status: number | undefined;
  monitor.on("exit", (code, signal) => {
    status = exitStatusOf(code, signal);
  });
  monitor.on("error", () => {
    status = 125;
  });
  monitor.unref();
  const deadline = performance.now() + startLimit;
  for (let wait = 2; ; wait = Math.min(wait + 1, 25)) {
    // init may speak before the OCI runtime has written down its pid; until then nobody could stop it.
    const runs = existsSync(`${paths.run}/state.json`) && statusOf(paths, record.id).pid !== undefined;
    if (
      runs ||
      existsSync(`${paths.run}/exit.json`) ||
      status !== undefined ||
      // The one before it may end only now.
      chainStatus(paths, launch) !== null ||
      existsSync(paths.ended) ||
      !existsSync(paths.directory)
    )
      return;
    if (performance.now() > deadline) {
      throw new TranshipError(
        "E_RUNTIME",
        `the instance ${record.name} did not start within ${startLimit / 1000} s`,
        {
          hint: `see ${paths.monitorLog}`,
        },
      );
    }
    await pause(wait);
  }
}

/** Why a start failed, in the runtime's or enter's own words; undefined where PID 1 has worked. */
export function startFailure(instance: Instance, status: number, words: string): TranshipError | undefined {
  const exit = readExit(instance.paths);
  if (exit.exitStatus !== null || status > 128 || status === 0) return undefined;
  return new TranshipError(
    "E_RUNTIME",
    `the instance ${instance.record.name} could not be started${words === "" ? "" : `: ${words}`}`,
    {
      hint: "run it again with --log-level debug; `tranship doctor` checks this host",
      exitStatus: 125,
    },
  );
}
