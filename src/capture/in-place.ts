// A trace on the machine itself, by its owner's consent: over ssh, where no copy can show what the application needs. Tracer and init are
// pushed beside the collector, the application runs on the original files, its records come back over the connection, and what was pushed
// goes with it. A link that breaks gives no package.
import { TranshipError } from "../base/errors.ts";
import type { FarPlace } from "../machine/in-place.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { describeApplication } from "./application/application.ts";
import { checkSession, planFrom, type RunRequest } from "./capture-run.ts";
import type { Captured, CaptureTools } from "./captured.ts";
import { orInterrupted } from "./interrupt.ts";
import { checkCommand } from "./sandbox/check-command.ts";
import { farSockets, putPrograms, startFarSandbox, tryFarTracer } from "./sandbox/far-sandbox.ts";
import type { SandboxRequest } from "./sandbox/sandbox.ts";
import { listeningPortsOf } from "./sandbox/sandbox-sockets.ts";
import { followSession } from "./sandbox/session.ts";
import type { TracerMode } from "./sandbox/tracer.ts";

/** E_USAGE where the machine cannot run it, E_CAPTURE_INCOMPLETE where the link broke. */
export async function captureInPlace(request: RunRequest, tools: CaptureTools): Promise<Captured> {
  const { machine, application } = request;
  refuseChoices(request);
  const { place, descriptor, tracer } = await orInterrupted(tools.signal, async () => {
    const opened = await placeOf(machine);
    const command = await checkCommand(machine, application.command, application.workingDirectory);
    const described = await describeApplication(machine, { ...application, command }, (note) =>
      tools.log.warn(note),
    );
    await refuseTakenPorts(machine, described, request.session.ports);
    await putPrograms(opened);
    return { place: opened, descriptor: described, tracer: await chooseFarTracer(opened, request, tools) };
  });
  const start: SandboxRequest["start"] =
    application.services.length > 0 ? { kind: "services" } : { kind: "program", name: "main" };
  const { exercise } = request.session;
  const watching = tools.progress.begin(
    `watching the application on ${machine.address}, in place`,
    undefined,
    "files",
  );
  const sandbox = await startFarSandbox({
    machine, place, descriptor, start, tracer, calls: request.learn === true, exercise, signal: tools.signal, log: tools.log,
  }); // biome-ignore format: short
  const options = { ...request.session, signal: tools.signal, log: tools.log };
  const session = await followSession(sandbox, start, options, place.directory);
  const { evidence } = session;
  evidence?.warnings.push(...evidence.ioUring);
  checkSession(session, start);
  for (const warning of evidence?.warnings ?? []) tools.log.warn(`traced: ${warning}`);
  watching.end(`${evidence?.paths.size ?? 0} paths seen in ${evidence?.records ?? 0} records`);
  return await planFrom(request, descriptor, session, tools);
}

function refuseChoices({ machine, data, network }: RunRequest): void {
  const why =
    machine.inPlace === undefined
      ? `--in-place is for machines over ssh, and ${machine.address} is none`
      : data !== "copy"
        ? `--in-place runs on the data that are there: --data ${data} is not possible`
        : network === "host"
          ? "--in-place runs in the machine's own network: --network is not possible"
          : undefined;
  if (why === undefined) return;
  throw new TranshipError("E_USAGE", why, {
    hint: "without --in-place it runs on overlays, or on a staged copy",
  });
}

async function placeOf(machine: Machine): Promise<FarPlace> {
  const place = await machine.inPlace?.();
  if (place !== undefined) return place;
  throw new TranshipError("E_USAGE", `no tracer can be put on ${machine.address}`, {
    hint: "--in-place needs what the collector needs: no --no-push, Linux on x86-64, and room in a directory without noexec",
  });
}

/** What already serves there would be taken for what is started, or keep it from starting. */
async function refuseTakenPorts(
  machine: Machine,
  descriptor: Descriptor,
  asked: readonly number[],
): Promise<void> {
  const own = descriptor.services.flatMap(({ readiness }) =>
    readiness?.port === undefined ? [] : [readiness.port],
  );
  const listening = listeningPortsOf(await farSockets(machine));
  const taken = [...new Set([...asked, ...own])].filter((port) => listening.has(port));
  if (taken.length === 0) return;
  throw new TranshipError("E_CAPTURE_FAILED", `port ${taken.join(", ")} of ${machine.address} is in use`, {
    hint: "stop the service there before it is traced in place, and start it again afterwards: Tranship stops nothing that it did not start",
  });
}

async function chooseFarTracer(
  place: FarPlace,
  { tracer, learn }: RunRequest,
  tools: CaptureTools,
): Promise<TracerMode> {
  const choice = learn === true ? "plain" : tracer;
  const first = choice === "auto" ? "seccomp" : choice;
  const problem = await tryFarTracer(place, first);
  if (problem === undefined) return first;
  const other = choice === "auto" ? await tryFarTracer(place, "plain") : problem;
  if (other !== undefined) {
    throw new TranshipError("E_CAPTURE_FAILED", `the tracer does not work on that machine: ${other}`, {
      hint: "leave out --in-place: then the application runs here, on a staged copy",
    });
  }
  tools.log.warn(`tracing every call, which is slower: the mode seccomp does not work there (${problem})`);
  return "plain";
}
