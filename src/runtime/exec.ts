// A further command inside a running instance.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { callArguments, type EnterMount, type LaunchOptions, launchCall } from "../host/enter.ts";
import { createExclusive, writeFileAtomic } from "../host/files.ts";
import { nativePath } from "../host/native.ts";
import { childProcess } from "../host/process.ts";
import { randomHex } from "../host/random.ts";
import type { StateRoot } from "../host/state-root.ts";
import { isTerminal } from "../host/terminal.ts";
import { elementsAt } from "./bundle.ts";
import { mergeEnvironment } from "./environment.ts";
import { findAny, type Instance } from "./find.ts";
import { refusalsOf } from "./launch.ts";
import { writtenOf } from "./limits/disk.ts";
import { givenLimits } from "./limits/given.ts";
import { groupsOf } from "./limits/groups.ts";
import { ociRlimits } from "./limits/oci.ts";
import { namespaceOf } from "./network/share.ts";
import { notRunning } from "./not-running.ts";
import { capabilitiesOf } from "./oci/capabilities.ts";
import { splitLog } from "./oci/left-output.ts";
import { isListening } from "./oci/profile.ts";
import {
  chooseRuntime,
  describeRuntime,
  globalArguments,
  type OciRuntime,
  runtimeWords,
} from "./oci/runtime.ts";
import { isPaused } from "./pause.ts";
import { planEnvironment } from "./plan-environment.ts";
import { parentOf } from "./processes.ts";
import { instanceLayers } from "./redirect/mounts.ts";
import { secretVariables } from "./secrets.ts";
import { statusOf } from "./state.ts";
import { consoleSize, ended, forwardSignals, stdioFor } from "./stdio.ts";
import { lookUpUser, type User, withGroups } from "./user.ts";
import { type Stage, stageOf } from "./userns/stage.ts";

export interface ExecOptions {
  command: readonly string[];
  interactive?: boolean;
  terminal?: boolean;
  detached?: boolean;
  environment?: readonly string[];
  workingDirectory?: string;
  user?: string;
}

/** The command's own status; 126 and 127 where it cannot be executed or found. Detached: 0. */
export async function execInInstance(
  root: StateRoot,
  text: string,
  options: ExecOptions,
  log: Log,
): Promise<number> {
  const instance = findAny(root, text);
  const { paths, record } = instance;
  const status = statusOf(paths, record.id);
  const { launch, pid } = status;
  if (status.state !== "running") throw notRunning(record, status, 125);
  if (isPaused(instance)) {
    throw new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} is paused`, {
      hint: `let it go on with \`tranship unpause ${record.name}\``,
      exitStatus: 125,
    });
  }
  if (options.terminal === true && options.detached !== true && !isTerminal(0)) {
    throw new TranshipError("E_USAGE", "-t needs a terminal as standard input", {
      hint: "leave -t out",
      exitStatus: 125,
    });
  }
  const startedAt = launch?.startedAt ?? record.createdAt;
  if (record.engine === "inprocess") {
    const { execInProcess } = await import("./inprocess/exec.ts");
    return await execInProcess(root, instance, startedAt, options);
  }
  // The one that started it keeps its record.
  const runtime = launch?.runtime ? describeRuntime(launch.runtime) : await chooseRuntime(root, log);
  const written = writtenOf(paths, record, pid === undefined ? undefined : parentOf(pid));
  const layers = [...(written === undefined ? [] : [written]), ...(await instanceLayers(root, instance))];
  const user = withGroups(layers, lookUpUser(layers, options.user ?? record.user), record.groupAdd);
  const engine = elementsAt(record, startedAt);
  const command = engine.length === 0 ? options.command : [...engine, "--search", "--", ...options.command];
  const spec = processSpec(instance, { ...options, command }, user, layers);
  const file = writeSpec(paths.bundle, JSON.stringify(spec));
  const logFile = `${file}.log`;
  try {
    const status = await runExec(root, runtime, instance, options, { file, logFile });
    const words = saidBy(runtime, logFile, options);
    return translate(status, words, options);
  } finally {
    for (const path of [file, logFile]) rmSync(path, { force: true });
  }
}

function processSpec(
  { record, paths }: Instance,
  options: ExecOptions,
  user: User,
  layers: readonly string[],
): object {
  const capabilities = capabilitiesOf(record);
  const given = givenLimits(record.limits);
  return {
    terminal: options.terminal === true,
    ...consoleSize(options.terminal === true),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    args: options.command,
    env: mergeEnvironment(
      planEnvironment(layers, paths.plan),
      [
        `HOME=${user.home}`,
        `HOSTNAME=${record.hostname}`,
        ...(options.terminal === true ? ["TERM=xterm"] : []),
      ],
      record.environment,
      // As PID 1 has them.
      secretVariables(record),
      options.environment ?? [],
    ),
    cwd: options.workingDirectory ?? record.workingDirectory,
    capabilities: {
      bounding: capabilities,
      effective: user.uid === 0 ? capabilities : [],
      permitted: user.uid === 0 ? capabilities : [],
      inheritable: [],
      ambient: [],
    },
    noNewPrivileges: record.noNewPrivileges === true,
    rlimits: ociRlimits(given.ulimits),
    ...(given.oomScoreAdj === undefined ? {} : { oomScoreAdj: given.oomScoreAdj }),
  };
}

async function runExec(
  root: StateRoot,
  runtime: OciRuntime,
  instance: Instance,
  options: ExecOptions,
  { file, logFile }: { file: string; logFile: string },
): Promise<number> {
  const { paths, record } = instance;
  const { refusals } = refusalsOf(root, instance);
  const call = launchCall({
    // The runtime gives the listener of this command's filter to whoever answers for the instance, unless that one was killed.
    ...(refusals === undefined || isListening(refusals.socket) ? {} : { refusals }),
    hideCgroup2: runtime.hideCgroup2,
    cgroups: groupsOf(record),
    mounts: rootMounts(stageOf(root, record, runtime)),
    ...networkOf(runtime, instance),
    command: {
      argv: [
        runtime.path,
        ...globalArguments(runtime, paths.oci, logFile),
        "exec",
        ...(options.detached === true ? ["--detach"] : []),
        "--process",
        file,
        record.id,
      ],
    },
  });
  const program = nativePath("enter");
  const interactive =
    options.detached !== true && (options.interactive === true || options.terminal === true);
  const streams = [0, 1, 2].map((fd) => stdioFor(fd, interactive, options.detached === true));
  const child = childProcess().spawn(
    program,
    callArguments(call, options.detached === true ? [] : ["--parent", String(process.pid)]),
    {
      stdio: streams.map((stream) => stream.stdio),
    },
  );
  for (const stream of streams) stream.close();
  const stop = forwardSignals(child);
  try {
    return await ended(child, program);
  } finally {
    stop();
  }
}

/** The bundle names no network: crun joins that of PID 1 all the same, runc stays in the one that it is started in. */
function networkOf(runtime: OciRuntime, instance: Instance): Pick<LaunchOptions, "network"> {
  if (runtime.kind === "crun") return {};
  const join = namespaceOf(instance);
  if (join !== undefined) return { network: { join } };
  const { name } = instance.record;
  throw new TranshipError("E_INSTANCE_STATE", `the instance ${name} is not running any more`, {
    hint: `start it with \`tranship start ${name}\``,
    exitStatus: 125,
  });
}

/** Beside the instance; on a full disk, where somebody may want to remove files of it, in memory. */
function writeSpec(bundle: string, text: string): string {
  const name = `exec-${randomHex(6)}.json`;
  try {
    const file = `${bundle}/${name}`;
    writeFileAtomic(file, text, { volatile: true });
    return file;
  } catch (error) {
    const elsewhere = `/dev/shm/tranship-${name}`;
    if (!isTranshipError(error, "E_NO_SPACE") || !existsSync("/dev/shm")) throw error;
    if (!createExclusive(elsewhere, text, 0o600, true)) throw error;
    return elsewhere;
  }
}

/** runc goes to the directory that the root was mounted at: that it is there is enough. */
function rootMounts(stage: Stage | undefined): EnterMount[] {
  if (stage === undefined) return [];
  return [
    { kind: "tmpfs", target: stage.place, mode: 0o755 },
    { kind: "dir", target: stage.rootfs, mode: 0o755 },
  ];
}

/** The runtime's words; what it left of the command's output there is written where it belongs. */
function saidBy(
  { kind }: OciRuntime,
  logFile: string,
  { terminal, detached }: ExecOptions,
): string | undefined {
  if (kind !== "crun" || terminal !== true || detached === true || !existsSync(logFile))
    return runtimeWords(logFile);
  const { words, output } = splitLog(readFileSync(logFile));
  if (output !== "") process.stdout.write(output, "latin1");
  return words;
}

/** The runtime says in its log what it could not do; a program's own status passes through. */
function translate(status: number, words: string | undefined, options: ExecOptions): number {
  if (status === 0 || words === undefined) return status;
  // Its words are on stderr already, where it writes them too.
  const missing = /no such file|not found/i.test(words);
  const refused = /permission denied|not permitted|exec format|is a directory/i.test(words);
  const details = { reason: words };
  const exitStatus = missing ? 127 : refused ? 126 : 125;
  if (options.workingDirectory !== undefined && /chdir/i.test(words)) {
    throw new TranshipError("E_RUNTIME", `cannot enter the working directory ${options.workingDirectory}`, {
      hint: "name a directory of the instance that this user may enter",
      details,
      exitStatus,
    });
  }
  const full = /resource temporarily unavailable|cannot allocate memory/i.test(words);
  throw new TranshipError("E_RUNTIME", `cannot execute ${options.command[0] ?? ""}`, {
    hint: missing
      ? "name a program of the package"
      : full
        ? "its limits leave no room for one more process: `tranship stats` shows them, `tranship update` raises them"
        : "name a program that this user may execute",
    details,
    exitStatus,
  });
}
