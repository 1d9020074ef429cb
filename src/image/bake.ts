// The descriptor that counts, compiled into a small layer on top: for platforms that run the bare image and see no index.
//
// A layer that was baked before is replaced, so that an image does not grow with each change.
import { readFileSync } from "node:fs";
import {
  type ContainerConfig,
  type Descriptor,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  mediaType,
  noTime,
} from "../formats/oci.ts";
import { nativePath } from "../host/native.ts";
import { step } from "../host/steps.ts";
import { type BuiltImage, originAnnotation, putArtifactOf, putDescriptor, putJson } from "./build.ts";
import type { LayerItem } from "./layer-item.ts";
import { type BuiltLayer, writeLayer } from "./layer-writer.ts";
import { ownDirectory, ownFile } from "./own-item.ts";
import { placesKept } from "./places.ts";
import { type ImageStore, newName, type StoredImage } from "./store.ts";
import { type StoreSession, withSession } from "./store-session.ts";

export interface BakeRequest {
  image: StoredImage;
  /** The name of the result: the package's own, or a further one. */
  name: string;
  /** Text of the descriptor that counts. */
  yaml: Uint8Array | string;
  /** init.bin of it. */
  plan: Uint8Array;
  /** policy.bin of it, with which the in-process engine comes; undefined: it has nothing to say. */
  policy: Uint8Array | undefined;
  config: ContainerConfig;
  /** The image brings no init, or one that knows of no engine: ours is put in. */
  withInit: boolean;
}

export interface BakedImage extends BuiltImage {
  /** Bytes of the layer as it is stored. */
  layerSize: number;
}

const bakedOrigin = "descriptor";
/** init starts below it where no runtime of ours has started init. */
export const insideEngine = "/.tranship/engine";

/** Evidence and bills of materials of the image are made referrers of the new one too; signatures are not, as they sign a digest. */
export async function bakeImage(store: ImageStore, request: BakeRequest): Promise<BakedImage> {
  const name = newName(request.name);
  return await withSession(store, async (session) => {
    for (const { digest } of request.image.manifest.layers) await session.retain(digest);
    step("write the descriptor layer");
    const layer = await writeLayer(items(request), session);
    const { image, config } = await putImage(session, request, layer);
    const packaged = await putDescriptor(session, request.yaml, image);
    const platform = request.image.manifestDescriptor.platform ?? {
      architecture: request.image.config.architecture,
      os: request.image.config.os,
    };
    const index = await putJson(session, mediaType.index, {
      schemaVersion: 2,
      mediaType: mediaType.index,
      manifests: [{ ...image, platform }, packaged],
    } satisfies ImageIndex);
    const referrers = await copyReferrers(session, request.image, image);
    await store.updateIndex(`name ${name}`, () => {
      const target = { ...index, annotations: placesKept(request.image.target) };
      const named = store.named(name, { target, manifestDescriptor: { ...image, platform } });
      const known = new Set(referrers.map((entry) => entry.digest));
      return [...named.filter((entry) => !known.has(entry.digest)), ...referrers];
    });
    return {
      name,
      indexDigest: index.digest,
      imageDigest: image.digest,
      configDigest: config.digest,
      layerSize: layer.descriptor.size,
    };
  });
}

async function* items({ plan, policy, withInit }: BakeRequest): AsyncGenerator<LayerItem> {
  yield ownDirectory("/.tranship");
  if (withInit) yield ownFile("/.tranship/init", readFileSync(nativePath("init")), 0o755);
  yield ownFile("/.tranship/init.bin", plan, 0o644);
  if (policy !== undefined) {
    yield ownFile("/.tranship/policy.bin", policy, 0o644);
    yield ownFile(insideEngine, readFileSync(nativePath("engine")), 0o755);
    // For every user: the engine copies with the rights of the program.
    yield ownDirectory("/.tranship/copies", 0o1777);
  }
  if (withInit) yield ownDirectory("/.tranship/run");
}

/** The layers below the one that an earlier bake left on top. */
function lower(image: StoredImage): StoredImage["layers"] {
  const top = image.layers.at(-1)?.descriptor.annotations?.[originAnnotation];
  return top === bakedOrigin ? image.layers.slice(0, -1) : image.layers;
}

async function putImage(
  session: StoreSession,
  request: BakeRequest,
  layer: BuiltLayer,
): Promise<{ image: Descriptor; config: Descriptor }> {
  const { manifest, config: before } = request.image;
  const layers = lower(request.image);
  const history = (before.history ?? []).slice(
    0,
    layers.length === request.image.layers.length ? undefined : -1,
  );
  const config = await putJson(session, mediaType.config, {
    ...before,
    config: request.config,
    rootfs: { type: "layers", diff_ids: [...layers.map((one) => one.diffId), layer.diffId] },
    history: [...history, { created: noTime, created_by: "tranship package bake", comment: bakedOrigin }],
  } satisfies ImageConfig);
  const { mediaType: type, digest, size } = layer.descriptor;
  const image = await putJson(session, mediaType.manifest, {
    ...manifest,
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config,
    layers: [
      ...layers.map((one) => one.descriptor),
      { mediaType: type, digest, size, annotations: { [originAnnotation]: bakedOrigin } },
    ],
  } satisfies ImageManifest);
  return { image, config };
}

async function copyReferrers(
  session: StoreSession,
  from: StoredImage,
  image: Descriptor,
): Promise<Descriptor[]> {
  const copied: Descriptor[] = [];
  for (const entry of session.store.referrers(from.manifestDescriptor.digest)) {
    if (entry.artifactType !== mediaType.evidence && entry.artifactType !== mediaType.sbom) continue;
    const manifest = session.store.readManifest(entry);
    const [layer] = manifest.layers;
    if (layer === undefined) continue;
    await session.retain(layer.digest);
    const annotations = manifest.annotations ?? {};
    const copy = await putArtifactOf(session, layer, image, annotations);
    copied.push({ ...copy, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) });
  }
  return copied;
}
