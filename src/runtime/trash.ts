// The files of instances with --rm that wrote nothing to speak of: set aside by one rename, so that nobody waits for the removal of
// some forty files and directories; removed while the next instance runs, or by the next command that changes something.
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeDirectory } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import type { InstancePaths } from "./instance-paths.ts";
import { lingerSeconds } from "./linger-time.ts";

const mostLog = 64 << 10;

/** What OCI runtimes and init make in every upper directory: names, by directory below it. */
const skeleton: readonly (readonly [string, readonly string[]])[] = [
  ["", ["etc", ".tranship"]],
  ["etc", ["hosts", "hostname", "resolv.conf", "localtime"]],
  [".tranship", ["run", "init"]],
];

/** What the files of an instance that may wait are like: for native/supervise, which looks as mayWait() does. */
export function waitingFiles({ upper, run }: InstancePaths): {
  only: readonly (readonly [string, readonly string[]])[];
  small: readonly [string, number];
} {
  return {
    only: skeleton.map(([below, names]) => [join(upper, below), names]),
    small: [`${run}/log/all.log`, mostLog],
  };
}

/** Only what is small may wait: space that was given back must be free. TRANSHIP_NETWORK_LINGER=0: nothing is left for later. */
export function mayWait(paths: InstancePaths): boolean {
  if (lingerSeconds() === 0) return false;
  const { only, small } = waitingFiles(paths);
  const known = only.every(
    ([directory, names]) =>
      !existsSync(directory) || readdirSync(directory).every((name) => names.includes(name)),
  );
  return known && (statSync(small[0], { throwIfNoEntry: false })?.size ?? 0) <= small[1];
}

/** Made where it is not there. */
export function trashDirectory(root: StateRoot): string {
  const directory = join(root.path, "trash");
  if (!existsSync(directory)) makeDirectory(directory);
  return directory;
}

/** Throws as renameSync does. */
export function setAside(root: StateRoot, paths: InstancePaths, id: string): void {
  renameSync(paths.directory, join(trashDirectory(root), id));
}

export function emptyTrash(root: StateRoot): void {
  const directory = join(root.path, "trash");
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    try {
      rmSync(join(directory, name), { recursive: true, force: true });
    } catch {} // another command is at it too
  }
}
