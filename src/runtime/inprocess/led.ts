// What led where in an instance of the in-process engine: its processes write it down where `run --log-redirections` asked for that.
import { existsSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { readBelow } from "../../host/untrusted.ts";
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

export interface LedLog {
  /** By time. */
  lines: Led[];
  /** Processes that went on when their file was full. */
  full: number[];
  /** So many processes, those longest ago, were left out. */
  left: number;
}

/** The engine itself stops at 1 MiB and the line that says so; a process may write what it likes. */
const longestFile = (1 << 20) + 4096;
const mostProcesses = 10_000;
const mostBytes = 256 << 20;

/** `path`: only what was asked for at it or below; "" for all. E_INSTANCE_STATE where nobody asked for a log. */
export function ledOf({ paths, record }: Instance, path: string, most = mostProcesses): LedLog {
  if (record.logsRedirections !== true) {
    throw new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} does not log where paths lead`, {
      hint: "run it with --engine inprocess --log-redirections",
    });
  }
  const pids = newestFirst(paths.led);
  const log: LedLog = { lines: [], full: [], left: 0 };
  const below = `${path.replace(/\/+$/, "")}/`;
  let bytes = 0;
  for (const [index, pid] of pids.entries()) {
    if (index >= most || bytes >= mostBytes) {
      log.left = pids.length - index;
      break;
    }
    const text = readBelow(longestFile, paths.led, `${pid}.jsonl`)?.toString("utf8") ?? "";
    bytes += text.length;
    if (text.endsWith('\n{"full":true}\n')) log.full.push(pid);
    for (const line of text.split("\n"))
      for (const one of readLed(line, pid))
        if (path === "" || one.from === path || one.from.startsWith(below)) log.lines.push(one);
  }
  log.lines.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return log;
}

function newestFirst(directory: string): number[] {
  // Made at the first start.
  return (existsSync(directory) ? readdirSync(directory) : [])
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .map((name) => ({
      pid: Number.parseInt(name, 10),
      time: lstatSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    }))
    .sort((a, b) => b.time - a.time)
    .map(({ pid }) => pid);
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
