// Which of the far side's programs work, tried on the root directory: versions differ more than names do.
import { TranshipError } from "../../base/errors.ts";
import { parseLsLine, parseStatLine } from "../../formats/shell-listing.ts";
import type { Probe } from "./connection.ts";
import type { ShellWays } from "./shell-scripts.ts";
import type { ShellSession } from "./shell-session.ts";

const maxAnswer = 64 << 10;

/** E_MACHINE_UNREACHABLE where neither stat nor ls tells what is needed. */
export async function probeWays(session: ShellSession, probe: Probe, name: string): Promise<ShellWays> {
  const say = async (script: string): Promise<string> =>
    (await session.ask(() => script, maxAnswer)).output.toString("latin1");
  const stat = parseStatLine(await say('stat -c "%f %u %g %h %d %i %s %b %Y %Z %t %T" -- /')) !== undefined;
  const full = !stat && parseLsLine(await say("ls -lidn --full-time -- /"), "/") !== undefined;
  const plain = !stat && !full && parseLsLine(await say("ls -lidn -- /"), "/") !== undefined;
  if (!stat && !full && !plain) {
    throw new TranshipError(
      "E_MACHINE_UNREACHABLE",
      `${name} has neither a stat nor an ls that can be read`,
      {
        hint: "let it take the collector (without --no-push), or read its disk: rootfs:DIR",
      },
    );
  }
  const find = (await say("find / -prune -exec sh -c 'echo works' sh {} +")).includes("works");
  const { programs } = probe;
  return {
    describe: stat ? "stat" : full ? "ls-full" : "ls",
    find,
    readlink: programs.has("readlink"),
    dd: programs.has("dd"),
    head: programs.has("head"),
  };
}

/** What is not seen that way, as a sentence. */
export function lossOf(ways: ShellWays): string {
  const missing = [
    "extended attributes (with file capabilities and ACLs)",
    "holes in files",
    "fractions of seconds",
  ];
  if (ways.describe !== "stat")
    missing.push(
      "device numbers",
      "times of change (a file that was rewritten with its old time and size is taken for the same)",
    );
  if (ways.describe === "ls") missing.push("seconds, and of the last months the year");
  return `not seen without the collector: ${missing.join(", ")}`;
}
