// Where the mounts of an instance with a user namespace are put together. Its root may not walk the directories of this host's root: enter, which still is that one, lays all that it is to
// have into a memory file system whose paths everybody can walk, in the mount namespace of the launch. docs/internals/enter.md has the options.
import { existsSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import type { EnterMount, LaunchOptions } from "../../host/enter.ts";
import { installRoot } from "../../host/native.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { isWithin } from "../../redirect/rules.ts";
import type { InstancePaths } from "../instance-paths.ts";
import { hasDisk, writtenIn } from "../limits/disk.ts";
import type { OciMount } from "../oci/config.ts";
import type { OciRuntime } from "../oci/runtime.ts";
import type { InstanceRecord } from "../record.ts";

export interface Stage {
  /** A directory of this host that nothing of this start is in; it lies over it. */
  readonly place: string;
  readonly rootfs: string;
}

const places = ["/mnt", "/srv", "/media", "/opt", "/home", "/run"];

/** undefined: it has no user namespace. The same at each call for one start. */
export function stageOf(root: StateRoot, record: InstanceRecord, runtime: OciRuntime): Stage | undefined {
  if (record.userns === undefined) return undefined;
  const used = [
    root.path,
    installRoot,
    runtime.path,
    ...record.mounts.filter(({ kind }) => kind === "bind").map(({ source }) => source),
    ...record.secrets.map(({ source }) => source),
    ...(record.redirections?.host ?? []),
  ];
  const place = places.find((one) => existsSync(one) && !used.some((path) => isWithin(path, one)));
  if (place === undefined) {
    throw new TranshipError("E_USERNS", `each of ${places.join(", ")} holds something that is needed`, {
      hint: "make one of them that is empty, for example /mnt",
    });
  }
  return { place, rootfs: `${place}/root` };
}

/** The namespace, as enter is to make it. */
export function usernsOf({ userns }: InstanceRecord, stage: Stage): NonNullable<LaunchOptions["userns"]> {
  return { place: stage.place, first: userns?.first ?? 0, count: userns?.count ?? 0 };
}

/** Owners of what is ours are those on the disk, seen as ids of the namespace. Before all overlays. */
export function mappedMounts(
  root: StateRoot,
  paths: InstancePaths,
  record: InstanceRecord,
  stage: Stage,
): EnterMount[] {
  const over = (path: string): EnterMount[] =>
    existsSync(path) ? [{ kind: "idmap", source: path, target: path }] : [];
  return [
    ...over(root.layers),
    ...over(root.volumes),
    ...over(paths.redirect),
    // Upper and work directory have to be on one mount, and what the OCI runtime writes beside them on another.
    hasDisk(record.limits)
      ? { kind: "idmap", source: paths.disk, target: paths.disk }
      : { kind: "idmap", source: paths.directory, target: `${stage.place}/own` },
  ];
}

/** As writtenIn(), on a mount that shows owners as ids of the namespace. */
export function writtenOnStage(
  paths: InstancePaths,
  record: InstanceRecord,
  stage: Stage,
): { upper: string; work: string } {
  if (hasDisk(record.limits)) return writtenIn(paths, record);
  return { upper: `${stage.place}/own/upper`, work: `${stage.place}/own/work` };
}

/** The mounts of the bundle with their sources on the stage, and what enter lays there, after the overlays. */
export function stageMounts(
  { paths, record, stage }: { paths: InstancePaths; record: InstanceRecord; stage: Stage },
  mounts: readonly OciMount[],
): { mounts: OciMount[]; laid: EnterMount[] } {
  const laid: EnterMount[] = [];
  const secrets = new Set(record.secrets.map(({ source }) => source));
  const staged = mounts.map((mount, index) => {
    if (mount.type !== "bind") return mount;
    const { source } = mount;
    const target = `${stage.place}/${index}`;
    // What a mount of ours shows has been mapped by it.
    if (isWithin(source, paths.redirect)) laid.push({ kind: "bind-within", root: "/", source, target });
    else if (isWithin(source, paths.directory) || secrets.has(source))
      laid.push({ kind: "idmap", source, target });
    else laid.push({ kind: "bind", source, target });
    return { ...mount, source: target };
  });
  return { mounts: staged, laid };
}
