// The files of an instance, reachable on this host as a directory from which no path leads out: everything is resolved below it by
// `tree`, as the instance itself would resolve it. One that runs shows what its PID 1 sees, volumes included; the root of one that does
// not is mounted where only a process of ours sees it.
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { launchCall } from "../../host/enter.ts";
import { startEnter } from "../../host/enter-process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { mountPoint } from "../bundle.ts";
import { lockInstance } from "../end.ts";
import type { Instance } from "../find.ts";
import { layerDirectories } from "../image.ts";
import { diskMounts, writtenIn } from "../limits/disk.ts";
import type { InstanceMount } from "../record.ts";
import { statusOf } from "../state.ts";
import { volumeData } from "../volumes/volumes.ts";

export interface InstanceTree {
  /** Where an absolute path of the instance lies: a directory of this host, and the path below it. */
  locate(path: string): { directory: string; path: string };
  close(): Promise<void>;
}

/** Until close() one that does not run cannot be started or removed. */
export async function openInstanceTree(root: StateRoot, instance: Instance): Promise<InstanceTree> {
  const { paths, record } = instance;
  const lock = await lockInstance(instance, "copy");
  try {
    const { pid, state } = statusOf(paths, record.id);
    if (pid !== undefined) {
      lock?.release();
      return { locate: (path) => ({ directory: `/proc/${pid}/root`, path }), close: async () => {} };
    }
    if (lock === undefined || state === "starting") {
      throw new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} is ${state}`, {
        hint: "try again",
      });
    }
    const held = await mountStopped(root, instance);
    return {
      locate: (path) => inVolume(root, record.mounts, path) ?? { directory: held.directory, path },
      close: async () => {
        await held.close();
        lock.release();
      },
    };
  } catch (error) {
    lock?.release();
    throw error;
  }
}

interface Held {
  directory: string;
  close(): Promise<void>;
}

/** As at a start, in a mount namespace that a waiting process holds: the host sees nothing of it, and it dies with that process. */
async function mountStopped(root: StateRoot, { paths, record }: Instance): Promise<Held> {
  const target = mountPoint(root);
  const written = writtenIn(paths, record);
  const held = startEnter(
    launchCall({
      mounts: [
        ...diskMounts(paths, record),
        {
          kind: "overlay",
          target,
          lowers: await layerDirectories(root, record.image.diffIds),
          upper: { dir: written.upper, work: written.work },
          renames: true,
        },
      ],
      command: { argv: ["true"] },
    }),
    { hold: true },
  );
  const { pid } = await held.ready;
  return {
    directory: `/proc/${pid}/root${target}`,
    close: async () => {
      held.release();
      await held.exit;
    },
  };
}

/** What a mount of the instance would show there. */
function inVolume(
  root: StateRoot,
  mounts: readonly InstanceMount[],
  path: string,
): { directory: string; path: string } | undefined {
  const covering = mounts
    .filter(
      (mount) => mount.kind !== "tmpfs" && (path === mount.target || path.startsWith(`${mount.target}/`)),
    )
    .sort((a, b) => b.target.length - a.target.length)[0];
  if (covering === undefined) return undefined;
  const source = covering.kind === "volume" ? volumeData(root, covering.source) : covering.source;
  const stat = statSync(source, { throwIfNoEntry: false });
  // A volume that no start has made yet.
  if (stat === undefined) return undefined;
  if (stat.isDirectory()) return { directory: source, path: path.slice(covering.target.length) || "/" };
  return { directory: dirname(source), path: source.slice(dirname(source).length) };
}
