// The original of a parity test: the machine's own programs on an overlay, as in a capture, without the tracer.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../base/errors.ts";
import { formatDuration } from "../base/units.ts";
import { placeExercise, resultsDirectory } from "../capture/sandbox/exercise.ts";
import { type Sandbox, startSandbox } from "../capture/sandbox/sandbox.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { ExerciseOutput } from "./exercise-output.ts";
import { loggedOutput, mayEnd, type OwnEnd, watchTime } from "./own-end.ts";
import type { ParityRequest, Side } from "./parity.ts";
import { probePort } from "./probe.ts";
import { collectWritten, readResults } from "./written-files.ts";

export interface OriginalRequest extends ParityRequest {
  machine: Machine;
  descriptor: Descriptor;
  work: string;
}

export async function runOriginal(request: OriginalRequest): Promise<Side> {
  const work = join(request.work, "original");
  mkdirSync(work, { mode: 0o755 });
  const began = Date.now();
  const run = placeExercise(work, request.exercise);
  const sandbox = await startSandbox({
    machine: request.machine,
    work,
    descriptor: request.descriptor,
    start: { kind: "services" },
    network: "own",
    tracer: undefined,
  });
  const onAbort = (): void => sandbox.kill();
  request.signal.addEventListener("abort", onAbort, { once: true });
  try {
    await waitReady(sandbox, request);
    const startTime = Date.now() - began;
    const end = mayEnd(request) ? await ownEnd(sandbox, request, run) : undefined;
    const side: Side = {
      name: request.machine.address,
      status: undefined,
      output: "",
      results: new Map(),
      probes: new Map(),
      written: new Map(),
      startTime,
      ...(end === undefined ? {} : { end }),
    };
    for (const port of request.ports) side.probes.set(port, await probePort(sandbox.pid, port));
    if (request.exercise !== undefined) {
      const output = new ExerciseOutput();
      side.status = await sandbox.runExercise((text, stream) => output.add(stream, text));
      side.output = output.text();
      side.results = readResults(resultsDirectory(run));
    }
    sandbox.stop();
    await sandbox.exit;
    collectWritten(join(work, "layer-0/upper"), "/", side.written);
    return side;
  } finally {
    request.signal.removeEventListener("abort", onAbort);
    sandbox.kill();
    await sandbox.exit.catch(() => {});
  }
}

async function waitReady(sandbox: Sandbox, request: OriginalRequest): Promise<void> {
  let ended: number | undefined;
  const exit = sandbox.exit.then((status) => {
    ended = status;
  });
  const deadline = Date.now() + request.timeout;
  while (!sandbox.ready() || request.ports.some((port) => !sandbox.listening().has(port))) {
    if (request.signal.aborted) throw new TranshipError("E_INTERRUPTED", "the test was stopped");
    if (ended !== undefined && mayEnd(request)) return;
    if (ended !== undefined || Date.now() > deadline) {
      const why =
        ended === undefined
          ? `was not ready after ${formatDuration(request.timeout)}`
          : `ended with status ${ended}`;
      throw new TranshipError(
        "E_TEST_FAILED",
        `the original ${why}\n    ${sandbox.logTail().split("\n").join("\n    ")}`,
        {
          hint: "the package's services could not be started on the original machine's own files",
        },
      );
    }
    await Promise.race([exit, new Promise((resolve) => setTimeout(resolve, 50))]);
  }
}

async function ownEnd(
  { exit }: Sandbox,
  { signal }: OriginalRequest,
  run: string,
): Promise<OwnEnd | undefined> {
  const watched = new AbortController();
  const stop = AbortSignal.any([signal, watched.signal]);
  const over = sleep(watchTime, undefined, { signal: stop }).catch(() => undefined);
  const status = await Promise.race([exit, over]);
  watched.abort();
  if (signal.aborted) throw new TranshipError("E_INTERRUPTED", "the test was stopped");
  return status === undefined ? undefined : { status, output: loggedOutput(run) };
}
