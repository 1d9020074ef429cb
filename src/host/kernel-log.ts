// The kernel's own log: which processes it killed for want of memory, in which control group.
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { errnoOf } from "./files.ts";

export interface OomKill {
  /** As the host numbers it. */
  pid: number;
  /** The name of the program. */
  task: string;
  time: Date;
  /** Milliseconds since the kernel began. */
  uptime: number;
}

/** Of the group that ran out of memory: "/tranship-ID", which stands in one that an ordinary user was given where it is his. Empty too where the log cannot be read. `since`: milliseconds since the kernel began, which no setting of the clock changes. */
export function oomKillsIn(group: string, since: number): OomKill[] {
  const found: OomKill[] = [];
  const boot = began();
  for (const record of records()) {
    const kill = parseOomKill(record, group, boot);
    if (kill !== undefined && kill.uptime >= since) found.push(kill);
  }
  return found;
}

/** Milliseconds since the epoch at which the kernel's clock began. */
function began(): number {
  return Date.now() - Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * 1000;
}

/** `record`: as /dev/kmsg has it, "6,1234,5678901,-;message". */
export function parseOomKill(record: string, group: string, boot: number): OomKill | undefined {
  const [, microseconds, message = ""] = /^\d+,\d+,(\d+),[^;]*;(oom-kill:.*)/.exec(record) ?? [];
  const words = /,oom_memcg=([^,]*),task_memcg=[^,]*,task=(.*),pid=(\d+),uid=\d+$/m.exec(message);
  if (words === null || !words[1]?.endsWith(group)) return undefined;
  const uptime = Number(microseconds) / 1000;
  return { pid: Number(words[3]), task: words[2] ?? "", time: new Date(boot + uptime), uptime };
}

const longest = 8192;

/** One read is one record. */
function* records(): Generator<string> {
  let fd: number;
  try {
    fd = openSync("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return;
  }
  const buffer = Buffer.allocUnsafe(longest);
  try {
    for (;;) {
      try {
        yield buffer.toString("latin1", 0, readSync(fd, buffer));
      } catch (cause) {
        // EPIPE: it was overwritten while we read; the next one is the oldest that is left.
        if (errnoOf(cause) !== "EPIPE") return;
      }
    }
  } finally {
    closeSync(fd);
  }
}
