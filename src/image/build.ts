// Layers, config and package descriptor become an image of the store, and get their names (docs/internals, package.md):
//
//   REF -> index -+- image manifest (config, layers)
//                 +- descriptor manifest, subject = the image manifest
//   evidence manifest, subject = the image manifest, stands beside them in index.json
//
// Nothing here depends on the time or the machine: only the evidence does.
import { TranshipError } from "../base/errors.ts";
import {
  type ContainerConfig,
  type Descriptor,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  mediaType,
  noTime,
  type Platform,
} from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { compressorName } from "./compress.ts";
import { newName } from "./store.ts";
import type { StoreSession } from "./store-session.ts";

export interface ImageLayer {
  descriptor: Descriptor;
  diffId: Digest;
  /** "system", "runtime", "app", "config", "tranship": shown by `image history`. */
  origin: string;
}

export interface ImageContent {
  /** The name it gets: name[:tag]. */
  reference: string;
  /** Lowest first. */
  layers: readonly ImageLayer[];
  config: ContainerConfig;
  /** GOARCH word. */
  architecture: string;
  descriptorYaml: Uint8Array | string;
  /** JSON of the evidence; it alone may hold machine names and times. */
  evidence?: Iterable<string>;
  /** Bill of materials, SPDX in JSON; given the digest of the image manifest. */
  sbom?: (imageDigest: Digest) => Iterable<string>;
  /** When the source was captured, RFC 3339: an annotation of evidence and bill of materials. */
  captured?: string;
  /** Of the image manifest. Must be the same for the same content. */
  annotations?: Record<string, string>;
}

export interface BuiltImage {
  name: string;
  indexDigest: Digest;
  imageDigest: Digest;
  /** Of the image config: what docker calls the image id. */
  configDigest: Digest;
}

export const originAnnotation = "vnd.tranship.origin";
export const compressorAnnotation = "vnd.tranship.compressor";
export const capturedAnnotation = "vnd.tranship.captured";

const unknownPlatform: Platform = { architecture: "unknown", os: "unknown" };

/** Stores the documents and names the image. The layers must have been written in the same session. */
export async function buildImage(session: StoreSession, content: ImageContent): Promise<BuiltImage> {
  const name = newName(content.reference);
  await checkLayers(session, content.layers);
  const config = await putJson(session, mediaType.config, imageConfig(content));
  const platform = { architecture: content.architecture, os: "linux" };
  const image = await putJson(session, mediaType.manifest, imageManifest(content, config));
  const packaged = await putDescriptor(session, content.descriptorYaml, image);
  const index = await putJson(session, mediaType.index, {
    schemaVersion: 2,
    mediaType: mediaType.index,
    manifests: [{ ...image, platform }, packaged],
  } satisfies ImageIndex);
  const referrers = await putReferrers(session, content, image);
  const { store } = session;
  await store.updateIndex(`name ${name}`, () => {
    const named = store.named(name, { target: index, manifestDescriptor: { ...image, platform } });
    const known = new Set(referrers.map((entry) => entry.digest));
    return [...named.filter((entry) => !known.has(entry.digest)), ...referrers];
  });
  return { name, indexDigest: index.digest, imageDigest: image.digest, configDigest: config.digest };
}

/** A descriptor of documents that several writers make must come out the same: keys in fixed order, no blanks. */
export async function putJson(session: StoreSession, type: string, value: object): Promise<Descriptor> {
  return await session.put(type, JSON.stringify(value));
}

async function checkLayers(session: StoreSession, layers: readonly ImageLayer[]): Promise<void> {
  for (const { descriptor } of layers) {
    if (await session.retain(descriptor.digest)) continue;
    throw new TranshipError("E_IMAGE_CORRUPT", `layer ${descriptor.digest} is not in the store`);
  }
}

function imageConfig(content: ImageContent): ImageConfig {
  return {
    architecture: content.architecture,
    os: "linux",
    config: content.config,
    rootfs: { type: "layers", diff_ids: content.layers.map((layer) => layer.diffId) },
    history: content.layers.map((layer) => ({
      created: noTime,
      created_by: "tranship",
      comment: layer.origin,
    })),
  };
}

function imageManifest(content: ImageContent, config: Descriptor): ImageManifest {
  const annotations = { ...content.annotations, [compressorAnnotation]: compressorName.zstd };
  return {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config,
    layers: content.layers.map(({ descriptor, origin }) => ({
      mediaType: descriptor.mediaType,
      digest: descriptor.digest,
      size: descriptor.size,
      annotations: { [originAnnotation]: origin },
    })),
    annotations: sorted(annotations),
  };
}

/** The manifest that carries a package descriptor, as it stands in the package's index. */
export async function putDescriptor(
  session: StoreSession,
  yaml: Uint8Array | string,
  image: Descriptor,
): Promise<Descriptor> {
  const manifest = await putArtifact(session, mediaType.descriptor, yaml, image, {});
  return { ...manifest, platform: unknownPlatform };
}

async function putReferrers(
  session: StoreSession,
  content: ImageContent,
  image: Descriptor,
): Promise<Descriptor[]> {
  const annotations = content.captured === undefined ? {} : { [capturedAnnotation]: content.captured };
  const put = async (type: string, pieces: Iterable<string>): Promise<Descriptor> => {
    const bytes = async function* (): AsyncGenerator<Uint8Array> {
      for (const piece of typeof pieces === "string" ? [pieces] : pieces) yield Buffer.from(piece);
    };
    const blob = await session.putStream(type, bytes());
    return { ...(await putArtifactOf(session, blob, image, annotations)), annotations };
  };
  return [
    ...(content.evidence === undefined ? [] : [await put(mediaType.evidence, content.evidence)]),
    ...(content.sbom === undefined ? [] : [await put(mediaType.sbom, content.sbom(image.digest))]),
  ];
}

/** An artifact manifest as the image specification has it: empty config, one layer, a subject. */
export async function putArtifact(
  session: StoreSession,
  artifactType: string,
  bytes: Uint8Array | string,
  subject: Descriptor,
  annotations: Record<string, string>,
): Promise<Descriptor> {
  return await putArtifactOf(session, await session.put(artifactType, bytes), subject, annotations);
}

/** As putArtifact(), of a blob that is there already; its media type is the artifact's type. */
export async function putArtifactOf(
  session: StoreSession,
  layer: Descriptor,
  subject: Descriptor,
  annotations: Record<string, string>,
): Promise<Descriptor> {
  const artifactType = layer.mediaType;
  const config = await session.put(mediaType.empty, "{}");
  const { mediaType: type, digest, size } = subject;
  const manifest = await putJson(session, mediaType.manifest, {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    artifactType,
    config,
    layers: [layer],
    subject: { mediaType: type, digest, size },
    ...(Object.keys(annotations).length === 0 ? {} : { annotations: sorted(annotations) }),
  } satisfies ImageManifest);
  return { ...manifest, artifactType };
}

function sorted(annotations: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1)));
}
