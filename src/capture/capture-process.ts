// A running program becomes a package, without being stopped: snapshot, recovery of what has no name any more, description, plan.
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { formatDuration } from "../base/units.ts";
import { stillRuns } from "../discover/process-snapshot.ts";
import {
  ended,
  findRunningProgram,
  type RunningProgram,
  readersOf,
  snapshotAgain,
  type Wanted,
} from "../discover/running-program.ts";
import { Source } from "../discover/source.ts";
import { escapeBytes } from "../formats/escape.ts";
import { step } from "../host/steps.ts";
import { makeWorkDirectory, type WorkDirectory } from "../host/work.ts";
import type { Machine } from "../machine/machine.ts";
import { type ApplicationOptions, describeApplication } from "./application/application.ts";
import type { Captured, CaptureTools, Choices } from "./captured.ts";
import { parseDataWord } from "./data/data-word.ts";
import { dataOfProcess, type ProcessData } from "./data/process-data.ts";
import { mergeEvidence } from "./evidence/merge-evidence.ts";
import { orInterrupted } from "./interrupt.ts";
import type { Exclusion, RecoveredFile } from "./plan/plan.ts";
import { type PlanParts, plan } from "./plan-capture.ts";
import { findRecoverable, type ToRecover } from "./process/find-recoverable.ts";
import { givenSockets, withGivenSockets } from "./process/given-sockets.ts";
import { type DescribedProcess, describeProcess } from "./process/process-application.ts";
import { changedSince, differences } from "./process/process-report.ts";
import { type ProcessView, viewOf } from "./process/process-view.ts";
import { recoverFiles } from "./process/recover.ts";
import { withRecovered } from "./process/recovered-files.ts";
import { makeRecoveryBeside } from "./process/recovery-directory.ts";
import {
  addNamedByCommands,
  evidenceOfSnapshot,
  type SnapshotEvidence,
} from "./process/snapshot-evidence.ts";
import { watchProgram } from "./process/watch-process.ts";
import { withSnapshots } from "./sandbox/snapshot-files.ts";
import { refuseRestart, traceRestart } from "./trace-restart.ts";

export interface ProcessRequest {
  machine: Machine;
  wanted: Wanted;
  /** `services` is empty: the service is found by the process. */
  application: ApplicationOptions;
  choices: Choices;
  /** The file that the plan is written to: recovered files are kept beside it. Undefined: in a work directory, until the capture ends. */
  planFile: string | undefined;
  /** The plan is only printed: nothing can be kept beside it. */
  printed: boolean;
  /** How long it is watched beside the snapshot; milliseconds, 0 for not at all. */
  time: number;
  /** "copy", "empty" or "snapshot:DIR": what is taken of its data. */
  data: string;
  /** Start it once more, under the tracer on overlays; the running one is left alone. */
  restart: { exercise: string | undefined } | undefined;
}

/** The caller packs from `machine`, and calls `close`, which leaves the request's own machine open. */
export interface CapturedProcess extends Captured {
  machine: Machine;
  close(): Promise<void>;
}

export async function captureProcess(request: ProcessRequest, tools: CaptureTools): Promise<CapturedProcess> {
  const { machine, wanted } = request;
  refuseFar(request);
  step("look at the process");
  const own = machine.kind === "local" ? new Set([process.pid]) : await readersOf(machine);
  const program = await orInterrupted(tools.signal, () => findRunningProgram(machine, wanted, own));
  for (const line of describeFound(program)) tools.log.info(line);
  const view = await viewOf(machine, program.main);
  const work = request.planFile === undefined ? makeWorkDirectory(tools.root, "process") : undefined;
  try {
    return await captureSeen(request, program, view, work, tools);
  } catch (error) {
    if (view.own) await view.machine.close();
    work?.remove();
    throw error;
  }
}

/** Over ssh the collector reads /proc and files; what has to run beside the program, or to start it again, runs on this host alone. */
function refuseFar({ machine, time, restart }: ProcessRequest): void {
  if (machine.kind === "local" || !machine.live) return;
  const why = (what: string, hint: string): TranshipError =>
    new TranshipError("E_USAGE", `a program on ${machine.address} cannot be ${what} from here`, { hint });
  if (time > 0)
    throw why("watched", "leave out --for: its snapshot is taken; or run tranship there, with local:");
  if (restart !== undefined)
    throw why("started once more", "capture run --service starts it here, on a staged copy of the machine");
}

/** The snapshot is taken when the witness is ready, so that between the two nothing is missed. */
async function watched(
  request: ProcessRequest,
  first: RunningProgram,
  view: ProcessView,
  tools: CaptureTools,
): Promise<{ program: RunningProgram; snapshot: SnapshotEvidence }> {
  const { machine, time } = request;
  if (time <= 0) return { program: first, snapshot: await evidenceOfSnapshot(first, view) };
  const progress = tools.progress.begin(
    `watching the program for ${formatDuration(time)}`,
    undefined,
    "files",
  );
  const watch = watchProgram({ machine, program: first, view, time, signal: tools.signal });
  try {
    await watch.ready;
    const program = await snapshotAgain(machine, first);
    const snapshot = await evidenceOfSnapshot(program, view);
    snapshot.notes.push(...(await watch.finish(snapshot)));
    progress.end(`${snapshot.evidence.paths.size} paths seen`);
    return { program, snapshot };
  } finally {
    await watch.stop();
  }
}

async function captureSeen(
  request: ProcessRequest,
  first: RunningProgram,
  view: ProcessView,
  work: WorkDirectory | undefined,
  tools: CaptureTools,
): Promise<CapturedProcess> {
  await refuseEarly(request, first, view);
  const { program, snapshot } = await watched(request, first, view, tools);
  const found = await findRecoverable(program, view);
  refuseFarRecovery(request.machine, found);
  const directory = recoveryDirectory(request, found, work);
  const recovered = await orInterrupted(tools.signal, () =>
    recoverFiles(request.machine, view, found, directory),
  );
  const opened: Machine[] = [withRecovered(view.machine, directory, recovered.map((one) => one.path))]; // biome-ignore format: short
  const close = async (): Promise<void> => {
    for (const one of opened.toReversed()) await one.close();
    if (view.own) await view.machine.close();
    work?.remove();
  };
  const top = (): Machine => opened.at(-1) ?? view.machine;
  try {
    const described = await describe(request, program, { ...view, machine: top() });
    await addNamedByCommands(snapshot, described.descriptor.programs, { ...view, machine: top() });
    const data = await dataOfProcess(request.data, top(), described.descriptor, snapshot.evidence);
    opened.push(withSnapshots(top(), data.snapshots));
    if (request.restart !== undefined)
      mergeEvidence(
        snapshot.evidence,
        await traceRestart({ request, program, view, recovered, ...described }, tools),
      );
    const captured = await planSeen(request, { program, view, snapshot, recovered, left: found.left, described, data, machine: top() }, tools); // biome-ignore format: short
    const changed = await changedSince(captured.plan, top().files, program);
    for (const line of described.told) tools.log.info(line);
    const { notes } = snapshot;
    for (const line of new Set([...found.notes, ...notes, ...described.notes, ...data.notes, ...changed]))
      tools.log.warn(line);
    return { ...captured, machine: top(), close };
  } catch (error) {
    for (const one of opened.toReversed()) await one.close();
    throw error;
  }
}

/** What only the operator can mend is told before he waits for the watch. The watch may show more. */
async function refuseEarly(
  request: ProcessRequest,
  program: RunningProgram,
  view: ProcessView,
): Promise<void> {
  parseDataWord(request.data);
  const { files } = await findRecoverable(program, view);
  refuseFarRecovery(request.machine, { files });
  // A program that has no name any more is described when it is recovered.
  if (program.main.executable.deleted) return;
  const { descriptor } = await describe(request, program, view);
  if (request.restart !== undefined) refuseRestart({ request, program, view, recovered: files, descriptor });
}

function refuseFarRecovery(machine: Machine, { files }: Pick<ToRecover, "files">): void {
  const [first] = files;
  if (machine.kind === "local" || first === undefined) return;
  throw new TranshipError(
    "E_USAGE",
    `${escapeBytes(first.path)} was ${first.why}, and cannot be recovered from ${machine.address}`,
    { hint: "restart the program there, or run tranship there, with local:" },
  );
}

interface Seen {
  program: RunningProgram;
  view: ProcessView;
  snapshot: SnapshotEvidence;
  recovered: RecoveredFile[];
  left: readonly Exclusion[];
  described: DescribedProcess;
  data: ProcessData;
  machine: Machine;
}

async function planSeen(request: ProcessRequest, seen: Seen, tools: CaptureTools): Promise<Captured> {
  const { choices } = request;
  const { program, view, snapshot, recovered, described, data } = seen;
  const { main } = program;
  const { descriptor } = described;
  const logs = [...snapshot.logs].map((path) => ({ path, why: "a log of the running program" }));
  const captured = await plan(
    seen.machine,
    { ...descriptor, volumes: [...descriptor.volumes, ...data.volumes] },
    {
      evidence: snapshot.evidence,
      schedules: program.service !== undefined && view.sameRoot,
      choices: {
        ...choices,
        filters: [...data.filters, ...choices.filters],
        recovered: new Map(recovered.map((one) => [one.path, one.why])),
      },
      exercised: exercisedBy(program, request),
      left: [...logs, ...seen.left],
      logs: snapshot.logs,
      ...(request.restart === undefined ? { running: runningOf(program, view) } : {}),
    },
    tools,
  );
  const { source } = captured.plan;
  captured.plan.recovered = recovered;
  if (data.snapshots.length > 0) source.snapshots = data.snapshots;
  if (view.own) source.process = { pid: main.pid, startTime: main.startTime };
  if (!(await stillRuns(new Source(request.machine.files), main))) throw ended(request.machine, main.pid);
  return captured;
}

/** Who runs it: its directories and logs may be closed at the moment of the snapshot. */
function runningOf({ processes }: RunningProgram, view: ProcessView): NonNullable<PlanParts["running"]> {
  const executables = processes.flatMap((one) => view.inside(one.executable.path) ?? []);
  return { executables, uids: processes.flatMap((one) => one.uids) };
}

function exercisedBy({ main, processes }: RunningProgram, { time, restart }: ProcessRequest): string[] {
  const name = escapeBytes(main.executable.path);
  const snapshot = `snapshot of ${processes.length} running processes of ${name}`;
  return [
    snapshot,
    ...(time <= 0 ? [] : [`${name} watched for ${formatDuration(time)} of its own work`]),
    ...(restart === undefined ? [] : [`${name} started once more under the tracer`]),
    ...(restart?.exercise === undefined ? [] : ["exercise"]),
  ];
}

function recoveryDirectory(
  request: ProcessRequest,
  found: ToRecover,
  work: WorkDirectory | undefined,
): string {
  if (found.files.length === 0) return "";
  if (request.printed) {
    const some = found.files
      .slice(0, 3)
      .map((one) => escapeBytes(one.path))
      .join(", ");
    throw new TranshipError(
      "E_USAGE",
      `a plan that is only printed cannot keep what has to be recovered: ${some}`,
      {
        hint: "write it to a file with --output, which keeps them beside it; --dry-run shows the plan",
      },
    );
  }
  return request.planFile === undefined
    ? join(work?.path ?? "", "recovered")
    : makeRecoveryBeside(request.planFile);
}

function describeFound(program: RunningProgram): string[] {
  const { main, processes } = program;
  const service = program.service === undefined ? "" : `, the service ${escapeBytes(program.service.name)}`;
  return [
    `process ${main.pid} (${escapeBytes(main.executable.path)}) with ${processes.length - 1} others of its own${service}`,
  ];
}

/** By the recipe of its service where it is one, so that it is started as the machine starts it; else by what runs. */
async function describe(
  request: ProcessRequest,
  program: RunningProgram,
  view: ProcessView,
): Promise<DescribedProcess> {
  const described = await describeStart(request, program, view);
  const given = await givenSockets(program, view);
  return {
    descriptor: withGivenSockets(described.descriptor, given),
    told: [...described.told, ...given.told],
    notes: [...described.notes, ...given.notes],
  };
}

async function describeStart(
  request: ProcessRequest,
  program: RunningProgram,
  view: ProcessView,
): Promise<DescribedProcess> {
  const { application, choices } = request;
  const running = () => describeProcess(program, view, application, choices.keepSecrets);
  if (program.service === undefined || !view.sameRoot || application.command.length > 0)
    return await running();
  try {
    const services = [program.service.name];
    const told: string[] = [];
    const asked = { ...application, services, command: [] };
    const descriptor = await describeApplication(view.machine, asked, (note) => told.push(note));
    const shown = await running().catch(() => undefined);
    const lines = shown === undefined ? [] : differences(descriptor, shown.descriptor);
    return { descriptor, told: [], notes: [...told, ...lines] };
  } catch (error) {
    if (!(error instanceof TranshipError) || error.code !== "E_SERVICE_NOT_FOUND") throw error;
    const described = await running();
    return { ...described, notes: [`${error.message}: described as it runs`, ...described.notes] };
  }
}
