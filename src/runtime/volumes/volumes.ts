// Volumes: directories of the state root that outlive what is written over an image.
//
//   volumes/NAME/data     what instances see
//   volumes/NAME/seeded   the content of the image is in it, whole
//   volumes/NAME/seeding  and no seeded: seeding was broken off and begins anew
//   volumes/NAME/volume.json  of those made by `volume create`: time and labels
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { launchCall } from "../../host/enter.ts";
import { startEnter } from "../../host/enter-process.ts";
import { errnoOf, ioError, makeDirectory, writeFileAtomic } from "../../host/files.ts";
import { acquireLock } from "../../host/lock.ts";
import { runChecked } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { noteOther } from "../events/note.ts";
import type { InstanceMount } from "../record.ts";

export function volumeData(root: StateRoot, name: string): string {
  return join(root.volumes, name, "data");
}

export function checkVolumeName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/.test(name)) return name;
  throw new TranshipError("E_USAGE", `not a name for a volume: ${JSON.stringify(name)}`, {
    hint: "use at least two letters, digits, _ . or -; a directory of the host begins with /",
  });
}

/** Makes the directory that a mount takes its content from and returns it. `image`: its layers, topmost first, or a directory that shows all of it. */
export async function prepareMount(
  root: StateRoot,
  mount: InstanceMount,
  image: readonly string[] | string,
): Promise<string> {
  if (mount.kind === "bind") {
    if (!existsSync(mount.source)) makeDirectory(mount.source, 0o755);
    return mount.source;
  }
  const directory = join(root.volumes, mount.source);
  const data = volumeData(root, mount.source);
  if (existsSync(join(directory, "seeded"))) return data;
  if (!existsSync(directory)) noteOther(root, { type: "volume", action: "create", id: mount.source });
  makeDirectory(directory);
  const lock = await acquireLock(join(root.locks, `volume-${mount.source}`), "seed a volume", 600_000);
  try {
    if (!existsSync(join(directory, "seeded"))) await seed(root, mount, image, directory);
  } finally {
    lock.release();
  }
  return data;
}

async function seed(
  root: StateRoot,
  mount: InstanceMount,
  image: readonly string[] | string,
  directory: string,
): Promise<void> {
  const data = join(directory, "data");
  if (!existsSync(join(directory, "seeding")) && existsSync(data) && readdirSync(data).length > 0) {
    // Somebody has put something into a volume that nobody has used yet: that is its content.
    writeFileAtomic(join(directory, "seeded"), `${new Date().toISOString()}\n`);
    return;
  }
  writeFileAtomic(join(directory, "seeding"), "");
  step("volume clear");
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { mode: 0o755 });
  if (mount.seed && image.length > 0) {
    step("volume seed");
    if (typeof image === "string") await copyFrom(image, mount.target, data);
    else await copyFromImage(root, image, mount.target, data);
  }
  step("volume seeded");
  writeFileAtomic(join(directory, "seeded"), `${new Date().toISOString()}\n`);
  rmSync(join(directory, "seeding"), { force: true });
}

/** Shows the image to a held process of ours and copies from there; nothing is mounted where the host could see it. */
async function copyFromImage(
  root: StateRoot,
  layers: readonly string[],
  target: string,
  data: string,
): Promise<void> {
  const mountPoint = join(root.path, "mnt");
  makeDirectory(mountPoint);
  const held = startEnter(
    launchCall({
      mounts: [
        {
          kind: "overlay",
          target: mountPoint,
          lowers: [...layers, ...emptyLower(root, layers)],
          readOnly: true,
        },
      ],
      command: { argv: ["true"] },
    }),
    { hold: true },
  );
  try {
    const { pid } = await held.ready;
    await copyFrom(`/proc/${pid}/root${mountPoint}`, target, data);
  } finally {
    held.release();
    await held.exit;
  }
}

/** An overlay without an upper directory needs two lower ones. */
export function emptyLower(root: StateRoot, layers: readonly string[]): string[] {
  if (layers.length > 1) return [];
  const empty = join(root.path, "empty");
  makeDirectory(empty, 0o755);
  return [empty];
}

async function copyFrom(top: string, target: string, data: string): Promise<void> {
  const source = directoryInside(top, target);
  if (source !== undefined)
    await runChecked("cp", ["--archive", "--no-target-directory", `${source}/.`, data]);
}

const maxLinks = 40;

/** Walks to a directory below `top` as if that were the root; symbolic links of the image lead nowhere else. */
function directoryInside(top: string, path: string): string | undefined {
  let todo = path.split("/").filter((name) => name !== "" && name !== ".");
  let done: string[] = [];
  for (let links = 0; todo.length > 0; ) {
    const [name = "", ...rest] = todo;
    todo = rest;
    if (name === "..") {
      done = done.slice(0, -1);
      continue;
    }
    const here = join(top, ...done, name);
    const stat = lstatSync(here, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) {
      if (++links > maxLinks) return undefined;
      const link = readlinkSync(here);
      if (link.startsWith("/")) done = [];
      todo = [...link.split("/").filter((part) => part !== "" && part !== "."), ...rest];
    } else if (stat?.isDirectory()) {
      done.push(name);
    } else {
      return undefined;
    }
  }
  return join(top, ...done);
}

/** Removes a volume; missing is success. */
export function removeVolume(root: StateRoot, name: string): void {
  const directory = join(root.volumes, name);
  if (!resolve(directory).startsWith(`${resolve(root.volumes)}/`)) return;
  // It goes whole: half a volume must not pass for one that somebody filled.
  const gone = join(root.volumes, `.gone-${name}`);
  rmSync(gone, { recursive: true, force: true });
  try {
    renameSync(directory, gone);
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw ioError(`cannot remove the volume ${name}`, cause);
    return;
  }
  noteOther(root, { type: "volume", action: "destroy", id: name });
  rmSync(gone, { recursive: true, force: true });
}
