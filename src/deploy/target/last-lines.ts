// What an instance said last, for errors.
import { closeSync, fstatSync, readSync } from "node:fs";
import type { StateRoot } from "../../host/state-root.ts";
import { openBelow } from "../../host/untrusted.ts";
import { readInstance } from "../../runtime/find.ts";
import { parseLine } from "../../runtime/logs.ts";

const window = 4096;

/** The last lines of its log, on one line; "" where there is none. */
export function readLog(root: StateRoot, id: string): string {
  const found = readInstance(root, id);
  const fd = found === undefined ? undefined : openBelow(found.paths.run, "log", "all.log");
  if (fd === undefined) return "";
  try {
    const buffer = Buffer.alloc(window);
    const from = Math.max(0, fstatSync(fd).size - window);
    const text = buffer.toString("utf8", 0, readSync(fd, buffer, 0, window, from));
    const lines = text.split("\n").flatMap((line) => parseLine(line)?.text.trim() ?? []);
    return lines
      .filter((line) => line !== "")
      .slice(-3)
      .join(" | ");
  } finally {
    closeSync(fd);
  }
}
