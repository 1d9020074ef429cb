// An image or a package from a registry into the store, under the name that it was asked for by. It is named when all of it is there.
import { TranshipError } from "../../base/errors.ts";
import { type Progress, silentProgress } from "../../base/log.ts";
import { escapeBytes } from "../../formats/escape.ts";
import {
  type Descriptor,
  decodeImageConfig,
  decodeManifest,
  type ImageConfig,
  type ImageManifest,
  isIndexType,
  isManifestType,
  maxDocument,
  type Platform,
} from "../../formats/oci.ts";
import {
  type Digest,
  formatReference,
  parseReference,
  type Reference,
  tagName,
} from "../../formats/oci-reference.ts";
import { notePlace, pulledAnnotation } from "../places.ts";
import type { ImageStore } from "../store.ts";
import { type StoreSession, withSession } from "../store-session.ts";
import { downloadBlob, removeOldParts } from "./blob-download.ts";
import { chooseImage, hostPlatform, otherPlatform, parsePlatform, wrongPlatform } from "./choose-image.ts";
import { withSources } from "./mirrors.ts";
import { pullLayers } from "./pull-layers.ts";
import { pullReferrers } from "./pull-referrers.ts";
import { decodeIndexBytes, type RegistryClient, type RemoteDocument } from "./registry-client.ts";
import type { RegistrySettings } from "./settings.ts";
import { UnpackQueue } from "./unpack-queue.ts";

export interface PullOptions extends RegistrySettings {
  /** "linux/amd64". Default this host's. */
  platform?: string;
  /** Leave layers packed; `run` unpacks them. */
  unpack?: boolean;
  progress?: Progress;
}

export interface Pulled {
  name: string;
  /** Of what the name means in the store. */
  digest: Digest;
  imageDigest: Digest;
  /** At the registry: differs from `digest` where an index has several platforms. */
  remoteDigest: Digest;
  layers: number;
  /** Layers that the store had. */
  reused: number;
  /** Bytes of the layers that were fetched. */
  bytes: number;
}

/** Where `reference` has a digest, exactly that is fetched, or nothing. */
export async function pullImage(store: ImageStore, text: string, options: PullOptions = {}): Promise<Pulled> {
  const reference = parseReference(text);
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  removeOldParts(store.root);
  return await withSources(reference, options, (client) =>
    withSession(store, (session) => new Pull(store, session, client, reference, options).run(platform)),
  );
}

/** The name in the store: with a tag the tag's, else the digest's. */
function storeName(reference: Reference): string {
  return reference.tag === undefined && reference.digest !== undefined
    ? formatReference(reference)
    : tagName(reference);
}

class Pull {
  readonly #store: ImageStore;
  readonly #session: StoreSession;
  readonly #client: RegistryClient;
  readonly #reference: Reference;
  readonly #options: PullOptions;
  #reused = 0;
  #bytes = 0;
  #firstLeftOut = "";
  #leftOutCount = 0;

  constructor(
    store: ImageStore,
    session: StoreSession,
    client: RegistryClient,
    reference: Reference,
    options: PullOptions,
  ) {
    this.#store = store;
    this.#session = session;
    this.#client = client;
    this.#reference = reference;
    this.#options = options;
  }

  async run(platform: Platform): Promise<Pulled> {
    const { tag, digest } = this.#reference;
    const top = await this.#client.manifest(digest ?? tag ?? "latest");
    const { image, target, descriptor } = await this.#documents(top, platform);
    const manifest = decodeDocument(image, decodeManifest);
    const config = await this.#config(manifest);
    if (image === top) this.#checkPlatform(config, platform);
    await this.#layers(manifest, config);
    this.#tellDevices();
    await this.#keep(image);
    if (descriptor !== undefined) {
      await this.#artifact(descriptor);
      await this.#keep(top);
    }
    const referrers = await pullReferrers(
      this.#client,
      this.#session,
      image.descriptor.digest,
      this.#options.log,
    );
    const name = storeName(this.#reference);
    await this.#name(
      name,
      { ...target, annotations: this.#origin(name, top.descriptor.digest) },
      image,
      referrers,
    );
    return {
      name,
      digest: target.digest,
      imageDigest: image.descriptor.digest,
      remoteDigest: top.descriptor.digest,
      layers: manifest.layers.length,
      reused: this.#reused,
      bytes: this.#bytes,
    };
  }

  /** Where it came from, before the places that the same image was known to be at. */
  #origin(name: string, remote: Digest): Record<string, string> {
    const { registry, repository, tag } = this.#reference;
    const place = formatReference({ registry: registry ?? "docker.io", repository, tag, digest: remote });
    const before = this.#store.names().find((one) => one.name === name)?.target;
    return { [pulledAnnotation]: remote, ...notePlace(before ?? {}, place) };
  }

  /** The image's manifest, and what the name will mean: the index where it is a package, for its descriptor belongs to it. */
  async #documents(
    top: RemoteDocument,
    platform: Platform,
  ): Promise<{ image: RemoteDocument; target: Descriptor; descriptor: Descriptor | undefined }> {
    const { mediaType: type, digest } = top.descriptor;
    if (isManifestType(type)) {
      return { image: top, target: top.descriptor, descriptor: undefined };
    }
    if (!isIndexType(type))
      throw new TranshipError("E_IMAGE_UNSUPPORTED", `${digest} has the media type ${type}`);
    const index = decodeDocument(top, decodeIndexText);
    const chosen = chooseImage(index, platform, formatReference(this.#reference));
    const image = await this.#member(chosen.image);
    if (chosen.descriptor === undefined) {
      const target = { ...image.descriptor, platform: chosen.image.platform ?? platform };
      return { image, target, descriptor: undefined };
    }
    return { image, target: top.descriptor, descriptor: chosen.descriptor };
  }

  async #member(entry: Descriptor): Promise<RemoteDocument> {
    const document = await this.#client.manifest(entry.digest);
    if (document.bytes.length !== entry.size)
      throw new TranshipError(
        "E_IMAGE_CORRUPT",
        `manifest ${entry.digest} has ${document.bytes.length} bytes, its index says ${entry.size}`,
      );
    return { ...document, descriptor: { ...document.descriptor, mediaType: entry.mediaType } };
  }

  async #keep({ descriptor, bytes }: RemoteDocument): Promise<void> {
    await this.#session.put(descriptor.mediaType, bytes);
  }

  async #config(manifest: ImageManifest): Promise<ImageConfig> {
    const { config } = manifest;
    if (config.size > maxDocument)
      throw new TranshipError(
        "E_LIMIT",
        `image config ${config.digest} has ${config.size} bytes, at most ${maxDocument} are accepted`,
      );
    if (manifest.layers.length > 0 && manifest.artifactType !== undefined)
      throw new TranshipError(
        "E_IMAGE_UNSUPPORTED",
        `${formatReference(this.#reference)} is a ${manifest.artifactType}, no image`,
      );
    await downloadBlob(this.#client, this.#session, config, silentProgress.begin(""));
    const text = new TextDecoder().decode(this.#store.readBlob(config, "image config"));
    const decoded = decodeImageConfig(text, `image config ${config.digest}`);
    const diffIds = decoded.rootfs.diff_ids.length;
    if (diffIds !== manifest.layers.length)
      throw new TranshipError(
        "E_IMAGE_CORRUPT",
        `the image has ${manifest.layers.length} layers, its config names ${diffIds}`,
      );
    return decoded;
  }

  /** A tag that means one image may mean one for another machine. */
  #checkPlatform(config: ImageConfig, platform: Platform): void {
    const other = otherPlatform(config, platform);
    if (other === undefined) return;
    const name = formatReference(this.#reference);
    if (this.#options.platform !== undefined) throw wrongPlatform(name, platform, other);
    this.#options.log?.warn(`${name} is for ${other}`);
  }

  async #layers(manifest: ImageManifest, config: ImageConfig): Promise<void> {
    const layers = manifest.layers.map((descriptor, i) => ({
      descriptor,
      diffId: config.rootfs.diff_ids[i] ?? "",
    }));
    const unpack = this.#options.unpack !== false && process.getuid?.() === 0;
    const { signal, progress = silentProgress } = this.#options;
    const queue = unpack ? new UnpackQueue(this.#store, { signal, leftOut: this.#leftOut }) : undefined;
    const { fetched, bytes } = await pullLayers(layers, {
      client: this.#client,
      session: this.#session,
      progress,
      unpack: queue,
    });
    this.#bytes = bytes;
    this.#reused = layers.length - fetched;
  }

  readonly #leftOut = (path: string, device: string): void => {
    if (this.#leftOutCount++ === 0) this.#firstLeftOut = `${escapeBytes(path)} (${device})`;
  };

  /** One line, however many there are: an image of a whole machine has a hundred. */
  #tellDevices(): void {
    if (this.#leftOutCount === 0) return;
    const others = this.#leftOutCount === 1 ? "" : ` and ${this.#leftOutCount - 1} more`;
    this.#options.log?.warn(
      `left out ${this.#firstLeftOut}${others}: a package has a /dev of its own, which is made anew`,
    );
  }

  /** The package descriptor: a manifest and its small blobs. */
  async #artifact(entry: Descriptor): Promise<void> {
    const document = await this.#member(entry);
    const manifest = decodeDocument(document, decodeManifest);
    for (const blob of [manifest.config, ...manifest.layers]) {
      if (blob.size > maxDocument)
        throw new TranshipError(
          "E_LIMIT",
          `the package descriptor ${blob.digest} has ${blob.size} bytes, at most ${maxDocument} are accepted`,
        );
      await downloadBlob(this.#client, this.#session, blob, silentProgress.begin(""));
    }
    await this.#keep(document);
  }

  async #name(
    name: string,
    target: Descriptor,
    image: RemoteDocument,
    referrers: readonly Descriptor[],
  ): Promise<void> {
    const known = { target, manifestDescriptor: { ...image.descriptor } };
    await this.#store.updateIndex(`name ${name}`, () => {
      const manifests = this.#store.named(name, known);
      const added = referrers.filter((entry) => manifests.every(({ digest }) => digest !== entry.digest));
      return [...manifests, ...added];
    });
  }
}

function decodeDocument<T>(document: RemoteDocument, decode: (text: string, what: string) => T): T {
  const what = `manifest ${document.descriptor.digest}`;
  const text = new TextDecoder().decode(document.bytes);
  return decode(text, what);
}

function decodeIndexText(text: string, what: string) {
  return decodeIndexBytes(new TextEncoder().encode(text), what);
}
