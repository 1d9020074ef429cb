// Volumes as things of their own: made, listed, removed. What is in them is prepareMount()'s.
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import { acquireLock } from "../../host/lock.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { noteOther } from "../events/note.ts";
import { instanceIds, readInstance } from "../find.ts";
import { bytesBelow } from "../usage/bytes.ts";
import { checkVolumeName, removeVolume, volumeData } from "./volumes.ts";

export interface Volume {
  name: string;
  createdAt: string;
  labels: Readonly<Record<string, string>>;
  /** Where its content lies on this host. */
  mountpoint: string;
  /** Made by an instance for itself, without a name of anyone's. */
  anonymous: boolean;
  /** Ids of instances that mount it, running or not. */
  users: string[];
}

interface VolumeFile {
  createdAt?: string;
  labels?: Record<string, string>;
}

const anonymousName = /^[0-9a-f]{64}$/;

/** By name. */
export function listVolumes(root: StateRoot): Volume[] {
  const users = usersOfVolumes(root);
  return readdirSync(root.volumes)
    .filter((name) => !name.startsWith("."))
    .sort()
    .flatMap((name) => readVolume(root, name, users) ?? []);
}

/** E_VOLUME_NOT_FOUND. */
export function findVolume(root: StateRoot, name: string): Volume {
  const found =
    /^[\w.-]+$/.test(name) && !name.startsWith(".")
      ? readVolume(root, name, usersOfVolumes(root))
      : undefined;
  if (found !== undefined) return found;
  throw new TranshipError("E_VOLUME_NOT_FOUND", `no such volume: ${name}`, {
    hint: "`tranship volume ls` lists what there is",
  });
}

function readVolume(root: StateRoot, name: string, users: ReadonlyMap<string, string[]>): Volume | undefined {
  const directory = join(root.volumes, name);
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return undefined;
  const file = readJson(join(directory, "volume.json")) as VolumeFile | undefined;
  return {
    name,
    createdAt: file?.createdAt ?? stat.birthtime.toISOString(),
    labels: file?.labels ?? {},
    mountpoint: volumeData(root, name),
    anonymous: anonymousName.test(name),
    users: users.get(name) ?? [],
  };
}

function usersOfVolumes(root: StateRoot): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const id of instanceIds(root)) {
    for (const mount of readInstance(root, id)?.record.mounts ?? []) {
      if (mount.kind === "volume") users.set(mount.source, [...(users.get(mount.source) ?? []), id]);
    }
  }
  return users;
}

/** One that is there already is left as it is, as docker does. What is put into it before its first use stays. */
export function createVolume(root: StateRoot, name: string, labels: Readonly<Record<string, string>>): void {
  const directory = join(root.volumes, checkVolumeName(name));
  if (existsSync(directory)) return;
  step("volume directory");
  makeDirectory(directory);
  makeDirectory(volumeData(root, name), 0o755);
  step("volume.json");
  writeFileAtomic(
    join(directory, "volume.json"),
    `${JSON.stringify({ createdAt: new Date().toISOString(), labels })}\n`,
  );
  noteOther(root, { type: "volume", action: "create", id: name });
}

/** E_VOLUME_IN_USE where an instance mounts it. It goes at once and whole. Returns its bytes. */
export async function deleteVolume(root: StateRoot, name: string): Promise<number> {
  const lock = await acquireLock(join(root.locks, `volume-${name}`), "remove a volume");
  try {
    const { users, mountpoint } = findVolume(root, name);
    if (users.length > 0) {
      throw new TranshipError(
        "E_VOLUME_IN_USE",
        `the volume ${name} is used by ${users.map((id) => id.slice(0, 12)).join(", ")}`,
        {
          hint: "remove these instances first",
        },
      );
    }
    const bytes = bytesBelow(mountpoint);
    step("remove volume");
    removeVolume(root, name);
    return bytes;
  } finally {
    lock.release();
  }
}

/** What killed removals left. */
export function removeGoneVolumes(root: StateRoot): number {
  const gone = readdirSync(root.volumes).filter((name) => name.startsWith(".gone-"));
  for (const name of gone) rmSync(join(root.volumes, name), { recursive: true, force: true });
  return gone.length;
}
