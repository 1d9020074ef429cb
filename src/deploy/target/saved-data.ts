// The data of a deployment as one tar: a directory for each of its volumes, called by the path that it is mounted at.
import { createReadStream, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { errnoOf, ioError, makeDirectory, syncDirectory, writeFileAtomic } from "../../host/files.ts";
import { runChecked } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { type LayerEvent, readTarObjects } from "../../image/layer-reader.ts";
import { makeTree } from "../../image/make-tree.ts";
import { findVolume } from "../../runtime/volumes/list.ts";
import { volumeData } from "../../runtime/volumes/volumes.ts";

/** "var-lib-mysql" of "shop.var-lib-mysql": a deployment of another name can take the data. */
function partOf(volume: string, name: string): string {
  return volume.startsWith(`${name}.`) ? volume.slice(name.length + 1) : volume;
}

/** Whole or not at all. An existing file is replaced. */
export async function saveData(
  root: StateRoot,
  file: string,
  name: string,
  volumes: readonly string[],
): Promise<void> {
  const path = resolve(file);
  const temporary = join(dirname(path), `.${basename(path)}.saving`);
  const there = volumes.filter((volume) => existsSync(volumeData(root, volume)));
  const quoted = (text: string): string => text.replace(/[.*[\]^$\\,]/g, "\\$&");
  const transforms = there.flatMap((volume) => [
    "--transform",
    `s,^${quoted(volume)}/data,${partOf(volume, name)},rhS`,
  ]);
  step("save the data");
  rmSync(temporary, { force: true });
  try {
    await runChecked("tar", [
      "--create", "--file", temporary, "--format=pax", "--sparse", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner",
      "--sort=name", "-C", root.volumes, ...transforms, ...(there.length === 0 ? ["--files-from", "/dev/null"] : there.map((one) => `${one}/data`)),
    ]); // biome-ignore format: a command
    await runChecked("sync", [temporary]);
    step("put the saved data in its place");
    renameSync(temporary, path);
    syncDirectory(dirname(path));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw ioError(`cannot save the data to ${path}`, cause);
  }
}

/** Fills volumes that are not there yet. What is in the file beside them is left. E_VOLUME_IN_USE, E_LAYER_HOSTILE. */
export async function restoreData(
  root: StateRoot,
  file: string,
  volumes: readonly string[],
  name: string,
): Promise<void> {
  const path = resolve(file);
  try {
    statSync(path);
  } catch (cause) {
    throw ioError(`cannot read the saved data ${path}`, cause);
  }
  for (const volume of volumes) {
    if (existsSync(join(root.volumes, volume))) {
      throw new TranshipError(
        "E_VOLUME_IN_USE",
        `there is a volume ${volume} already, with data of ${findVolume(root, volume).createdAt}`,
        {
          hint: `leave --data out to take it, or remove it: tranship volume rm ${volume}`,
        },
      );
    }
    step("restore the data of a volume");
    const data = volumeData(root, volume);
    makeDirectory(data, 0o755);
    const events = below(
      readTarObjects(createReadStream(path, { highWaterMark: 1 << 20 }), { leftOut: () => {} }),
      `/${partOf(volume, name)}`,
    );
    await makeTree(data, events, {}, (reason) => {
      const code = /No space left on device|Disk quota exceeded/.test(reason)
        ? "E_NO_SPACE"
        : "E_LAYER_HOSTILE";
      return new TranshipError(code, `cannot restore ${volume} from ${path}: ${reason}`);
    });
    writeFileAtomic(join(root.volumes, volume, "seeded"), `${new Date().toISOString()}\n`);
  }
}

/** The objects below a directory of the archive, as those of a root. */
async function* below(batches: AsyncIterable<LayerEvent[]>, top: ByteString): AsyncGenerator<LayerEvent> {
  const inside = (path: ByteString): ByteString | undefined =>
    path === top ? "/" : path.startsWith(`${top}/`) ? path.slice(top.length) : undefined;
  let shown = false;
  try {
    for await (const event of each(batches)) {
      if (event.type === "whiteout" || event.type === "opaque") continue;
      if (event.type !== "entry") {
        if (shown) yield event;
        continue;
      }
      const path = inside(event.entry.path);
      const target = event.hardlinkTo === undefined ? undefined : inside(event.hardlinkTo);
      shown = path !== undefined && (event.hardlinkTo === undefined || target !== undefined);
      if (path !== undefined && shown)
        yield { ...event, entry: { ...event.entry, path }, hardlinkTo: target };
    }
  } catch (cause) {
    if (errnoOf(cause) !== undefined) throw ioError("cannot read the saved data", cause);
    throw cause;
  }
}

async function* each(batches: AsyncIterable<LayerEvent[]>): AsyncGenerator<LayerEvent> {
  for await (const batch of batches) yield* batch;
}
