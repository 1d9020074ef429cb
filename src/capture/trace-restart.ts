// A running program is started once more, under the tracer and on overlays, to see what it uses when it starts. The running one and its
// files are left alone: the second one has a network of its own and writes to overlays.
import { TranshipError } from "../base/errors.ts";
import type { RunningProgram } from "../discover/running-program.ts";
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { makeWorkDirectory } from "../host/work.ts";
import type { Descriptor, Program } from "../package/descriptor.ts";
import { exactText } from "./application/descriptor-text.ts";
import type { ProcessRequest } from "./capture-process.ts";
import { checkSession, joinEvidence } from "./capture-run.ts";
import type { CaptureTools } from "./captured.ts";
import { checkDataSpace, dataRequest } from "./data/data-directories.ts";
import type { Evidence } from "./evidence/evidence.ts";
import { orInterrupted } from "./interrupt.ts";
import type { RecoveredFile } from "./plan/plan.ts";
import type { ProcessView } from "./process/process-view.ts";
import { checkExercise } from "./sandbox/exercise.ts";
import { explainFullDisk } from "./sandbox/full-disk.ts";
import { runSession } from "./sandbox/session.ts";
import { chooseTracer } from "./sandbox/tracer.ts";

export interface Restart {
  request: ProcessRequest;
  program: RunningProgram;
  view: ProcessView;
  descriptor: Descriptor;
  recovered: readonly RecoveredFile[];
}

const linger = 2000;
const timeout = 120_000;

/** E_USAGE where the program cannot be started again as it runs. */
export async function traceRestart(restart: Restart, tools: CaptureTools): Promise<Evidence> {
  const { request, program } = restart;
  refuseRestart(restart);
  const exercise = request.restart?.exercise;
  const tracer = chooseTracer("auto", tools.log);
  const descriptor = withSecrets(restart.descriptor, program.main.environment);
  const work = makeWorkDirectory(tools.root, "capture");
  try {
    const { machine } = request;
    const data = await orInterrupted(tools.signal, () =>
      checkDataSpace(machine, descriptor, tools.root.work),
    );
    const start = { kind: "services" } as const;
    const sandbox = {
      machine, work: work.path, descriptor, start, network: "own", tracer, witness: true, ...dataRequest(request.data, data),
    } as const; // biome-ignore format: short
    const watching = tools.progress.begin(
      "starting the program once more, under the tracer",
      undefined,
      "files",
    );
    const session = await runSession(sandbox, {
      ports: ownPorts(program),
      exercise,
      linger,
      for: undefined,
      timeout,
      signal: tools.signal,
      log: tools.log,
    });
    await joinEvidence(machine, session, tools);
    checkSession(session, start);
    const { evidence } = session;
    if (evidence === undefined) throw new TranshipError("E_INTERNAL", "a traced session gave no evidence");
    for (const warning of evidence.warnings) tools.log.warn(`traced: ${warning}`);
    watching.end(`${evidence.paths.size} paths seen in ${evidence.records} records`);
    return evidence;
  } catch (error) {
    throw explainFullDisk(error, work.path);
  } finally {
    work.remove();
  }
}

/** E_USAGE, also before the program is watched: what is recovered may be only known by its path then. */
export function refuseRestart({
  request,
  program,
  view,
  recovered,
  descriptor,
}: Omit<Restart, "recovered"> & { recovered: readonly { path: ByteString }[] }): void {
  if (request.restart?.exercise !== undefined) checkExercise(request.restart.exercise);
  const { main } = program;
  const why = view.own
    ? "has a root or mounts of its own"
    : recovered.length > 0
      ? `runs or holds what has no name any more, ${escapeBytes(recovered[0]?.path ?? "")},`
      : program.listeners.some((one) => one.givenBy !== undefined) &&
          descriptor.services.every((service) => service.sockets === undefined)
        ? "was given its socket by another process, in a way that an instance does not have,"
        : undefined;
  if (why === undefined) return;
  throw new TranshipError(
    "E_USAGE",
    `process ${main.pid} ${why} and cannot be started once more as it runs`,
    {
      hint: `leave out --restart; --for watches it for longer${giverHint(program)}`,
    },
  );
}

function giverHint({ listeners }: RunningProgram): string {
  const giver = listeners.find((one) => (one.givenBy ?? 0) > 1)?.givenBy;
  return giver === undefined
    ? ""
    : `; or take what opened its socket, with all that it starts: --pid ${giver}`;
}

/** The package keeps them out; the program needs them to start. */
function withSecrets(descriptor: Descriptor, environment: Readonly<Record<string, ByteString>>): Descriptor {
  const values: Record<string, string> = {};
  for (const secret of descriptor.secrets)
    if (secret.delivery === "env")
      values[secret.name] = exactText(environment[secret.name] ?? "", `the variable ${secret.name}`);
  const programs = descriptor.programs.map((program): Program => {
    return { ...program, environment: { ...program.environment, ...values } };
  });
  return { ...descriptor, programs };
}

function ownPorts({ listeners }: RunningProgram): number[] {
  const tcp = listeners.filter((one) => one.protocol.startsWith("tcp"));
  return [...new Set(tcp.map((one) => one.port))];
}
