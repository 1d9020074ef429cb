// Log and progress on stderr: for a terminal, as plain lines, or as JSON lines.
import type { Log, LogLevel, Progress, ProgressTask } from "../base/log.ts";
import { logLevels } from "../base/log.ts";
import { formatDuration, formatSize } from "../base/units.ts";
import { tell } from "./streams.ts";

export interface TerminalOptions {
  level: LogLevel;
  format: "text" | "json";
  color: boolean;
  /** Redraw one line; otherwise a line at most every ten seconds. */
  interactive: boolean;
}

const colors: Record<LogLevel, string> = { debug: "\x1b[2m", info: "", warn: "\x1b[33m", error: "\x1b[31m" };

/** Control characters of foreign names must not reach the terminal. */
export function plainText(textWithControls: string): string {
  return textWithControls.replace(
    /[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

export function makeLog(options: TerminalOptions, beforeLine: () => void = () => {}): Log {
  const least = logLevels.indexOf(options.level);
  const write = (level: LogLevel, message: string, fields: Record<string, unknown> = {}): void => {
    if (logLevels.indexOf(level) < least) return;
    beforeLine();
    if (options.format === "json") {
      tell(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
      return;
    }
    const [on, off] = options.color && colors[level] !== "" ? [colors[level], "\x1b[0m"] : ["", ""];
    const prefix = level === "info" ? "" : `${level === "warn" ? "warning" : level}: `;
    tell(`${on}${prefix}${plainText(message)}${off}\n`);
  };
  return {
    debug: (message, fields) => write("debug", message, fields),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}

const plainInterval = 10_000;
const redrawInterval = 100;

export class TerminalProgress implements Progress {
  readonly #options: TerminalOptions;
  #lineShown = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  /** Clears the progress line so that a log line can be written. */
  clear(): void {
    if (!this.#lineShown) return;
    tell("\r\x1b[K");
    this.#lineShown = false;
  }

  begin(name: string, total?: number, unit: "bytes" | "files" = "bytes"): ProgressTask {
    const began = Date.now();
    let done = 0;
    let current = "";
    let shown = began;
    const amount = (n: number): string => (unit === "bytes" ? formatSize(n) : `${n}`);
    const line = (): string => {
      const seconds = Math.max(0.001, (Date.now() - began) / 1000);
      const rate = unit === "bytes" ? ` ${formatSize(done / seconds)}/s` : "";
      const rest =
        total !== undefined && done > 0 && done < total
          ? ` ${formatDuration(((total - done) / done) * seconds * 1000)} left`
          : "";
      return `${name}: ${amount(done)}${total === undefined ? "" : ` of ${amount(total)}`}${rate}${rest} ${plainText(current)}`.trimEnd();
    };
    const show = (interval: number): void => {
      if (Date.now() - shown < interval || this.#quiet()) return;
      shown = Date.now();
      if (this.#options.format === "json") {
        tell(
          `${JSON.stringify({ time: new Date().toISOString(), progress: name, done, total, unit, item: current })}\n`,
        );
      } else if (this.#options.interactive) {
        tell(`\r\x1b[K${line().slice(0, (process.stderr.columns ?? 80) - 1)}`);
        this.#lineShown = true;
      } else {
        tell(`${line()}\n`);
      }
    };
    return {
      advance: (by, item) => {
        done += by;
        if (item !== undefined) current = item;
        show(this.#options.interactive ? redrawInterval : plainInterval);
      },
      end: (summary) => {
        this.clear();
        if (summary === undefined || this.#quiet()) return;
        const text = `${name}: ${summary} (${formatDuration(Date.now() - began)})`;
        if (this.#options.format === "json")
          tell(`${JSON.stringify({ time: new Date().toISOString(), progress: name, summary })}\n`);
        else tell(`${text}\n`);
      },
    };
  }

  #quiet(): boolean {
    return this.#options.level === "warn" || this.#options.level === "error";
  }
}
