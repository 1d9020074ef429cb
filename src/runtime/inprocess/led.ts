// What led where in an instance of the in-process engine: its processes write it down where `run --log-redirections` asked for that.
import { closeSync, readdirSync, readFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { openBelow } from "../../host/untrusted.ts";
import type { Instance } from "../find.ts";

export interface Led {
  /** RFC 3339. */
  time: string;
  /** As the host numbers it. */
  pid: number;
  kind: "file" | "connect" | "bind";
  from: string;
  /** As `from` where it stays as it is. */
  to: string;
  redirected: boolean;
  /** 0: it led somewhere. */
  errno: number;
}

/** A process may write what it likes; the engine itself stops at 1 MiB. */
const longestFile = 4 << 20;
const mostProcesses = 10_000;

/** By time. `path`: only what was asked for at it or below; "" for all. E_INSTANCE_STATE where nobody asked for a log. */
export function ledOf({ paths, record }: Instance, path: string): Led[] {
  if (record.logsRedirections !== true) {
    throw new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} does not log where paths lead`, {
      hint: "run it with --engine inprocess --log-redirections",
    });
  }
  const names = readdirSync(paths.led).filter((name) => /^\d+\.jsonl$/.test(name));
  return names
    .slice(0, mostProcesses)
    .flatMap((name) => linesOf(paths.led, name).flatMap((line) => readLed(line, Number.parseInt(name, 10))))
    .filter(({ from }) => path === "" || from === path || from.startsWith(`${path.replace(/\/+$/, "")}/`))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

function linesOf(directory: string, name: string): string[] {
  const fd = openBelow(directory, name);
  if (fd === undefined) return [];
  try {
    return readFileSync(fd).subarray(0, longestFile).toString("utf8").split("\n");
  } finally {
    closeSync(fd);
  }
}

/** A line that is none of the engine's is left out. */
function readLed(line: string, pid: number): Led[] {
  try {
    const { time, kind, from, to, redirected, errno } = JSON.parse(line) as Record<string, unknown>;
    if (typeof time !== "number" || typeof from !== "string" || typeof to !== "string") return [];
    if (kind !== "file" && kind !== "connect" && kind !== "bind") return [];
    return [
      {
        ...{ time: new Date(time).toISOString(), pid, kind, from, to },
        ...{ redirected: redirected === true, errno: typeof errno === "number" ? errno : 0 },
      },
    ];
  } catch {
    return [];
  }
}
