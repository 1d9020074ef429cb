// The files of instances with --rm that wrote nothing to speak of: set aside by one rename, so that nobody waits for the removal of
// some forty files and directories; removed while the next instance runs, or by the next command that changes something.
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeDirectory } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { lingerSeconds } from "./linger-time.ts";
import type { InstancePaths } from "./record.ts";

const mostLog = 64 << 10;

/** What OCI runtimes and init make in every upper directory. */
const skeleton: Readonly<Record<string, ReadonlySet<string>>> = {
  etc: new Set(["hosts", "hostname", "resolv.conf"]),
  ".tranship": new Set(["run", "init"]),
};

/** Only what is small may wait: space that was given back must be free. TRANSHIP_NETWORK_LINGER=0: nothing is left for later. */
export function mayWait({ upper, run }: InstancePaths): boolean {
  if (lingerSeconds() === 0) return false;
  const known = readdirSync(upper).every((name) => {
    const inside = skeleton[name];
    return inside !== undefined && readdirSync(join(upper, name)).every((one) => inside.has(one));
  });
  return known && (statSync(`${run}/log/all.log`, { throwIfNoEntry: false })?.size ?? 0) <= mostLog;
}

function trashDirectory(root: StateRoot): string {
  return join(root.path, "trash");
}

/** Throws as renameSync does. */
export function setAside(root: StateRoot, paths: InstancePaths, id: string): void {
  const directory = trashDirectory(root);
  if (!existsSync(directory)) makeDirectory(directory);
  renameSync(paths.directory, join(directory, id));
}

export function emptyTrash(root: StateRoot): void {
  const directory = trashDirectory(root);
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    try {
      rmSync(join(directory, name), { recursive: true, force: true });
    } catch {} // another command is at it too
  }
}
