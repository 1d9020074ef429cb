// What the store holds, for `tranship images`.

import { mediaType } from "../formats/oci.ts";
import { type Digest, parseReference, repositoryName } from "../formats/oci-reference.ts";
import { capturedAnnotation } from "./build.ts";
import type { ImageStore, Named, StoredImage } from "./store.ts";

export interface ListedImage {
  repository: string;
  tag: string;
  /** Of what the name means: the package's index, or the image manifest. */
  digest: Digest;
  /** When the source was captured (from the evidence) or the image made (from its config), RFC 3339; images of ours say no time. */
  created: string | undefined;
  /** Bytes in the store: documents, layers, descriptor, evidence. Shared layers count for each image. */
  size: number;
  layers: number;
  /** Set where the image's documents cannot be read. */
  problem: string | undefined;
}

export function listImages(store: ImageStore): ListedImage[] {
  return store.names().map((named) => {
    const { repository, tag } = nameParts(named.name);
    const base = { repository, tag, digest: named.target.digest };
    try {
      return { ...base, ...facts(store, named) };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      return { ...base, created: undefined, size: 0, layers: 0, problem };
    }
  });
}

function nameParts(name: string): { repository: string; tag: string } {
  try {
    const reference = parseReference(name);
    return { repository: repositoryName(reference), tag: reference.tag ?? "<none>" };
  } catch {
    return { repository: name, tag: "<none>" }; // a name that another tool gave
  }
}

function facts(
  store: ImageStore,
  named: Named,
): Pick<ListedImage, "created" | "size" | "layers" | "problem"> {
  const image = store.imageOf(named.target, named.name);
  return {
    created: capturedTime(store, image) ?? image.config.created,
    size: imageSize(store, image),
    layers: image.layers.length,
    problem: undefined,
  };
}

/** When the evidence says that the source was captured. */
export function capturedTime(store: ImageStore, image: StoredImage): string | undefined {
  const evidence = store.referrers(image.manifestDescriptor.digest, mediaType.evidence);
  return evidence.map((entry) => entry.annotations?.[capturedAnnotation]).find((time) => time !== undefined);
}

/** Bytes of all blobs that belong to the image. */
export function imageSize(store: ImageStore, image: StoredImage): number {
  const sizes = new Map<Digest, number>();
  const add = (entry: { digest: Digest; size: number }): void => {
    sizes.set(entry.digest, entry.size);
  };
  for (const entry of [
    image.target,
    image.manifestDescriptor,
    image.manifest.config,
    ...image.manifest.layers,
  ])
    add(entry);
  const artifacts = store.referrers(image.manifestDescriptor.digest);
  if (image.descriptorManifest !== undefined) artifacts.push(image.descriptorManifest);
  for (const artifact of artifacts) {
    const manifest = store.readManifest(artifact);
    for (const entry of [artifact, manifest.config, ...manifest.layers]) add(entry);
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
