// All that the store says of an image, for `tranship inspect` and `image history`.
import type { Descriptor, ImageConfig } from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { originAnnotation } from "./build.ts";
import { capturedTime, imageSize } from "./list.ts";
import type { ImageStore } from "./store.ts";

export interface InspectedLayer {
  diffId: Digest;
  digest: Digest;
  mediaType: string;
  size: number;
  origin: string | undefined;
  createdBy: string | undefined;
}

export interface InspectedImage {
  name: string | undefined;
  /** Digest of the index or, of a bare image, of its manifest. */
  id: Digest;
  imageDigest: Digest;
  configDigest: Digest;
  captured: string | undefined;
  size: number;
  config: ImageConfig;
  annotations: Record<string, string>;
  layers: InspectedLayer[];
  /** YAML of the package descriptor; undefined where the image is no package. */
  descriptor: string | undefined;
  referrers: Descriptor[];
}

export function inspectImage(store: ImageStore, reference: string): InspectedImage {
  const image = store.image(reference);
  const yaml = store.descriptorYaml(image);
  const history = (image.config.history ?? []).filter((entry) => entry.empty_layer !== true);
  return {
    name: image.name,
    id: image.target.digest,
    imageDigest: image.manifestDescriptor.digest,
    configDigest: image.manifest.config.digest,
    captured: capturedTime(store, image),
    size: imageSize(store, image),
    config: image.config,
    annotations: image.manifest.annotations ?? {},
    layers: image.layers.map(({ descriptor, diffId }, i) => ({
      diffId,
      digest: descriptor.digest,
      mediaType: descriptor.mediaType,
      size: descriptor.size,
      origin: descriptor.annotations?.[originAnnotation],
      createdBy: history[i]?.created_by,
    })),
    descriptor: yaml === undefined ? undefined : new TextDecoder().decode(yaml),
    referrers: store.referrers(image.manifestDescriptor.digest),
  };
}
