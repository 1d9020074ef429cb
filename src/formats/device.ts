// Device nodes by number, as the kernel's list of devices has them.
import type { Entry } from "./entry.ts";

/** "c 1:3", "b 7:0": kind and numbers; undefined where the entry is no device. */
export function deviceName(entry: Pick<Entry, "kind" | "rdevMajor" | "rdevMinor">): string | undefined {
  if (entry.kind !== "character" && entry.kind !== "block") return undefined;
  return `${entry.kind === "character" ? "c" : "b"} ${entry.rdevMajor}:${entry.rdevMinor}`;
}

/**
 * null, zero, full, random, urandom and tty: every container has them in /dev. Jails of old servers (bind, postfix, vsftpd) have
 * some of their own, which are packed like files. All others reach hardware and have to be given by who runs the package.
 */
export const harmlessDevices: ReadonlySet<string> = new Set([
  "c 1:3",
  "c 1:5",
  "c 1:7",
  "c 1:8",
  "c 1:9",
  "c 5:0",
]);
