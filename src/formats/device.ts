// Device nodes by number, as the kernel's list of devices has them.
import type { ByteString, Entry } from "./entry.ts";

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

/**
 * Whether a node of an image is left out wherever it is unpacked: what lies below /dev is the host's, of which a package sees none, and a /dev of its
 * own is made for it. A 0:0 node is no device: overlayfs would take it for a deletion.
 */
export function isLeftOut(path: ByteString, device: string): boolean {
  return path.startsWith("/dev/") && device !== "c 0:0" && !harmlessDevices.has(device);
}
