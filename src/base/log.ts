// Log and progress as ports: rooms speak to these interfaces, the command line decides what becomes of it.

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** One piece of work that people wait for. `done` and `total` are bytes when unit is "bytes", else a count. */
export interface ProgressTask {
  advance(by: number, item?: string): void;
  end(summary?: string): void;
}

export interface Progress {
  begin(name: string, total?: number, unit?: "bytes" | "files"): ProgressTask;
}

const nothing = (): void => {};
export const silentProgress: Progress = { begin: () => ({ advance: nothing, end: nothing }) };
