// What is kept of tasks that have ended: --log-retention, --log-limit and --task-cleanup-wait of the verbs that run them.
import { TranshipError } from "../../base/errors.ts";
import { parseDuration, parseSize } from "../../base/units.ts";
import type { Retention } from "../../cluster/logs/log-keeper.ts";
import { type Call, list, text } from "../verb.ts";

const otherwise = 14 * 24 * 3_600_000;

export function retentionOf({ options }: Call): Retention {
  const groups = new Map<string, number>();
  let rest = otherwise;
  for (const word of list(options, "logRetention")) {
    const at = word.lastIndexOf("=");
    const time = parseDuration(word.slice(at + 1));
    if (at < 0) rest = time;
    else groups.set(word.slice(0, at), time);
  }
  const limit = parseSize(text(options, "logLimit") ?? "1g");
  if (limit === 0)
    throw new TranshipError("E_USAGE", "--log-limit 0 would keep nothing", {
      hint: "give a size, or --log-retention 1s",
    });
  return { otherwise: rest, groups, limit };
}

/** Milliseconds. */
export function cleanupWaitOf({ options }: Call): number {
  return parseDuration(text(options, "taskCleanupWait") ?? "1h");
}

/** The flags for an agent that is to keep what we were told to keep, and send logs where we may. */
export function keepingWords({ options }: Call): string[] {
  const [limit, wait] = [text(options, "logLimit"), text(options, "taskCleanupWait")];
  return [
    ...list(options, "logRetention").flatMap((word) => ["--log-retention", word]),
    ...list(options, "syslog").flatMap((word) => ["--syslog", word]),
    ...(limit === undefined ? [] : ["--log-limit", limit]),
    ...(wait === undefined ? [] : ["--task-cleanup-wait", wait]),
  ];
}
