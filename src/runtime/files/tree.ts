// The files of an instance, reachable on this host as a directory from which no path leads out: everything is resolved below it by
// `tree`, as the instance itself would resolve it. One that runs shows what its PID 1 sees, volumes included; the root of one that does
// not is mounted where only a process of ours sees it.
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { launchCall } from "../../host/enter.ts";
import { startEnter } from "../../host/enter-process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { TreeWithin } from "../../host/tree-spawn.ts";
import { isWithin } from "../../redirect/rules.ts";
import { mountPoint } from "../bundle.ts";
import { lockInstance } from "../end.ts";
import type { Instance } from "../find.ts";
import { lookThrough } from "../inprocess/look.ts";
import { diskMounts, writtenIn } from "../limits/disk.ts";
import type { InstanceMount } from "../record.ts";
import { enterMounts, instanceLayers, isMount, viewOf } from "../redirect/mounts.ts";
import { statusOf } from "../state.ts";
import { volumeData } from "../volumes/volumes.ts";

export interface InstanceTree {
  /** Where an absolute path of the instance lies: a directory of this host, and the path below it. */
  locate(path: string): { directory: string; path: string };
  /** The process in whose user namespace owners there are ids, or what sees the files as the instance does; undefined: they are those of this host. */
  readonly within?: TreeWithin;
  close(): Promise<void>;
}

/** Until close() one that does not run cannot be started or removed. */
export async function openInstanceTree(root: StateRoot, instance: Instance): Promise<InstanceTree> {
  const { paths, record } = instance;
  const lock = await lockInstance(instance, "copy");
  try {
    const { pid, state } = statusOf(paths, record.id);
    if (record.engine === "inprocess" && lock !== undefined && state !== "starting") {
      const program = lookThrough(instance);
      // What runs may end meanwhile.
      if (pid !== undefined) lock.release();
      return {
        locate: (path) => ({ directory: "/", path }),
        within: { program },
        close: async () => (pid === undefined ? lock.release() : undefined),
      };
    }
    if (pid !== undefined) {
      lock?.release();
      return {
        locate: (path) => ({ directory: `/proc/${pid}/root`, path }),
        ...(record.userns === undefined ? {} : { within: pid }),
        close: async () => {},
      };
    }
    if (lock === undefined || state === "starting") {
      throw new TranshipError("E_INSTANCE_STATE", `the instance ${record.name} is ${state}`, {
        hint: "try again",
      });
    }
    const held = await mountStopped(root, instance);
    return {
      locate: (path) =>
        inVolume(root, record.mounts, path) ??
        redirected(held.top, instance, path) ?? { directory: held.directory, path },
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
  /** Of the namespace: the host's files, with what is mounted for us. */
  top: string;
  directory: string;
  close(): Promise<void>;
}

/** As at a start, in a mount namespace that a waiting process holds: the host sees nothing of it, and it dies with that process. */
async function mountStopped(root: StateRoot, instance: Instance): Promise<Held> {
  const { paths, record } = instance;
  const target = mountPoint(root);
  const written = writtenIn(paths, record);
  const layers = await instanceLayers(root, instance);
  const more = { root, paths, record, layers, rootfs: target, nodev: true, bytes: true };
  const held = startEnter(
    launchCall({
      mounts: [
        ...diskMounts(paths, record),
        {
          kind: "overlay",
          target,
          lowers: layers,
          upper: { dir: written.upper, work: written.work },
          renames: true,
        },
        ...enterMounts(more),
      ],
      command: { argv: ["true"] },
    }),
    { hold: true },
  );
  const { pid } = await held.ready;
  return {
    top: `/proc/${pid}/root`,
    directory: `/proc/${pid}/root${target}`,
    close: async () => {
      held.release();
      await held.exit;
    },
  };
}

/** What the mount of a redirection would show there. */
function redirected(
  top: string,
  { paths, record }: Instance,
  path: string,
): { directory: string; path: string } | undefined {
  const [rule] = (record.redirections?.rules ?? [])
    .map(({ made }, index) => ({ made, index }))
    .filter(({ made }) => isMount(made) && isWithin(path, made.at))
    .sort((a, b) => b.made.at.length - a.made.at.length);
  if (rule === undefined) return undefined;
  const { made, index } = rule;
  const source = made.as === "host" ? made.source : `${top}${viewOf(paths, index)}`;
  if (statSync(source, { throwIfNoEntry: false })?.isDirectory() === true)
    return { directory: source, path: path.slice(made.at.length) || "/" };
  return { directory: dirname(source), path: source.slice(dirname(source).length) };
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
