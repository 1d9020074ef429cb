// Starts native/enter: its options go through a descriptor (any bytes; secrets stay out of process lists), what became
// of the set-up comes back through another.
import type { ChildProcess, IOType } from "node:child_process";
import type { Duplex } from "node:stream";
import { TranshipError } from "../base/errors.ts";
import { callWords, type EnterCall } from "./enter.ts";
import { nativePath } from "./native.ts";
import { childProcess, spawnError, statusOf } from "./process.ts";

/** The descriptor, inside enter, of the first of StartOptions.fds; the next ones follow. */
export const firstFd = 6;
const argsFd = 3;
const statusFd = 4;
const waitFd = 5;

type Stdio = "pipe" | "inherit" | "ignore" | number;

export interface StartOptions {
  /** stdin, stdout, stderr. Default ignore, inherit, inherit. */
  stdio?: readonly [Stdio, Stdio, Stdio];
  /** Given to enter at firstFd, firstFd+1...: a descriptor of ours, or "pipe" for a stream in child.stdio. */
  fds?: readonly (number | "pipe")[];
  /** The command starts only after release(). */
  hold?: boolean;
  /** The command goes on when this process dies (launch always does so unless told otherwise). */
  survive?: boolean;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** A program and its arguments that execute enter (`nsenter ...`), in this same process. */
  through?: readonly string[];
}

export interface EnterReady {
  /** On this host: PID 1 of a sandbox, the command itself for join and launch. /proc/PID/root shows its files. */
  pid: number;
  /** How the last overlay was mounted; undefined where there was none. */
  overlay: "fsconfig" | "mount" | undefined;
}

export interface EnterFailure {
  message: string;
  errno: number;
}

export interface EnterProcess {
  child: ChildProcess;
  /** The set-up is done. Rejects with E_TOOL_FAILED, and what enter said, where it failed. */
  ready: Promise<EnterReady>;
  /** After ready: why the command could not be executed, or undefined once it runs. */
  failure: Promise<EnterFailure | undefined>;
  /** The command's exit status, 128+n on a signal; 125 the set-up, 126 and 127 the command. All output was read. */
  exit: Promise<number>;
  /** Lets a held command start. */
  release(): void;
  /** Gives a held command up: exit will be 125. */
  abandon(): void;
}

export function startEnter(call: EnterCall, options: StartOptions = {}): EnterProcess {
  const [program, ...before] = [...(options.through ?? []), nativePath("enter"), call.verb];
  const words = ["--status-fd", String(statusFd)];
  if (options.hold) words.push("--wait-fd", String(waitFd));
  if (options.survive) words.push("--survive-parent");
  else if (call.verb !== "launch") words.push("--parent", String(process.pid));
  const [input, output, errors] = options.stdio ?? ["ignore", "inherit", "inherit"];
  const stdio: (IOType | number)[] = [
    input,
    output,
    errors,
    "pipe",
    "pipe",
    options.hold ? "pipe" : "ignore",
    ...(options.fds ?? []),
  ];
  const child = childProcess().spawn(program, [...before, "--args-fd", String(argsFd)], {
    stdio,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const failed = new Promise<never>((_, reject) => {
    child.on("error", (cause: NodeJS.ErrnoException) => reject(spawnError(program, cause)));
  });
  failed.catch(() => {});
  sendWords(child, callWords(call, words));
  const status = readStatus(child);
  const ready = Promise.race([failed, status.ready]);
  const failure = Promise.race([failed, status.failure]);
  const exit = Promise.race([failed, exitOf(child)]);
  // Each may be left unread by a caller who looks at another.
  for (const promise of [ready, failure, exit]) promise.catch(() => {});
  return {
    child,
    ready,
    failure,
    exit,
    release: () => stream(child, waitFd)?.end(Buffer.of(1)),
    abandon: () => stream(child, waitFd)?.destroy(),
  };
}

function stream(child: ChildProcess, fd: number): Duplex | undefined {
  const found = child.stdio[fd];
  if (found === null || found === undefined) return undefined;
  found.on("error", () => {}); // enter may end before it has read or written all
  return found as Duplex;
}

function sendWords(child: ChildProcess, words: readonly string[]): void {
  stream(child, argsFd)?.end(Buffer.from(words.map((word) => `${word}\0`).join(""), "latin1"));
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.on("close", (code, signal) => resolve(statusOf(code, signal)));
  });
}

interface Status {
  ready: Promise<EnterReady>;
  failure: Promise<EnterFailure | undefined>;
}

const statusMax = 64 << 10;

function readStatus(child: ChildProcess): Status {
  const ready = Promise.withResolvers<EnterReady>();
  const failure = Promise.withResolvers<EnterFailure | undefined>();
  let text = "";
  let begun = false;
  let problem: EnterFailure | undefined;
  const take = (line: string): void => {
    const value = parseEnterStatus(line);
    if ("pid" in value) {
      begun = true;
      ready.resolve(value);
    } else {
      problem = value;
    }
  };
  const source = stream(child, statusFd);
  source?.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    if (text.length > statusMax) source.destroy();
    try {
      for (const line of lines) take(line);
    } catch (cause) {
      ready.reject(cause);
      failure.reject(cause);
    }
  });
  source?.on("close", () => {
    if (!begun) ready.reject(setupError(problem));
    failure.resolve(problem);
  });
  return { ready: ready.promise, failure: failure.promise };
}

function setupError(problem: EnterFailure | undefined): TranshipError {
  const message = problem?.message ?? "it ended before the command was started";
  return new TranshipError("E_TOOL_FAILED", `enter: ${message}`, {
    details: { errno: problem?.errno ?? 0 },
  });
}

/** One line of the status descriptor; E_PROTOCOL for anything else. */
export function parseEnterStatus(line: string): EnterReady | EnterFailure {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null) {
    if ("pid" in value && typeof value.pid === "number") {
      const overlay = "overlay" in value ? value.overlay : undefined;
      return {
        pid: value.pid,
        overlay: overlay === "fsconfig" || overlay === "mount" ? overlay : undefined,
      };
    }
    if ("error" in value && typeof value.error === "string") {
      const errno = "errno" in value && typeof value.errno === "number" ? value.errno : 0;
      return { message: value.error, errno };
    }
  }
  throw new TranshipError("E_PROTOCOL", `enter: not a status line: ${JSON.stringify(line.slice(0, 200))}`);
}
