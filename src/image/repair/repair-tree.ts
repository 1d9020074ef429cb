// A layer that was changed below where it is unpacked is unpacked anew from its archive. What an instance has mounted is left: what it shows
// would go from under its programs.
import { existsSync, readdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { isTranshipError } from "../../base/errors.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import { step } from "../../host/steps.ts";
import { makeWorkDirectory } from "../../host/work.ts";
import { changesOfInherited, ensureInherited } from "../inherited-directories.ts";
import { inheritedName, layerNote } from "../layer-note.ts";
import type { ImageStore, StoredLayer } from "../store.ts";
import { makeLayerAt, unpackedLayer } from "../unpack.ts";
import { changesOfUnpacked } from "../unpacked-check.ts";
import type { RepairedTree, RepairOptions } from "./repair.ts";

/** undefined where the layer is not unpacked, or as it should be. */
export async function repairTree(
  store: ImageStore,
  layer: StoredLayer,
  options: RepairOptions,
): Promise<RepairedTree | undefined> {
  const { diffId } = layer;
  let changes: string[];
  try {
    changes = await changesOfUnpacked({ store, layer }, options);
  } catch (error) {
    if (!isTranshipError(error, "E_IMAGE_CORRUPT")) throw error;
    return undefined; // the archive is damaged and stays so, which is told already
  }
  if (changes.length === 0) return undefined;
  const left = options.dryRun === true ? options.usersOf?.(diffId) : await replaced(store, layer, options);
  return { diffId, changes, left };
}

/** The new tree is whole before the old one goes: killed in between, the layer is not unpacked, and the next start unpacks it. */
async function replaced(
  store: ImageStore,
  layer: StoredLayer,
  { usersOf }: RepairOptions,
): Promise<string | undefined> {
  const early = usersOf?.(layer.diffId);
  const directory = unpackedLayer(store.root, layer.diffId);
  if (early !== undefined || directory === undefined) return early;
  const work = makeWorkDirectory(store.root, "layer");
  try {
    const made = join(work.path, "layer");
    await makeLayerAt({ store, layer }, made);
    const users = usersOf?.(layer.diffId);
    if (users !== undefined) return users;
    const place = dirname(directory);
    step(`replace the unpacked layer ${layer.diffId.slice(0, 19)}`);
    renameSync(place, join(work.path, "old"));
    step(`put the unpacked layer ${layer.diffId.slice(0, 19)} in place`);
    renameSync(made, place);
  } finally {
    work.remove();
  }
  return undefined;
}

/**
 * As repairTree(), of what directories inherit, for each list of layers that it was made for; `layers` are all that names lead to, `lists`
 * those of the images, as a note may be what is damaged.
 */
export async function repairInherited(
  store: ImageStore,
  layers: ReadonlyMap<Digest, StoredLayer>,
  lists: readonly (readonly Digest[])[],
  options: RepairOptions,
): Promise<RepairedTree[]> {
  const trees: RepairedTree[] = [];
  const listOf = new Map(lists.map((list) => [inheritedName(list), list]));
  for (const name of existsSync(store.root.layers) ? readdirSync(store.root.layers) : []) {
    const place = join(store.root.layers, name);
    const note = layerNote(place);
    const list = note?.kind === "inherited" ? note.layers : listOf.get(name);
    const below = (note === undefined ? [] : (list ?? [])).map((diffId) => layers.get(diffId));
    const known = below.filter((layer) => layer !== undefined);
    const top = known.at(-1);
    if (top === undefined || known.length < below.length) continue;
    const changes = await inheritedChanges(store, known, options);
    if (changes.length === 0) continue;
    // Whoever has it mounted has the topmost layer mounted.
    const left = options.usersOf?.(top.diffId);
    if (left === undefined && options.dryRun !== true) await madeAnew(store, known, place);
    trees.push({ diffId: top.diffId, changes: changes.map((change) => `above it, ${change}`), left });
  }
  return trees;
}

async function inheritedChanges(
  store: ImageStore,
  layers: readonly StoredLayer[],
  options: RepairOptions,
): Promise<string[]> {
  try {
    return await changesOfInherited(store, layers, options);
  } catch (error) {
    if (!isTranshipError(error, "E_IMAGE_CORRUPT")) throw error;
    return []; // the archive is damaged and stays so, which is told already
  }
}

async function madeAnew(store: ImageStore, layers: readonly StoredLayer[], place: string): Promise<void> {
  const work = makeWorkDirectory(store.root, "remove");
  try {
    step("replace what directories inherit");
    renameSync(place, join(work.path, "old"));
  } finally {
    work.remove();
  }
  await ensureInherited(
    store.root,
    store,
    layers.map(({ diffId }) => diffId),
  );
}
