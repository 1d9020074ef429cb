// An image layout into the store, every blob with its digest. Of an export of ours the package comes back: index, descriptor, evidence.
import { createReadStream } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import {
  type Descriptor,
  decodeImageConfig,
  decodeIndex,
  decodeManifest,
  type ImageIndex,
  isIndexType,
  layerCompression,
  mediaType,
  refNameAnnotation,
} from "../../formats/oci.ts";
import { type Digest, isDigest } from "../../formats/oci-reference.ts";
import { packageIndexAnnotation, referrersAnnotation } from "../export.ts";
import { chooseImage, hostPlatform } from "../registry/choose-image.ts";
import type { StoreSession } from "../store-session.ts";
import type { Imported } from "./imported.ts";
import { blobFileName, readDocumentFile, type SourceFiles } from "./source-files.ts";

export async function importLayout(
  session: StoreSession,
  files: SourceFiles,
  name: string,
  wanted: string | undefined,
): Promise<Imported> {
  const top = decoded(readDocumentFile(files, "index.json"), "index.json", decodeIndex);
  const layout = new Layout(session, files);
  const packaged = top.annotations?.[packageIndexAnnotation];
  const entry = packaged === undefined ? chooseEntry(top, wanted) : layout.entryOf(packaged, mediaType.index);
  const { image, target, layers } = await layout.image(entry);
  const referrers: Descriptor[] = [];
  for (const digest of (top.annotations?.[referrersAnnotation] ?? "")
    .split(" ")
    .filter((word) => word !== ""))
    referrers.push(await layout.artifact(layout.entryOf(digest, mediaType.manifest), image.digest));
  await session.store.updateIndex(`name ${name}`, () => {
    const manifests = session.store.named(name, { target, manifestDescriptor: image });
    const added = referrers.filter(({ digest }) => manifests.every((one) => one.digest !== digest));
    return [...manifests, ...added];
  });
  return { name, digest: target.digest, imageDigest: image.digest, layers };
}

function chooseEntry(top: ImageIndex, wanted: string | undefined): Descriptor {
  const nameOf = (entry: Descriptor): string => entry.annotations?.[refNameAnnotation] ?? "";
  const fitting =
    wanted === undefined ? top.manifests : top.manifests.filter((entry) => nameOf(entry) === wanted);
  const [first] = fitting;
  if (first !== undefined && fitting.length === 1) return first;
  const names = top.manifests.map(nameOf).filter((name) => name !== "");
  const what = wanted === undefined ? `holds ${top.manifests.length} images` : `holds no image ${wanted}`;
  throw new TranshipError("E_IMAGE_NOT_FOUND", `the layout ${what}`, {
    hint: names.length === 0 ? "it names none" : `choose with --image: ${names.slice(0, 10).join(", ")}`,
  });
}

class Layout {
  readonly #session: StoreSession;
  readonly #files: SourceFiles;

  constructor(session: StoreSession, files: SourceFiles) {
    this.#session = session;
    this.#files = files;
  }

  entryOf(digest: Digest, type: string): Descriptor {
    if (!isDigest(digest))
      throw new TranshipError("E_IMAGE_CORRUPT", `not a digest: ${JSON.stringify(digest)}`);
    const size = this.#files.file(blobFileName(digest))?.size;
    if (size === undefined) throw new TranshipError("E_IMAGE_CORRUPT", `blob ${digest} is missing`);
    return { mediaType: type, digest, size };
  }

  async image(entry: Descriptor): Promise<{ image: Descriptor; target: Descriptor; layers: number }> {
    if (!isIndexType(entry.mediaType)) {
      const image = plain(entry);
      return { image, target: image, layers: await this.#image(image) };
    }
    const index = await this.#document(entry, "index", decodeIndex);
    const chosen = chooseImage(index, hostPlatform(), `the index ${entry.digest}`);
    const image = {
      ...plain(chosen.image),
      ...(chosen.image.platform === undefined ? {} : { platform: chosen.image.platform }),
    };
    const layers = await this.#image(image);
    if (chosen.descriptor === undefined) return { image, target: image, layers };
    await this.artifact(chosen.descriptor, image.digest);
    return { image, target: plain(entry), layers };
  }

  async #image(entry: Descriptor): Promise<number> {
    const manifest = await this.#document(entry, "manifest", decodeManifest);
    const config = await this.#document(manifest.config, "image config", decodeImageConfig);
    if (config.rootfs.diff_ids.length !== manifest.layers.length)
      throw new TranshipError(
        "E_IMAGE_CORRUPT",
        `${entry.digest} has ${manifest.layers.length} layers, its config names ${config.rootfs.diff_ids.length}`,
      );
    for (const layer of manifest.layers) {
      if (layerCompression(layer.mediaType) === undefined)
        throw new TranshipError(
          "E_IMAGE_UNSUPPORTED",
          `layer ${layer.digest} has the media type ${layer.mediaType}`,
        );
      await this.#blob(layer);
    }
    return manifest.layers.length;
  }

  /** A manifest with a subject, and its blobs; as an entry of index.json. */
  async artifact(entry: Descriptor, subject: Digest): Promise<Descriptor> {
    const manifest = await this.#document(entry, "manifest", decodeManifest);
    if (manifest.subject?.digest !== subject)
      throw new TranshipError("E_IMAGE_CORRUPT", `${entry.digest} does not refer to ${subject}`);
    for (const blob of [manifest.config, ...manifest.layers]) await this.#blob(blob);
    const own = Object.entries(manifest.annotations ?? {}).filter(
      ([name]) => !name.startsWith("org.opencontainers.image.ref."),
    );
    return {
      ...plain(entry),
      artifactType: manifest.artifactType ?? manifest.config.mediaType,
      ...(own.length === 0 ? {} : { annotations: Object.fromEntries(own) }),
    };
  }

  async #document<T>(entry: Descriptor, what: string, decode: (text: string, what: string) => T): Promise<T> {
    const text = readDocumentFile(this.#files, blobFileName(entry.digest));
    const value = decoded(text, `${what} ${entry.digest}`, decode);
    await this.#blob(entry);
    return value;
  }

  async #blob({ mediaType: type, digest, size }: Descriptor): Promise<void> {
    if ((await this.#session.retain(digest)) && this.#session.store.blobSize(digest) === size) return;
    const file = this.#files.file(blobFileName(digest));
    if (file === undefined) throw new TranshipError("E_IMAGE_CORRUPT", `blob ${digest} is missing`);
    await this.#session.putStream(type, createReadStream(file.path, { highWaterMark: 1 << 20 }), {
      digest,
      size,
    });
  }
}

function plain({ mediaType: type, digest, size }: Descriptor): Descriptor {
  return { mediaType: type, digest, size };
}

function decoded<T>(text: string, what: string, decode: (text: string, what: string) => T): T {
  return decode(text, what);
}
