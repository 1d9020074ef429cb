// The main path: a request becomes evidence, a plan, and an image. Each step can be had alone.
import { basename, dirname, join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Log, Progress } from "../base/log.ts";
import type { Seed } from "../closure/expand.ts";
import { type InstalledPackages, loadInstalled } from "../closure/installed.ts";
import type { Reason } from "../closure/reason.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { readText } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { makeWorkDirectory } from "../host/work.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { type ApplicationOptions, describeApplication } from "./application.ts";
import { checkCommand } from "./check-command.ts";
import { commandSeeds } from "./command-seeds.ts";
import { checkDataSpace, type DataDirectory, dataRequest } from "./data-directories.ts";
import type { Evidence } from "./evidence.ts";
import {
  type EvidenceParts,
  evidenceForPlan,
  makeEvidenceDocument,
  readEvidenceDocument,
} from "./evidence-document.ts";
import { checkExercise } from "./exercise.ts";
import { explainFullDisk } from "./full-disk.ts";
import { orInterrupted } from "./interrupt.ts";
import { joinWitnesses } from "./join-witnesses.ts";
import { makePlan, type PlanRequest } from "./make-plan.ts";
import { missedSeeds } from "./misses.ts";
import { ownedDirectories } from "./owned-directories.ts";
import { type PackedImage, pack } from "./pack.ts";
import type { Exclusion, Plan } from "./plan.ts";
import { readPlanFile } from "./plan-file.ts";
import type { Lookup } from "./reduce-lookups.ts";
import type { SandboxRequest } from "./sandbox.ts";
import { applicationSchedules } from "./schedules.ts";
import { runSession, type SessionOptions, type SessionResult } from "./session.ts";
import { withHostRoot } from "./staged.ts";
import { chooseTracer, type TracerChoice } from "./tracer.ts";
import { warnOfUnmet } from "./unmet.ts";

export interface CaptureTools {
  root: StateRoot;
  log: Log;
  progress: Progress;
  signal: AbortSignal;
  /** "tranship 1.2.3": goes into the evidence. */
  tool: string;
  /** What observed instances looked for in vain: packed where the machine has it. */
  missed?: readonly Lookup[];
}

/** What decides what is packed, beyond the evidence itself. */
export type Choices = Pick<
  PlanRequest,
  "include" | "filters" | "volumes" | "keepSecrets" | "closure" | "rules" | "expansion" | "recovered"
> & {
  /** Installed packages of --also. */
  alsoInstalled: readonly string[];
};

export interface RunRequest {
  machine: Machine;
  application: ApplicationOptions;
  session: Pick<SessionOptions, "ports" | "exercise" | "linger" | "for" | "timeout">;
  network: SandboxRequest["network"];
  tracer: TracerChoice;
  /** Whether the file witness watches beside the tracer. */
  witness: boolean;
  /** "copy", "empty" or "snapshot:DIR". */
  data: string;
  choices: Choices;
}

/** A plan with all that packing needs beside it. */
export interface Captured {
  plan: Plan;
  evidence: string;
  session: SessionResult | undefined;
}

/** Runs the application under the tracer and plans. The source is not changed. */
export async function captureRun(request: RunRequest, tools: CaptureTools): Promise<Captured> {
  const { machine, application } = request;
  if (request.session.exercise !== undefined) checkExercise(request.session.exercise);
  const tracer = chooseTracer(request.tracer, tools.log);
  const { descriptor, data } = await orInterrupted(tools.signal, async () => {
    const found = await checkCommand(machine, application.command, application.workingDirectory);
    const described = await describeApplication(machine, { ...application, command: found });
    const space = await checkDataSpace(machine, described, tools.root.work);
    return { descriptor: described, data: space };
  });
  const emptied = request.data === "copy" ? [] : data.map(({ path }) => path);
  const whole = request.data === "copy" ? data.map(({ path }) => path) : [];
  return await withHostRoot(machine, { whole, empty: emptied }, tools, (here) =>
    runOnHost({ ...request, machine: here }, { descriptor, data, tracer }, tools),
  );
}

interface Prepared {
  descriptor: Descriptor;
  data: readonly DataDirectory[];
  tracer: SandboxRequest["tracer"];
}

async function runOnHost(request: RunRequest, prepared: Prepared, tools: CaptureTools): Promise<Captured> {
  const { machine, application } = request;
  const { descriptor, data, tracer } = prepared;
  const work = makeWorkDirectory(tools.root, "capture");
  try {
    const start: SandboxRequest["start"] =
      application.services.length > 0 ? { kind: "services" } : { kind: "program", name: "main" };
    const sandbox: SandboxRequest = {
      machine, work: work.path, descriptor, start, network: request.network, tracer,
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
    return await planFrom(request, descriptor, session, tools);
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
  const how =
    session.status > 128
      ? `was killed by signal ${session.status - 128}`
      : `ended with status ${session.status}`;
  throw new TranshipError("E_CAPTURE_FAILED", `the command ${how}`, {
    hint: "a package is made only from a run that succeeded; its output is above",
    details: { status: session.status },
  });
}

async function planFrom(
  request: RunRequest,
  descriptor: Descriptor,
  session: SessionResult,
  tools: CaptureTools,
): Promise<Captured> {
  const exercised = [
    ...request.application.services.map((name) => `service ${name}`),
    ...(request.application.command.length > 0 ? [request.application.command.join(" ")] : []),
    ...(session.exercise === undefined ? [] : ["exercise"]),
    ...request.session.ports.map((port) => `port ${port} open`),
  ];
  return await plan(
    request.machine,
    descriptor,
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

export interface PlanParts {
  evidence: Evidence | undefined;
  /** Whether the machine's own schedules come along. */
  schedules: boolean;
  choices: Choices;
  exercised: readonly string[];
  session?: SessionResult;
  /** What else is to be packed. */
  seeds?: readonly Seed[];
  /** Known before and not to be packed, with the reasons. */
  left?: readonly Exclusion[];
  logs?: ReadonlySet<ByteString>;
}

export async function plan(
  machine: Machine,
  application: Descriptor,
  parts: PlanParts,
  tools: CaptureTools,
): Promise<Captured> {
  step("make the plan");
  return await orInterrupted(tools.signal, () => planWhole(machine, application, parts, tools));
}

async function planWhole(
  machine: Machine,
  application: Descriptor,
  parts: PlanParts,
  tools: CaptureTools,
): Promise<Captured> {
  const installed = await loadInstalled(machine.files);
  // A service lives beside its schedules; a single command does not.
  const jobs = parts.schedules ? await applicationSchedules(machine, installed, application) : undefined;
  const descriptor =
    jobs === undefined
      ? application
      : { ...application, programs: [...application.programs, ...jobs.programs], schedules: jobs.schedules };
  for (const problem of installed.problems.slice(0, 20)) {
    tools.log.warn(
      `${escapeBytes(problem.path)}${problem.line > 0 ? `:${problem.line}` : ""}: ${problem.message}`,
    );
  }
  const working = tools.progress.begin("finding what it needs", undefined, "files");
  // What a run would have shown: where no service ran, its directories are found by their owner.
  const owned =
    parts.evidence === undefined
      ? [
          ...(await commandSeeds(machine, descriptor)),
          ...(await ownedDirectories(machine, application, installed, parts.choices.alsoInstalled)),
        ]
      : [];
  const seeds = [
    ...(parts.seeds ?? []),
    ...(await missedSeeds(machine, tools.missed ?? [])),
    ...(jobs?.seeds ?? []),
    ...installedSeeds(installed, parts.choices.alsoInstalled, machine),
    ...owned,
  ];
  const planned = await makePlan({
    machine,
    descriptor,
    installed,
    evidence: parts.evidence,
    startedAndStopped: parts.session !== undefined,
    seeds,
    left: parts.left ?? [],
    logs: parts.logs ?? new Set(),
    ...parts.choices,
  });
  warnOfUnmet(planned.plan.unmet, tools.log);
  for (const { path, why } of planned.plan.data.filter((one) => one.state === "live"))
    tools.log.warn(`${escapeBytes(path)} is not a consistent copy: ${why}`);
  working.end(`${planned.reasons.size} paths planned`);
  return {
    plan: planned.plan,
    evidence: evidenceText(
      planned.plan,
      planned.reasons,
      { ...parts, recovered: parts.choices.recovered },
      tools,
    ),
    session: parts.session,
  };
}

function evidenceText(
  plan: Plan,
  reasons: ReadonlyMap<ByteString, readonly Reason[]>,
  parts: Pick<EvidenceParts, "evidence" | "exercised" | "recovered">,
  tools: Pick<CaptureTools, "tool">,
): string {
  return JSON.stringify(
    makeEvidenceDocument({
      plan,
      reasons,
      evidence: parts.evidence,
      exercised: parts.exercised,
      tool: tools.tool,
      recovered: parts.recovered,
    }),
  );
}

export interface InstalledRequest {
  machine: Machine;
  application: ApplicationOptions;
  /** Installed packages by name. */
  names: readonly string[];
  choices: Choices;
}

/** Reverse packaging: what the data base says belongs to the named installed packages, and what that needs. */
export async function captureInstalled(request: InstalledRequest, tools: CaptureTools): Promise<Captured> {
  const descriptor = await describeApplication(request.machine, request.application);
  const choices = { ...request.choices, alsoInstalled: [...request.names, ...request.choices.alsoInstalled] };
  return await plan(
    request.machine,
    descriptor,
    { evidence: undefined, schedules: request.application.services.length > 0, choices, exercised: [] },
    tools,
  );
}

function installedSeeds(installed: InstalledPackages, names: readonly string[], machine: Machine): Seed[] {
  return names.flatMap((name) => {
    if (installed.get(name) === undefined) {
      const like = installed.all().map((one) => one.name).filter((known) => known.includes(name) || name.includes(known)).slice(0, 10); // biome-ignore format: short
      throw new TranshipError(
        "E_USAGE",
        `no installed package ${JSON.stringify(name)} on ${machine.address}`,
        {
          hint:
            like.length > 0
              ? `there are: ${like.join(", ")}`
              : "`tranship discover` lists installed packages",
        },
      );
    }
    const reason: Reason = { kind: "installed", detail: name };
    return installed.filesOf(name).map((path) => ({ path, reason }));
  });
}

/** A plan made before with --plan-only, with the evidence that was written beside it. */
export function readPlan(
  file: string,
  tools: Pick<CaptureTools, "log" | "tool">,
): { plan: Plan; evidence: string } {
  const plan = readPlanFile(file);
  const beside =
    plan.source.evidence === undefined ? undefined : join(dirname(file), basename(plan.source.evidence));
  const known = beside === undefined ? undefined : readText(beside);
  if (known !== undefined) {
    const document = readEvidenceDocument(Buffer.from(known), beside ?? file);
    return { plan, evidence: JSON.stringify(evidenceForPlan(document, plan)) };
  }
  if (beside !== undefined)
    tools.log.warn(`${beside} is missing: \`why\` will know only the groups of the plan`);
  const parts = { evidence: undefined, exercised: ["a plan that was made before"] };
  return { plan, evidence: evidenceText(plan, new Map(), parts, tools) };
}

export async function packPlan(
  machine: Machine,
  reference: string,
  captured: { plan: Plan; evidence: string; acceptChanges?: boolean },
  tools: CaptureTools,
): Promise<PackedImage> {
  return await pack({
    root: tools.root,
    machine,
    reference,
    plan: captured.plan,
    evidence: captured.evidence,
    acceptChanges: captured.acceptChanges === true,
    progress: tools.progress,
    signal: tools.signal,
  });
}
