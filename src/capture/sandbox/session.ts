// A watched session: start the application, wait for what was asked (ports, exercise, time), stop it, collect the evidence.
import type { Readable } from "node:stream";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { formatDuration } from "../../base/units.ts";
import type { ByteString } from "../../formats/entry.ts";
import { TraceDecoder, type TraceRecord } from "../../formats/trace-records.ts";
import { WitnessDecoder } from "../../formats/witness-records.ts";
import { step } from "../../host/steps.ts";
import type { Evidence } from "../evidence/evidence.ts";
import { Reducer } from "../evidence/reduce.ts";
import { type WitnessEvidence, WitnessReducer } from "../evidence/reduce-witness.ts";
import { placeExercise } from "./exercise.ts";
import { howItEnded } from "./how-it-ended.ts";
import { type Sandbox, type SandboxRequest, startSandbox } from "./sandbox.ts";

export interface SessionOptions {
  ports: readonly number[];
  /** Executable of this host that is run inside. */
  exercise: string | undefined;
  /** Milliseconds. */
  linger: number;
  /** Watch for this long instead; milliseconds. */
  for: number | undefined;
  /** How long to wait for start and ports; milliseconds. */
  timeout: number;
  signal: AbortSignal;
  log: Log;
}

export interface SessionResult {
  evidence: Evidence | undefined;
  /** What the file witness saw; undefined where it did not watch. */
  witness: WitnessEvidence | undefined;
  /** Of the command, where it ended by itself. */
  status: number | undefined;
  exercise: { status: number; output: string } | undefined;
  /** Ports that listened when the session ended. */
  ports: number[];
}

/** Throws E_CAPTURE_FAILED or E_EXERCISE_FAILED; whatever happens nothing is left running. */
export async function runSession(request: SandboxRequest, options: SessionOptions): Promise<SessionResult> {
  placeExercise(request.work, options.exercise);
  return await followSession(await startSandbox(request), request.start, options);
}

/** As runSession, for what was started already. `place`: where our programs lie, if not in /.tranship. */
export async function followSession(
  sandbox: Sandbox,
  start: SandboxRequest["start"],
  options: SessionOptions,
  place?: ByteString,
): Promise<SessionResult> {
  const onAbort = (): void => sandbox.kill();
  options.signal.addEventListener("abort", onAbort, { once: true });
  const collected = collect(sandbox, options.exercise !== undefined, place);
  collected.catch(() => {}); // awaited below; a failure before that is told there
  const connections = watchConnections(sandbox);
  try {
    if (options.signal.aborted) sandbox.kill();
    const seen = await watch(sandbox, start, options);
    connections.look();
    const status = await stop(sandbox, seen.ended);
    if (options.signal.aborted) throw new TranshipError("E_INTERRUPTED", "the capture was stopped");
    const { evidence, witness } = await collected;
    if (evidence !== undefined) connections.note(evidence);
    return {
      evidence,
      witness,
      status: seen.ended,
      exercise: seen.exercise,
      ports: seen.ports,
      ...(seen.ended === undefined ? {} : { status }),
    };
  } catch (error) {
    sandbox.kill();
    await sandbox.exit.catch(() => {});
    if (options.signal.aborted)
      throw new TranshipError("E_INTERRUPTED", "the capture was stopped", { cause: error });
    throw error;
  } finally {
    connections.end();
    options.signal.removeEventListener("abort", onAbort);
  }
}

type Collected = Pick<SessionResult, "evidence" | "witness">;

const ours = (program: ByteString): boolean => program.startsWith("/.tranship/");

async function collect(sandbox: Sandbox, exercised: boolean, place?: ByteString): Promise<Collected> {
  const [tracer, files] = await Promise.all([
    collectTrace(sandbox.records, place),
    collectWitness(sandbox.witness),
  ]);
  return {
    evidence: tracer?.evidence,
    witness: tracer === undefined ? undefined : files?.finish(tracer, exercised),
  };
}

async function collectTrace(
  stream: AsyncIterable<Uint8Array> | undefined,
  place: ByteString | undefined,
): Promise<Reducer | undefined> {
  if (stream === undefined) return undefined;
  const decoder = new TraceDecoder();
  const reducer = new Reducer(ours);
  for await (const chunk of stream) {
    for (const record of decoder.feed(chunk))
      reducer.add(place === undefined ? record : asInside(record, place));
  }
  if (!decoder.ended) throw brokenOff("tracer");
  return reducer;
}

/** Our programs have the same names wherever they lie. */
function asInside(record: TraceRecord, place: ByteString): TraceRecord {
  if (record.type !== "exec") return record;
  const name = (path: ByteString): ByteString =>
    path.startsWith(`${place}/`) ? `/.tranship${path.slice(place.length)}` : path;
  return { ...record, path: name(record.path), executable: name(record.executable) };
}

async function collectWitness(stream: Readable | undefined): Promise<WitnessReducer | undefined> {
  if (stream === undefined) return undefined;
  const decoder = new WitnessDecoder();
  const reducer = new WitnessReducer(ours);
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    for (const record of decoder.feed(chunk)) reducer.add(record);
  }
  if (!decoder.ended) throw brokenOff("file witness");
  return reducer;
}

function brokenOff(who: string): TranshipError {
  return new TranshipError("E_CAPTURE_INCOMPLETE", `the ${who} ended before it had written everything`, {
    hint: "run the capture again; was a process of it killed from outside, or memory short?",
  });
}

interface Connections {
  look(): void;
  /** Adds what was seen to the evidence of the same session. */
  note(evidence: Evidence): void;
  end(): void;
}

/** Connections over TCP stay in the kernel's table for a minute after their end. */
function watchConnections(sandbox: Sandbox): Connections {
  const ports = new Set<number>();
  const sockets = new Set<ByteString>();
  const services = new Map<string, number>();
  const look = (): void => {
    for (const port of sandbox.connected()) ports.add(port);
    for (const socket of sandbox.connectedSockets()) sockets.add(socket);
    for (const [name, pid] of sandbox.services()) services.set(name, pid);
  };
  const note = (evidence: Evidence): void => {
    for (const port of ports) evidence.connected.add(port);
    for (const socket of sockets) if (evidence.sockets.has(socket)) evidence.sockets.set(socket, true);
    for (const [name, pid] of services) {
      const signals = evidence.signals.get(pid);
      if (signals !== undefined) evidence.reloads.set(name, signals);
    }
  };
  const timer = setInterval(look, 20_000).unref();
  return { look, note, end: () => clearInterval(timer) };
}

interface Seen {
  ended: number | undefined;
  exercise: SessionResult["exercise"];
  ports: number[];
}

async function watch(
  sandbox: Sandbox,
  start: SandboxRequest["start"],
  options: SessionOptions,
): Promise<Seen> {
  let ended: number | undefined;
  const exit = sandbox.exit.then((status) => {
    ended = status;
  });
  exit.catch(() => {}); // raced below; while nobody waits for it, the next wait tells
  const openEnded = options.ports.length === 0 && options.exercise === undefined && options.for === undefined;
  if (openEnded && start.kind === "program") {
    await exit;
    return { ended, exercise: undefined, ports: [] };
  }
  const waiting = (): string[] => {
    const open = sandbox.listening();
    const missing = options.ports.filter((port) => !open.has(port)).map((port) => `port ${port}`);
    return sandbox.ready() ? missing : ["the services' start", ...missing];
  };
  const deadline = Date.now() + options.timeout;
  for (let missing = waiting(); missing.length > 0; missing = waiting()) {
    if (ended !== undefined) throw failedStart(sandbox, ended);
    if (Date.now() > deadline) {
      throw new TranshipError(
        "E_CAPTURE_FAILED",
        `waited ${formatDuration(options.timeout)} in vain for ${missing.join(" and ")}${tail(sandbox)}`,
        {
          hint: "is the port right, and does the application start natively? --timeout waits longer",
        },
      );
    }
    await Promise.race([exit, pause(50)]);
  }
  step("the application is ready");
  const exercise = options.exercise === undefined ? undefined : await runExercise(sandbox, options);
  if (ended !== undefined) throw failedStart(sandbox, ended);
  const ports = [...sandbox.listening()].sort((a, b) => a - b);
  await Promise.race([exit, pause(options.for ?? options.linger), aborted(options.signal)]);
  return { ended, exercise, ports };
}

async function runExercise(
  sandbox: Sandbox,
  options: SessionOptions,
): Promise<{ status: number; output: string }> {
  let output = "";
  const status = await sandbox.runExercise((text) => {
    if (output.length < 16 << 20) output += text;
    for (const line of text.trimEnd().split("\n")) options.log.debug(`exercise: ${line}`);
  });
  if (status !== 0) {
    const words = output.trim().split("\n").slice(-8).join("\n    ");
    throw new TranshipError(
      "E_EXERCISE_FAILED",
      `the exercise ${options.exercise} ended with status ${status}${words === "" ? "" : `:\n    ${words}`}`,
      {
        hint:
          status === 127 || status === 126
            ? "it runs inside the machine's root: its interpreter and commands must exist there"
            : "mend the script, or the application's start",
      },
    );
  }
  return { status, output };
}

function failedStart(sandbox: Sandbox, status: number): TranshipError {
  return new TranshipError(
    "E_CAPTURE_FAILED",
    `the application ${howItEnded(status)} before the capture was done${tail(sandbox)}`,
    {
      hint: "try it natively first; --log-level debug shows every step",
      details: { status },
    },
  );
}

function tail(sandbox: Sandbox): string {
  const text = sandbox.logTail();
  return text === "" ? "" : `; its last words:\n    ${text.split("\n").join("\n    ")}`;
}

async function stop(sandbox: Sandbox, ended: number | undefined): Promise<number> {
  if (ended !== undefined) return ended;
  step("stop the application");
  sandbox.stop();
  const late = Symbol("late");
  const outcome = await Promise.race([sandbox.exit, pause(120_000).then(() => late)]);
  if (outcome !== late) return outcome as number;
  sandbox.kill();
  throw new TranshipError("E_CAPTURE_FAILED", "the application did not stop within two minutes", {
    hint: "give it a stop command that ends it",
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
