// A package gets another descriptor: a new index of a few KB beside the same image. No layer is written or read.
import { TranshipError } from "../base/errors.ts";
import { type Descriptor, type ImageIndex, mediaType } from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { step } from "../host/steps.ts";
import { putDescriptor, putJson } from "./build.ts";
import { placesKept } from "./places.ts";
import { type ImageStore, newName, type StoredImage } from "./store.ts";
import { withSession } from "./store-session.ts";

export interface ChangedPackage {
  name: string;
  indexDigest: Digest;
  /** Bytes of the documents that are new; layers are shared. */
  size: number;
}

/**
 * Gives `image` this descriptor under `name`, which may be its own or a further one. E_CHANGED_MEANWHILE where the name that is
 * replaced does not stand for `image` any more. The text is taken as valid.
 */
export async function changeDescriptor(
  store: ImageStore,
  image: StoredImage,
  yaml: string,
  name: string,
): Promise<ChangedPackage> {
  const target = newName(name);
  return await withSession(store, async (session) => {
    for (const layer of [image.manifestDescriptor, image.manifest.config, ...image.manifest.layers])
      await session.retain(layer.digest);
    step("write the descriptor");
    const packaged = await putDescriptor(session, yaml, image.manifestDescriptor);
    const index = await putJson(session, mediaType.index, {
      schemaVersion: 2,
      mediaType: mediaType.index,
      manifests: [plain(image), packaged],
    } satisfies ImageIndex);
    await nameIndex(store, image, index, target);
    return {
      name: target,
      indexDigest: index.digest,
      size: index.size + packaged.size + Buffer.byteLength(yaml),
    };
  });
}

async function nameIndex(
  store: ImageStore,
  image: StoredImage,
  index: Descriptor,
  target: string,
): Promise<void> {
  await store.updateIndex(`name ${target}`, () => {
    const now = store.names().find((one) => one.name === target);
    if (image.name === target && now?.target.digest !== image.target.digest) {
      throw new TranshipError(
        "E_CHANGED_MEANWHILE",
        `${target} was ${now === undefined ? "removed" : "changed"} meanwhile by another command`,
        { hint: "look at it again with `tranship package show`, and repeat the change" },
      );
    }
    const annotations = placesKept(image.target);
    return store.named(target, { target: { ...index, annotations }, manifestDescriptor: plain(image) });
  });
}

/** The manifest's entry as it stands in an index: without a name. */
function plain({ manifestDescriptor, config }: StoredImage): Descriptor {
  const { mediaType: type, digest, size, platform } = manifestDescriptor;
  return {
    mediaType: type,
    digest,
    size,
    platform: platform ?? { architecture: config.architecture, os: config.os },
  };
}
