// All layers of an image as the one tree that they show: what a lower layer has and an upper one replaces or removes is left out.
//
// The layers are read twice: first to learn which object each name shows in the end, then to give the objects. An object whose own name
// is gone, and that another name still shows, is given under that one.
import type { ByteString } from "../formats/entry.ts";
import { originAnnotation } from "./build.ts";
import { type LayerEvent, readLayer } from "./layer-reader.ts";
import { anyDevice, MergedTree, type Placed } from "./merged-tree.ts";
import type { ImageStore, StoredImage, StoredLayer } from "./store.ts";

export interface Flattened {
  /** Every name that there is, in byte order. */
  names: ByteString[];
  tree: MergedTree;
  /** Which layer what the name shows is from: "system", "app"; undefined where the layer does not say. */
  originOf(path: ByteString): string | undefined;
  /** Entries with their content, as of one layer without whiteouts. */
  events(): AsyncGenerator<LayerEvent, void, void>;
}

/** `keep`: files whose content the tree keeps, up to so many bytes. */
export async function flattenImage(
  store: ImageStore,
  image: StoredImage,
  keep: Readonly<Record<ByteString, number>> = {},
): Promise<Flattened> {
  const tree = new MergedTree(keep);
  const objects: (Placed | undefined)[] = [];
  const layerOf = new Map<Placed, StoredLayer>();
  for (const layer of image.layers) {
    tree.beginLayer();
    for await (const events of readLayer({ store, layer }, { devices: anyDevice }))
      for (const event of events) {
        tree.add(event);
        if (event.type !== "entry" || event.hardlinkTo !== undefined) continue;
        const placed = tree.at(event.entry.path);
        objects.push(placed);
        if (placed !== undefined) layerOf.set(placed, layer);
      }
  }
  const namesOf = new Map<Placed, ByteString[]>();
  const names: ByteString[] = [];
  for (const [path, placed] of tree.all()) {
    names.push(path);
    const known = namesOf.get(placed);
    if (known === undefined) namesOf.set(placed, [path]);
    else known.push(path);
  }
  const originOf = (path: ByteString): string | undefined => {
    const placed = tree.at(path);
    const layer = placed === undefined ? undefined : layerOf.get(placed);
    return layer?.descriptor.annotations?.[originAnnotation];
  };
  return { names, tree, originOf, events: () => visible(store, image, objects, namesOf) };
}

async function* visible(
  store: ImageStore,
  image: StoredImage,
  objects: readonly (Placed | undefined)[],
  namesOf: ReadonlyMap<Placed, readonly ByteString[]>,
): AsyncGenerator<LayerEvent, void, void> {
  let next = 0;
  let shown = false;
  let others: readonly ByteString[] = [];
  for await (const event of layerEvents(store, image)) {
    if (event.type === "entry" && event.hardlinkTo === undefined) {
      const placed = objects[next++];
      const [first, ...more] = (placed === undefined ? undefined : namesOf.get(placed)) ?? [];
      shown = first !== undefined;
      others = more;
      if (first === undefined) continue;
      yield { ...event, entry: { ...event.entry, path: first } };
      if (event.entry.kind !== "file") yield* links(event, first, others);
    } else if (shown && event.type === "data") yield event;
    else if (shown && event.type === "end") {
      yield event;
      const placed = objects[next - 1];
      const [first = ""] = (placed === undefined ? undefined : namesOf.get(placed)) ?? [];
      if (placed !== undefined) yield* links({ entry: placed.entry }, first, others);
      shown = false;
    }
  }
}

function* links(
  { entry }: { entry: Placed["entry"] },
  first: ByteString,
  others: readonly ByteString[],
): Generator<LayerEvent> {
  for (const path of others) yield { type: "entry", entry: { ...entry, path }, hardlinkTo: first };
}

async function* layerEvents(store: ImageStore, image: StoredImage): AsyncGenerator<LayerEvent, void, void> {
  for (const layer of image.layers)
    for await (const events of readLayer({ store, layer }, { devices: anyDevice })) yield* events;
}
