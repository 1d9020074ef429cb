// An application that is started on its own machine, in place: what a sandbox is for the others, without anything that keeps the machine
// as it was. What is asked of it while it runs is read over the connection, every now and then, and answered from what was read last.
import { readFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import {
  type InetSocket,
  parseInetSockets,
  parseUnixSockets,
  type UnixSocket,
} from "../../formats/proc-net.ts";
import { TraceDecoder } from "../../formats/trace-records.ts";
import { nativePath } from "../../host/native.ts";
import { randomHex } from "../../host/random.ts";
import type { FarPlace, FarSession } from "../../machine/in-place.ts";
import type { Machine } from "../../machine/machine.ts";
import { insidePath } from "../../package/container-config.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { compileInitPlan, encodeInitPlan } from "../../package/init-plan.ts";
import { aliveEvery, inPlaceScript } from "./in-place-script.ts";
import {
  type OnOutput,
  type Sandbox,
  type SandboxRequest,
  servicesOf,
  watchedDescriptor,
} from "./sandbox.ts";
import { connectedPortsOf, connectedSocketsOf, listeningPortsOf } from "./sandbox-sockets.ts";
import type { TracerMode } from "./tracer.ts";

export interface FarRequest {
  machine: Machine;
  place: FarPlace;
  descriptor: Descriptor;
  start: SandboxRequest["start"];
  tracer: TracerMode;
  calls: boolean;
  exercise: string | undefined;
  signal: AbortSignal;
  log: Log;
}

/** How often the machine is asked; milliseconds. */
const lookEvery = 400;
const keptWords = 64 << 10;

/** Puts the programs there that startFarSandbox() needs. */
export async function putPrograms(place: FarPlace): Promise<void> {
  await place.put("trace", readFileSync(nativePath("trace")));
  await place.put("init", readFileSync(nativePath("init")));
}

/** What is wrong with a mode of the tracer on that machine, by a real run; undefined where it works. After putPrograms(). */
export async function tryFarTracer(place: FarPlace, mode: TracerMode): Promise<string | undefined> {
  const mark = `tranship-${randomHex(16)}`;
  const call = { tracer: ["$d/trace", "--mode", mode], command: ["$d/init", "--version"], environment: {} };
  await place.put("try", Buffer.from(inPlaceScript({ mark, ...call }), "latin1"));
  const session = place.start("try");
  const heard = listen(session, mark, false);
  const decoder = new TraceDecoder();
  let seen = false;
  try {
    for await (const chunk of session.output)
      for (const record of decoder.feed(chunk)) seen ||= record.type === "exec" && record.result >= 0;
  } catch (error) {
    return (error as Error).message;
  }
  await session.closed;
  if (heard.status !== 0 || !decoder.ended)
    return heard.words.trim().split("\n")[0] || `it ended with ${heard.status ?? "no status"}`;
  return seen ? undefined : "it did not see that a program was started";
}

/** Puts plan and exercise there, and starts. After putPrograms(). */
export async function startFarSandbox(request: FarRequest): Promise<Sandbox> {
  const { place, descriptor, start } = request;
  const plan = encodeInitPlan(compileInitPlan(watchedDescriptor(descriptor)));
  await place.put("init.bin", plan);
  if (request.exercise !== undefined) await place.put("exercise", readFileSync(request.exercise));
  const direct = start.kind === "program";
  return await startScript(request, {
    tracer: ["$d/trace", "--mode", request.tracer, ...(request.calls ? ["--calls"] : [])],
    command: ["$d/init", "--run", "$d/.", ...(direct ? [`@${start.name}`] : [])],
    environment: {
      PATH: insidePath,
      HOME: "/root",
      ...Object.fromEntries(
        Object.entries(descriptor.environment).map(([key, value]) => [key, encodeText(value)]),
      ),
      ...(direct ? { TRANSHIP_STDIO: "inherit" } : {}),
    },
  });
}

type Call = Omit<Parameters<typeof inPlaceScript>[0], "mark">;

async function startScript(request: FarRequest, call: Call): Promise<Sandbox> {
  const { place, machine } = request;
  const mark = `tranship-${randomHex(16)}`;
  await place.put("watch", Buffer.from(inPlaceScript({ mark, ...call }), "latin1"));
  const session = place.start("watch");
  const looks = new FarLooks(machine, place.directory);
  const heard = listen(session, mark, request.start.kind === "program");
  const send = (words: string): void => {
    if (session.input.writable) session.input.write(`${words}\n`);
  };
  const alive = setInterval(() => send("alive"), aliveEvery).unref();
  const exit = session.closed.then((status) => {
    clearInterval(alive);
    looks.end();
    if (heard.status !== undefined) return heard.status;
    throw linkBroke(machine, status, heard.words);
  });
  exit.catch(() => {}); // told to whoever waits for it
  looks.begin();
  return {
    pid: 0,
    records: session.output,
    witness: undefined,
    exit,
    ready: () => request.start.kind === "program" || looks.ready,
    listening: () => listeningPortsOf(looks.sockets),
    connected: () => connectedPortsOf(looks.sockets),
    connectedSockets: () => connectedSocketsOf(looks.named, () => false),
    services: () => servicesOf(looks.state),
    runExercise: (onOutput) => runThere(request, onOutput),
    stop: () => send("15"),
    kill: () => {
      send("9");
      session.input.end();
    },
    logTail: () => heard.words.trimEnd().split("\n").slice(-12).join("\n"),
  };
}

function linkBroke(machine: Machine, status: number, words: string): TranshipError {
  const said = words.trim().split("\n").slice(-2).join("; ").slice(0, 300);
  return new TranshipError(
    "E_CAPTURE_INCOMPLETE",
    `the connection to ${machine.address} broke while the application was watched there${said === "" ? ` (status ${status})` : `: ${said}`}`,
    {
      hint: "what was started there is ended within two minutes; look whether it has, and run the capture again",
    },
  );
}

interface Heard {
  words: string;
  status: number | undefined;
}

/** The application's own output, and at the end the status. */
function listen({ errors }: FarSession, mark: string, shown: boolean): Heard {
  const heard: Heard = { words: "", status: undefined };
  const last = new RegExp(`${mark}-status=(\\d+)\n`);
  let kept = "";
  errors.on("data", (chunk: Buffer) => {
    const text = kept + chunk.toString("latin1");
    const match = last.exec(text);
    if (match !== null) heard.status = Number(match[1]);
    const rest = match === null ? text : text.replace(last, "");
    const cut = match === null ? beginOf(mark, rest) : rest.length;
    kept = rest.slice(cut);
    heard.words = (heard.words + rest.slice(0, cut)).slice(-keptWords);
    if (shown) process.stderr.write(Buffer.from(rest.slice(0, cut), "latin1"));
  });
  return heard;
}

/** Where the mark, or what may become it, begins; the length of the text where it does not. */
function beginOf(mark: string, text: string): number {
  const whole = text.indexOf(mark);
  if (whole >= 0) return whole;
  for (let length = Math.min(mark.length, text.length); length > 0; length--)
    if (text.endsWith(mark.slice(0, length))) return text.length - length;
  return text.length;
}

async function runThere({ place, signal, machine }: FarRequest, onOutput: OnOutput): Promise<number> {
  const ran = await place.run("exercise", { maxOutput: 16 << 20, signal });
  onOutput(Buffer.from(ran.stdout).toString("utf8"), "stdout");
  onOutput(ran.stderr, "stderr");
  if (place.lost()) throw linkBroke(machine, ran.status, ran.stderr);
  return ran.status;
}

/** Sockets and state of init, read again and again. */
class FarLooks {
  ready = false;
  sockets: InetSocket[] = [];
  /** Those of the file system, and abstract ones. */
  named: UnixSocket[] = [];
  /** What init wrote. */
  state = "";
  readonly #machine: Machine;
  readonly #directory: ByteString;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(machine: Machine, directory: ByteString) {
    this.#machine = machine;
    this.#directory = directory;
  }

  begin(): void {
    this.#timer = setTimeout(() => void this.#look(), lookEvery);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      this.state = await this.#text(`${this.#directory}/state.json`);
      this.ready ||= /^\{"ready":true[,}]/.test(this.state);
      this.sockets = await farSockets(this.#machine);
      this.named = parseUnixSockets(await this.#text("/proc/1/net/unix"));
    } catch {
      // the connection: its end is told by the session
    }
    if (!this.#ended) this.begin();
  }

  async #text(path: ByteString): Promise<string> {
    const bytes = await this.#machine.files.read(path, { maxBytes: 64 << 20 });
    return bytes === undefined ? "" : Buffer.from(bytes).toString("latin1");
  }
}

export async function farSockets(machine: Machine): Promise<InetSocket[]> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((table) => machine.files.read(`/proc/1/net/${table}`, { maxBytes: 64 << 20 })),
  );
  return tables.flatMap((bytes) =>
    bytes === undefined ? [] : parseInetSockets(Buffer.from(bytes).toString("latin1")),
  );
}
