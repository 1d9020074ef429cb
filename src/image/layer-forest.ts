// Which images stand on the same layers: a forest, lowest layers first.
import type { Digest } from "../formats/oci-reference.ts";
import { originAnnotation } from "./build.ts";
import type { ImageStore, StoredLayer } from "./store.ts";

export interface LayerTree {
  diffId: Digest;
  origin: string | undefined;
  /** Bytes of its blob. */
  size: number;
  /** Names of the images that end with this layer. */
  images: string[];
  /** How many images have it. */
  sharedBy: number;
  above: LayerTree[];
}

export interface LayerForest {
  roots: LayerTree[];
  images: number;
  layers: number;
  /** Bytes of all layers as they are stored, and as they would be if nothing were shared. */
  stored: number;
  unshared: number;
  /** Images whose documents cannot be read. */
  problems: string[];
}

export function layerForest(store: ImageStore): LayerForest {
  const roots: LayerTree[] = [];
  const blobs = new Map<Digest, number>();
  const problems: string[] = [];
  let images = 0;
  let unshared = 0;
  for (const { name, target } of store.names()) {
    let layers: StoredLayer[];
    try {
      layers = store.imageOf(target, name).layers;
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    images++;
    let level = roots;
    let top: LayerTree | undefined;
    for (const { descriptor, diffId } of layers) {
      blobs.set(descriptor.digest, descriptor.size);
      unshared += descriptor.size;
      top = level.find((one) => one.diffId === diffId);
      if (top === undefined) {
        const origin = descriptor.annotations?.[originAnnotation];
        top = { diffId, origin, size: descriptor.size, images: [], sharedBy: 0, above: [] };
        level.push(top);
      }
      top.sharedBy++;
      level = top.above;
    }
    top?.images.push(name);
  }
  const stored = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  return { roots, images, layers: blobs.size, stored, unshared, problems };
}
