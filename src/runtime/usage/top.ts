// The processes of an instance as the host's ps shows them.
import { readdirSync, readlinkSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { run } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { findInstance } from "../find.ts";
import { notRunning } from "../not-running.ts";
import { statusOf } from "../state.ts";

export interface ProcessTable {
  titles: string[];
  /** As many cells as titles; the last one has spaces of its own. */
  rows: string[][];
}

/** `options`: those of ps(1); -ef where there are none. */
export async function processesTable(
  root: StateRoot,
  text: string,
  options: readonly string[],
): Promise<ProcessTable> {
  const { paths, record } = findInstance(root, text);
  const status = statusOf(paths, record.id);
  const { pid } = status;
  if (pid === undefined) throw notRunning(record, status);
  const words = options.length === 0 ? ["-ef"] : options;
  const result = await run("ps", words, { env: { ...process.env, LC_ALL: "C", COLUMNS: "4096" } });
  // Looked at after ps: what has ended meanwhile is not there any more.
  const inside = processesInside(pid);
  const [head = "", ...lines] = new TextDecoder().decode(result.stdout).split("\n");
  const titles = head.trim().split(/\s+/);
  const column = titles.indexOf("PID");
  if (column < 0) {
    const said = result.stderr.trim().split("\n")[0] ?? "";
    throw new TranshipError(
      "E_USAGE",
      `ps ${words.join(" ")} shows no column PID${said === "" ? "" : `: ${said}`}`,
      {
        hint: "give options of ps that show it, for example -o pid,user,args",
      },
    );
  }
  const rows = lines
    .map((line) => cells(line, titles.length))
    .filter((row) => inside.has(Number(row[column])));
  return { titles, rows };
}

function cells(line: string, count: number): string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, count - 1), words.slice(count - 1).join(" ")];
}

/** By the pid namespace of its PID 1: that is the instance, whatever groups its processes are in. */
function processesInside(main: number): Set<number> {
  const namespace = namespaceOf(main);
  const found = new Set<number>();
  if (namespace === undefined) return found;
  for (const name of readdirSync("/proc"))
    if (/^\d+$/.test(name) && namespaceOf(Number(name)) === namespace) found.add(Number(name));
  return found;
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
