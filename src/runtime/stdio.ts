// Our own streams and signals, given on to a program that runs in our place.
import type { ChildProcess, IOType } from "node:child_process";
import { closeSync, openSync, readlinkSync } from "node:fs";
import { spawnError, statusOf } from "../host/process.ts";
import { isTerminal } from "../host/terminal.ts";

export interface Stream {
  readonly stdio: IOType | number;
  /** Call after the spawn. */
  close(): void;
}

const nothing = (): void => {};

/**
 * A pipe is opened anew: Node sets its own standard streams non-blocking, which a program of the instance would see, as
 * O_NONBLOCK belongs to the open file and not to the process.
 */
export function stdioFor(fd: number, interactive: boolean, ignored = false): Stream {
  if (ignored || (fd === 0 && !interactive)) return { stdio: "ignore", close: nothing };
  try {
    // A FIFO with a name is left alone: opening it could wait for its other end.
    if (readlinkSync(`/proc/self/fd/${fd}`).startsWith("pipe:")) {
      const opened = openSync(`/proc/self/fd/${fd}`, fd === 0 ? "r" : "w");
      return { stdio: opened, close: () => closeSync(opened) };
    }
  } catch {} // closed, or not ours to open anew: as it is
  return { stdio: fd, close: nothing };
}

/** Signals that belong to the program. Those that a terminal sends have reached it already: same process group. */
export function forwardSignals(child: ChildProcess): () => void {
  const fromTerminal = isTerminal(0) || isTerminal(2);
  const names: NodeJS.Signals[] = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"];
  const handlers = names.map((name) => {
    const silent = fromTerminal && (name === "SIGINT" || name === "SIGQUIT");
    const handler = (): void => {
      if (!silent) child.kill(name);
    };
    process.on(name, handler);
    return { name, handler };
  });
  return () => {
    for (const { name, handler } of handlers) process.off(name, handler);
  };
}

export function ended(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on("error", (cause: NodeJS.ErrnoException) => reject(spawnError(program, cause)));
    child.on("exit", (code, signal) => resolve(statusOf(code, signal)));
  });
}

/** Size of our terminal, as an OCI process wants it; what resizes it later is the runtime's to pass on. */
export function consoleSize(terminal: boolean): { consoleSize?: { height: number; width: number } } {
  // Asked only then: the first look at process.stdout costs some milliseconds.
  if (!terminal) return {};
  const { columns, rows } = process.stdout;
  return columns > 0 && rows > 0 ? { consoleSize: { height: rows, width: columns } } : {};
}
