// A running program becomes a package, without being stopped: snapshot, recovery of what has no name any more, description, plan.
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { stillRuns } from "../discover/process-snapshot.ts";
import { ended, findRunningProgram, type RunningProgram, type Wanted } from "../discover/running-program.ts";
import { Source } from "../discover/source.ts";
import { escapeBytes } from "../formats/escape.ts";
import { step } from "../host/steps.ts";
import { makeWorkDirectory, type WorkDirectory } from "../host/work.ts";
import type { Machine } from "../machine/machine.ts";
import { type ApplicationOptions, describeApplication } from "./application.ts";
import { type Captured, type CaptureTools, type Choices, plan } from "./capture.ts";
import { orInterrupted } from "./interrupt.ts";
import { type DescribedProcess, describeProcess } from "./process-application.ts";
import { changedSince, differences, inheritedSockets } from "./process-report.ts";
import { type ProcessView, viewOf } from "./process-view.ts";
import { findRecoverable, makeRecoveryBeside, recoverFiles, type ToRecover } from "./recover.ts";
import { withRecovered } from "./recovered-files.ts";
import { evidenceOfSnapshot } from "./snapshot-evidence.ts";

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
}

/** The caller packs from `machine`, and calls `close`, which leaves the request's own machine open. */
export interface CapturedProcess extends Captured {
  machine: Machine;
  close(): Promise<void>;
}

export async function captureProcess(request: ProcessRequest, tools: CaptureTools): Promise<CapturedProcess> {
  const { machine, wanted } = request;
  step("look at the process");
  const own = machine.kind === "local" ? process.pid : undefined;
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

async function captureSeen(
  request: ProcessRequest,
  program: RunningProgram,
  view: ProcessView,
  work: WorkDirectory | undefined,
  tools: CaptureTools,
): Promise<CapturedProcess> {
  const { choices } = request;
  const found = await findRecoverable(program, view);
  const directory = recoveryDirectory(request, found, work);
  const recovered = await orInterrupted(tools.signal, () =>
    recoverFiles(request.machine, view, found, directory),
  );
  const seen = withRecovered(
    view.machine,
    directory,
    recovered.map((one) => one.path),
  );
  const snapshot = await evidenceOfSnapshot(program, { ...view, machine: seen });
  const { descriptor, told, notes } = await describe(request, program, { ...view, machine: seen });
  const captured = await plan(
    seen,
    descriptor,
    {
      evidence: snapshot.evidence,
      schedules: program.service !== undefined && view.sameRoot,
      choices: { ...choices, recovered: new Map(recovered.map((one) => [one.path, one.why])) },
      exercised: [
        `snapshot of ${program.processes.length} running processes of ${escapeBytes(program.main.executable.path)}`,
      ],
      left: [...snapshot.left, ...found.left],
    },
    tools,
  );
  const { main } = program;
  captured.plan.recovered = recovered;
  if (view.own) captured.plan.source.process = { pid: main.pid, startTime: main.startTime };
  if (!(await stillRuns(new Source(request.machine.files), main))) throw ended(request.machine, main.pid);
  const changed = await changedSince(captured.plan, seen.files, program);
  for (const line of told) tools.log.info(line);
  for (const line of [...found.notes, ...snapshot.notes, ...notes, ...inheritedSockets(program), ...changed])
    tools.log.warn(line);
  return {
    ...captured,
    machine: seen,
    close: async () => {
      await seen.close();
      if (view.own) await view.machine.close();
      work?.remove();
    },
  };
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
  const { application, choices } = request;
  const running = () => describeProcess(program, view, application, choices.keepSecrets);
  if (program.service === undefined || !view.sameRoot || application.command.length > 0)
    return await running();
  try {
    const services = [program.service.name];
    const descriptor = await describeApplication(view.machine, { ...application, services, command: [] });
    const shown = await running().catch(() => undefined);
    const lines = shown === undefined ? [] : differences(descriptor, shown.descriptor);
    return { descriptor, told: [], notes: lines };
  } catch (error) {
    if (!(error instanceof TranshipError) || error.code !== "E_SERVICE_NOT_FOUND") throw error;
    const described = await running();
    return { ...described, notes: [`${error.message}: described as it runs`, ...described.notes] };
  }
}
