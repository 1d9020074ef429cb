// Subprocesses: run to the end and collect, with bounded output and a clear error.
import { TranshipError } from "../base/errors.ts";

export interface RunOptions {
  input?: string | Uint8Array;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Bytes kept of each of stdout and stderr; more is an error. Default 64 MiB. */
  maxOutput?: number;
  /** Milliseconds until the process is killed. Default: none. */
  timeout?: number;
  signal?: AbortSignal;
  /** Give the caller's own stdin, stdout and stderr to the process. */
  inherit?: boolean;
}

export interface RunResult {
  /** Exit code; 128+n where it died of signal n. */
  status: number;
  stdout: Uint8Array;
  stderr: string;
}

/** node:child_process, loaded only where a program is started: that takes longer than most of what a short verb does. */
export function childProcess(): typeof import("node:child_process") {
  return process.getBuiltinModule("node:child_process");
}

const signalNumbers: Record<string, number> = {
  SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGTRAP: 5, SIGABRT: 6, SIGBUS: 7, SIGFPE: 8, SIGKILL: 9, SIGUSR1: 10,
  SIGSEGV: 11, SIGUSR2: 12, SIGPIPE: 13, SIGALRM: 14, SIGTERM: 15,
}; // biome-ignore format: a table

export function statusOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return 128 + (signalNumbers[signal ?? ""] ?? 0);
}

/** Runs a program to its end. Throws E_TOOL_MISSING where it is not installed; any exit status is a result. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const limit = options.maxOutput ?? 64 << 20;
  return new Promise((resolve, reject) => {
    const child = childProcess().spawn(program, args, {
      stdio: options.inherit ? "inherit" : ["pipe", "pipe", "pipe"],
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.timeout === undefined ? {} : { timeout: options.timeout, killSignal: "SIGKILL" as const }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const out = new Collector(limit);
    const err = new Collector(limit);
    let overflow = false;
    const collect = (into: Collector) => (chunk: Uint8Array) => {
      if (!into.add(chunk)) {
        overflow = true;
        child.kill("SIGKILL");
      }
    };
    child.stdout?.on("data", collect(out));
    child.stderr?.on("data", collect(err));
    child.stdin?.on("error", () => {}); // a program may end before it has read all of its input
    child.stdin?.end(options.input ?? "");
    child.on("error", (cause: NodeJS.ErrnoException) => reject(spawnError(program, cause)));
    child.on("close", (code, signal) => {
      if (overflow) {
        reject(new TranshipError("E_LIMIT", `${program} wrote more than ${limit} bytes`));
        return;
      }
      resolve({
        status: statusOf(code, signal),
        stdout: out.bytes(),
        stderr: new TextDecoder().decode(err.bytes()),
      });
    });
  });
}

/** As run(), but a status other than 0 is E_TOOL_FAILED. Returns stdout as text. */
export async function runChecked(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(program, args, options);
  if (result.status !== 0) {
    const words = result.stderr.trim().split("\n").slice(-3).join("; ");
    throw new TranshipError("E_TOOL_FAILED", `${program} ended with status ${result.status}: ${words}`, {
      details: { program, args: [...args], status: result.status },
    });
  }
  return new TextDecoder().decode(result.stdout);
}

export function spawnError(program: string, cause: NodeJS.ErrnoException): TranshipError {
  if (cause.name === "AbortError")
    return new TranshipError("E_INTERRUPTED", `${program} was stopped`, { cause });
  if (cause.code === "ENOENT") {
    return new TranshipError("E_TOOL_MISSING", `${program} is not installed`, {
      hint: "run scripts/setup, or see what is missing with `tranship doctor`",
      cause,
    });
  }
  return new TranshipError("E_TOOL_FAILED", `cannot start ${program}: ${cause.message}`, { cause });
}

class Collector {
  #chunks: Uint8Array[] = [];
  #size = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Uint8Array): boolean {
    this.#size += chunk.length;
    if (this.#size > this.#limit) return false;
    this.#chunks.push(chunk);
    return true;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }
}
