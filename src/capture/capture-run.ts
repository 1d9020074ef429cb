// A capture that starts the application: it runs under the tracer, on overlays, and what it used becomes a plan.

import { TranshipError } from "../base/errors.ts";
import { escapeBytes } from "../formats/escape.ts";
import { makeWorkDirectory } from "../host/work.ts";
import type { Machine } from "../machine/machine.ts";
import { learnedCapabilities } from "../package/capabilities.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { type ApplicationOptions, describeApplication } from "./application/application.ts";
import type { CaptureTools, Choices, OwnCapture } from "./captured.ts";
import { checkDataSpace, type DataDirectory, dataRequest } from "./data/data-directories.ts";
import { dataOfRun, type RunData } from "./data/run-data.ts";
import { joinWitnesses } from "./evidence/join-witnesses.ts";
import { captureInPlace } from "./in-place.ts";
import { orInterrupted } from "./interrupt.ts";
import { plan } from "./plan-capture.ts";
import { checkCommand } from "./sandbox/check-command.ts";
import { checkExercise } from "./sandbox/exercise.ts";
import { explainFullDisk } from "./sandbox/full-disk.ts";
import { howItEnded } from "./sandbox/how-it-ended.ts";
import type { SandboxRequest } from "./sandbox/sandbox.ts";
import { runSession, type SessionOptions, type SessionResult } from "./sandbox/session.ts";
import { withSnapshots } from "./sandbox/snapshot-files.ts";
import { withHostRoot } from "./sandbox/staged.ts";
import { chooseTracer, type TracerChoice } from "./sandbox/tracer.ts";

export interface RunRequest {
  machine: Machine;
  application: ApplicationOptions;
  session: Pick<SessionOptions, "ports" | "exercise" | "linger" | "for" | "timeout">;
  network: SandboxRequest["network"];
  tracer: TracerChoice;
  /** Record every system call, for the learned profile: each call stops. */
  learn?: boolean;
  /** Whether the file witness watches beside the tracer. */
  witness: boolean;
  /** On the machine itself instead of a staged copy: machines over ssh, and only where its owner agrees. */
  inPlace?: boolean;
  /** "copy", "empty" or "snapshot:DIR". */
  data: string;
  choices: Choices;
}

/** Runs the application under the tracer and plans. The source is not changed. */
export async function captureRun(request: RunRequest, tools: CaptureTools): Promise<OwnCapture> {
  const { machine, application } = request;
  if (request.session.exercise !== undefined) checkExercise(request.session.exercise);
  if (request.inPlace === true) return await captureInPlace(request, tools);
  const tracer = chooseTracer(request.learn === true ? "plain" : request.tracer, tools.log);
  const { descriptor, data } = await orInterrupted(tools.signal, async () => {
    const found = await checkCommand(machine, application.command, application.workingDirectory);
    const described = await describeApplication(machine, { ...application, command: found }, (note) =>
      tools.log.warn(note),
    );
    const space = await checkDataSpace(machine, described, tools.root.work);
    return { descriptor: described, data: space };
  });
  const emptied = request.data === "copy" ? [] : data.map(({ path }) => path);
  const whole = request.data === "copy" ? data.flatMap((one) => (one.copiedUp ? [one.path] : [])) : [];
  const taken = dataOfRun(request.data, data, { descriptor, choices: request.choices });
  const captured = await withHostRoot(machine, { whole, empty: emptied }, tools, (here) =>
    runOnHost({ ...request, machine: here }, { descriptor, data, taken, tracer }, tools),
  );
  if (taken.snapshots.length === 0) return captured;
  captured.plan.source.snapshots = taken.snapshots;
  const view = withSnapshots(machine, taken.snapshots);
  return { ...captured, machine: view, close: () => view.close() };
}

interface Prepared {
  descriptor: Descriptor;
  data: readonly DataDirectory[];
  /** What of it is packed. */
  taken: RunData;
  tracer: SandboxRequest["tracer"];
}

async function runOnHost(request: RunRequest, prepared: Prepared, tools: CaptureTools): Promise<OwnCapture> {
  const { machine, application } = request;
  const { descriptor, data, taken, tracer } = prepared;
  const work = makeWorkDirectory(tools.root, "capture");
  try {
    const start: SandboxRequest["start"] =
      application.services.length > 0 ? { kind: "services" } : { kind: "program", name: "main" };
    const sandbox: SandboxRequest = {
      machine, work: work.path, descriptor, start, network: request.network, tracer, calls: request.learn ?? false,
      witness: request.witness, ...dataRequest(request.data, data),
    }; // biome-ignore format: short
    const watching = tools.progress.begin("watching the application", undefined, "files");
    const session = await runSession(sandbox, { ...request.session, signal: tools.signal, log: tools.log });
    if (start.kind === "services" && request.session.exercise === undefined) {
      tools.log.warn(
        "the services were started, but nothing was asked of them: give --exercise for a package that can be trusted",
      );
    }
    await joinEvidence(machine, session, tools);
    checkSession(session, start);
    for (const warning of session.evidence?.warnings ?? []) tools.log.warn(`traced: ${warning}`);
    watching.end(
      `${session.evidence?.paths.size ?? 0} paths seen in ${session.evidence?.records ?? 0} records`,
    );
    const seen = withSnapshots(machine, taken.snapshots);
    try {
      return await planFrom(
        { ...request, machine: seen, choices: taken.choices },
        taken.descriptor,
        session,
        tools,
      );
    } finally {
      await seen.close();
    }
  } catch (error) {
    throw explainFullDisk(error, work.path);
  } finally {
    work.remove();
  }
}

/** What only io_uring opened the tracer does not see. The file witness does; without it nobody did. */
export async function joinEvidence(
  machine: Machine,
  { evidence, witness }: SessionResult,
  tools: CaptureTools,
): Promise<void> {
  if (evidence === undefined) return;
  if (witness !== undefined)
    await orInterrupted(tools.signal, () => joinWitnesses(evidence, witness, machine.files));
  if (evidence.agreement === undefined) evidence.warnings.push(...evidence.ioUring);
  else
    for (const text of evidence.ioUring)
      tools.log.info(`traced: ${text}; the file witness saw what it opened`);
}

/** E_CAPTURE_INCOMPLETE where something was not seen, E_CAPTURE_FAILED where the command failed. */
export function checkSession(session: SessionResult, start: SandboxRequest["start"]): void {
  const lost = session.evidence?.lost ?? [];
  if (lost.length > 0) {
    throw new TranshipError(
      "E_CAPTURE_INCOMPLETE",
      `something was lost from sight: ${lost.slice(0, 3).map(escapeBytes).join("; ")}`,
      {
        hint: lost.every((text) => text.startsWith("the file witness"))
          ? "run the capture again; --no-witness makes do with the tracer alone"
          : "run the capture again; a package made from this could lack files",
        details: { lost: lost.slice(0, 100).map(escapeBytes) },
      },
    );
  }
  if (start.kind !== "program" || session.status === undefined || session.status === 0) return;
  throw new TranshipError("E_CAPTURE_FAILED", `the command ${howItEnded(session.status)}`, {
    hint: "a package is made only from a run that succeeded; its output is above",
    details: { status: session.status },
  });
}

export async function planFrom(
  request: RunRequest,
  descriptor: Descriptor,
  session: SessionResult,
  tools: CaptureTools,
): Promise<OwnCapture> {
  const exercised = [
    ...request.application.services.map((name) => `service ${name}`),
    ...(request.application.command.length > 0 ? [request.application.command.join(" ")] : []),
    ...(session.exercise === undefined ? [] : ["exercise"]),
    ...request.session.ports.map((port) => `port ${port} open`),
  ];
  return await plan(
    request.machine,
    request.learn === true ? withCalls(descriptor, session) : descriptor,
    {
      evidence: session.evidence,
      schedules: request.application.services.length > 0,
      choices: request.choices,
      exercised,
      session,
    },
    tools,
  );
}

function withCalls(descriptor: Descriptor, { evidence }: SessionResult): Descriptor {
  const calls = [...(evidence?.calls ?? [])].filter((name) => /^[a-z_]/.test(name)).sort();
  return { ...descriptor, syscalls: { profile: "learned", calls }, capabilities: learnedCapabilities(calls) };
}
