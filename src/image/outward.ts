// The documents of an image as they leave the store, where layers may be packed in another way than in it: what names a layer by digest
// is made anew, and what names that in turn. Where no layer changes, every byte stays as it is, and so do all digests.
import {
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  isIndexType,
  layerCompression,
  mediaType,
} from "../formats/oci.ts";
import { compressorAnnotation } from "./build.ts";
import { type Compression, compressorName } from "./compress.ts";
import { digestOf } from "./digest.ts";
import type { ImageStore, StoredImage } from "./store.ts";

export interface OutwardDocument {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

/** A manifest that refers to the image, and the blobs of the store that it names: those of a large machine are not held in memory. */
export interface OutwardArtifact extends OutwardDocument {
  parts: Descriptor[];
}

export interface Outward {
  config: OutwardDocument;
  image: OutwardDocument;
  manifest: ImageManifest;
  /** Of packages: the package descriptor, and the index of both. */
  descriptor: OutwardArtifact | undefined;
  index: OutwardDocument | undefined;
  /** Evidence and what else stands beside the image. */
  referrers: OutwardArtifact[];
}

/** The layers as they will be; `compression` where one of them was packed anew. */
export function outwardDocuments(
  store: ImageStore,
  image: StoredImage,
  layers: readonly Descriptor[],
  compression: Compression | undefined,
): Outward {
  const changed = layers.some((layer, i) => layer.digest !== image.layers[i]?.descriptor.digest);
  const manifest = changed ? newManifest(image.manifest, layers, compression) : image.manifest;
  const made = changed
    ? document(mediaType.manifest, manifest)
    : stored(store, image.manifestDescriptor, "manifest");
  const platform = image.manifestDescriptor.platform ?? {
    architecture: image.config.architecture,
    os: image.config.os,
  };
  const named = { ...made, descriptor: { ...made.descriptor, platform } };
  const artifact = (entry: Descriptor): OutwardArtifact => artifactOf(store, entry, made.descriptor, changed);
  const descriptor = image.descriptorManifest === undefined ? undefined : artifact(image.descriptorManifest);
  const others = store
    .referrers(image.manifestDescriptor.digest)
    .filter((entry) => entry.digest !== image.descriptorManifest?.digest);
  return {
    config: stored(store, image.manifest.config, "image config", manifest.config.mediaType),
    image: named,
    manifest,
    descriptor,
    index: descriptor === undefined ? undefined : indexOf(store, image, named, descriptor, changed),
    referrers: others.filter((entry) => entry.artifactType !== mediaType.descriptor).map(artifact),
  };
}

function indexOf(
  store: ImageStore,
  image: StoredImage,
  made: OutwardDocument,
  descriptor: OutwardArtifact,
  changed: boolean,
): OutwardDocument {
  if (!changed && isIndexType(image.target.mediaType)) return stored(store, image.target, "index");
  return document(mediaType.index, {
    schemaVersion: 2,
    mediaType: mediaType.index,
    manifests: [made.descriptor, descriptor.descriptor],
  } satisfies ImageIndex);
}

/** In the words of OCI: a manifest of docker's own media types may not name layers of others. */
function newManifest(
  manifest: ImageManifest,
  layers: readonly Descriptor[],
  compression: Compression | undefined,
): ImageManifest {
  const { annotations, ...rest } = manifest;
  const compressor = compression === undefined ? {} : { [compressorAnnotation]: compressorName[compression] };
  return {
    ...rest,
    mediaType: mediaType.manifest,
    config: { ...manifest.config, mediaType: mediaType.config },
    layers: layers.map((layer) => ({ ...layer, mediaType: ociType(layer.mediaType) })),
    annotations: { ...annotations, ...compressor },
  };
}

function ociType(type: string): string {
  const compression = layerCompression(type);
  if (compression === undefined) return type;
  return { none: mediaType.layer, gzip: mediaType.layerGzip, zstd: mediaType.layerZstd }[compression];
}

/** The artifact with the image as it leaves as its subject. */
function artifactOf(
  store: ImageStore,
  entry: Descriptor,
  subject: Descriptor,
  changed: boolean,
): OutwardArtifact {
  const manifest = store.readManifest(entry);
  const parts = [manifest.config, ...manifest.layers];
  if (!changed) return { ...stored(store, entry, "manifest"), descriptor: entry, parts };
  const { mediaType: type, digest, size } = subject;
  const made = document(mediaType.manifest, { ...manifest, subject: { mediaType: type, digest, size } });
  return { bytes: made.bytes, descriptor: { ...entry, ...made.descriptor }, parts };
}

function stored(store: ImageStore, entry: Descriptor, what: string, type = entry.mediaType): OutwardDocument {
  const { digest, size } = entry;
  return { descriptor: { mediaType: type, digest, size }, bytes: store.readBlob(entry, what) };
}

function document(type: string, value: object): OutwardDocument {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { descriptor: { mediaType: type, digest: digestOf(bytes), size: bytes.length }, bytes };
}
