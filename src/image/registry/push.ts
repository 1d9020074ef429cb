// An image or a package from the store to a registry. What the registry has already, or can take over from another of its repositories,
// is not sent. Blobs go first, then the documents that name them, and the name last: a push that breaks off has changed no name.
import { type Progress, type ProgressTask, silentProgress } from "../../base/log.ts";
import { type Descriptor, layerCompression, mediaType } from "../../formats/oci.ts";
import { type Digest, parseReference } from "../../formats/oci-reference.ts";
import { step } from "../../host/steps.ts";
import { type Compression, compressorName } from "../compress.ts";
import { type Outward, type OutwardArtifact, type OutwardDocument, outwardDocuments } from "../outward.ts";
import { addPlace } from "../places.ts";
import { copyChecked, packInto } from "../recompress.ts";
import type { ImageStore, StoredImage, StoredLayer } from "../store.ts";
import { openUpload, type Produce, uploadBlob } from "./blob-upload.ts";
import { pushRepository } from "./endpoint.ts";
import { OutwardCache } from "./outward-cache.ts";
import { putReferrer } from "./put-referrer.ts";
import { RegistryClient } from "./registry-client.ts";
import { badAnswer, interrupted } from "./registry-errors.ts";
import type { RegistrySettings } from "./settings.ts";
import { UploadRecord } from "./upload-record.ts";

export interface PushOptions extends RegistrySettings {
  /** Of the layers. "keep": as they lie in the store. Default gzip, which every tool reads; what is gzip already stays as it is. */
  compression?: Compression | "keep";
  progress?: Progress;
}

export interface Pushed {
  /** "registry.example.com/shop:1" */
  name: string;
  /** At the registry, of what the name means there. */
  digest: Digest;
  imageDigest: Digest;
  layers: number;
  /** Layers that the registry had. */
  reused: number;
  /** Bytes of the layers that were sent. */
  bytes: number;
}

/** `destination`: a reference with a registry; default the image's own name. */
export async function pushImage(
  store: ImageStore,
  text: string,
  destination: string | undefined,
  options: PushOptions = {},
): Promise<Pushed> {
  const image = store.image(text);
  const to = parseReference(destination ?? image.name ?? text);
  const remote = pushRepository(to, destination ?? text);
  const client = new RegistryClient(remote, options);
  try {
    return await new Push(store, image, client, options).run(
      to.tag ?? "latest",
      `${to.registry}/${to.repository}`,
    );
  } finally {
    await client.close();
  }
}

/** How a layer leaves: packed so anew, or as it lies there. */
function packingOf(layer: StoredLayer, wanted: Compression | "keep"): Compression | undefined {
  if (wanted === "keep" || layerCompression(layer.descriptor.mediaType) === wanted) return undefined;
  return wanted;
}

class Push {
  readonly #store: ImageStore;
  readonly #image: StoredImage;
  readonly #client: RegistryClient;
  readonly #cache: OutwardCache;
  readonly #wanted: Compression | "keep";
  readonly #options: PushOptions;
  /** "HOST/REPOSITORY", as the cache knows it. */
  readonly #place: string;
  #reused = 0;
  #bytes = 0;

  constructor(store: ImageStore, image: StoredImage, client: RegistryClient, options: PushOptions) {
    this.#store = store;
    this.#image = image;
    this.#client = client;
    this.#cache = new OutwardCache(store.root);
    this.#wanted = options.compression ?? "gzip";
    this.#options = options;
    this.#place = `${client.remote.host}/${client.remote.repository}`;
  }

  async run(tag: string, repository: string): Promise<Pushed> {
    const outward = (await this.#unchanged(tag)) ?? (await this.#send(tag));
    const { digest } = (outward.index ?? outward.image).descriptor;
    await addPlace(this.#store, this.#image.target.digest, `${repository}:${tag}@${digest}`);
    return {
      name: `${repository}:${tag}`,
      digest,
      imageDigest: outward.image.descriptor.digest,
      layers: this.#image.layers.length,
      reused: this.#reused,
      bytes: this.#bytes,
    };
  }

  /** Where all layers were sent before, the digest of the whole is known: one question tells whether there is anything to do. */
  async #unchanged(tag: string): Promise<Outward | undefined> {
    const layers: Descriptor[] = [];
    for (const layer of this.#image.layers) {
      const packing = packingOf(layer, this.#wanted);
      const known =
        packing === undefined ? undefined : this.#cache.get(layer.diffId, compressorName[packing]);
      if (packing !== undefined && known === undefined) return undefined;
      layers.push(outwardLayer(layer, packing, known ?? layer.descriptor));
    }
    const outward = this.#documents(layers);
    const top = outward.index ?? outward.image;
    if ((await this.#client.digestOfTag(tag)) !== top.descriptor.digest) return undefined;
    // The name tells nothing of what stands beside it.
    const there = new Set(
      (await this.#client.referrers(outward.image.descriptor.digest)).map(({ digest }) => digest),
    );
    if (outward.referrers.some(({ descriptor }) => !there.has(descriptor.digest))) return undefined;
    this.#reused = layers.length;
    return outward;
  }

  async #send(tag: string): Promise<Outward> {
    const total = this.#image.layers.reduce((sum, layer) => sum + layer.descriptor.size, 0);
    const task = (this.#options.progress ?? silentProgress).begin("push", total);
    const layers: Descriptor[] = [];
    try {
      for (const layer of this.#image.layers) {
        if (this.#options.signal?.aborted === true) throw interrupted(undefined);
        layers.push(await this.#layer(layer, task));
      }
    } finally {
      task.end();
    }
    const outward = this.#documents(layers);
    await this.#document(outward.config);
    const { image, index, descriptor, referrers } = outward;
    if (index === undefined || descriptor === undefined) await this.#manifest(tag, image);
    else {
      await this.#manifest(image.descriptor.digest, image);
      await this.#artifact(descriptor);
      await this.#manifest(tag, index);
    }
    for (const one of referrers) await this.#artifact(one);
    return outward;
  }

  #documents(layers: readonly Descriptor[]): Outward {
    const packed = this.#wanted === "keep" ? undefined : this.#wanted;
    return outwardDocuments(this.#store, this.#image, layers, packed);
  }

  async #layer(layer: StoredLayer, task: ProgressTask): Promise<Descriptor> {
    const packing = packingOf(layer, this.#wanted);
    const how = packing === undefined ? layer.descriptor.digest : compressorName[packing];
    const known = packing === undefined ? layer.descriptor : this.#cache.get(layer.diffId, how);
    const places = this.#cache.get(layer.diffId, how)?.places ?? [];
    const produce: Produce = (write) =>
      packInto(this.#store, layer, packing ?? layerCompression(layer.descriptor.mediaType) ?? "none", write);
    const sent = await this.#blob(
      known,
      places,
      produce,
      `${layer.diffId} ${how}`,
      scaled(task, layer, known?.size),
    );
    this.#cache.seen(layer.diffId, how, sent, this.#place);
    return outwardLayer(layer, packing, sent);
  }

  async #blob(
    known: { digest: Digest; size: number } | undefined,
    places: readonly string[],
    produce: Produce,
    content: string,
    task: ProgressTask,
  ): Promise<{ digest: Digest; size: number }> {
    if (known !== undefined && (await this.#client.hasBlob(known.digest))) {
      this.#reused++;
      task.advance(known.size);
      return { digest: known.digest, size: known.size };
    }
    const opened = known === undefined ? undefined : await this.#mount(known.digest, places);
    if (opened?.status === 201 && known !== undefined) {
      this.#reused++;
      task.advance(known.size);
      return { digest: known.digest, size: known.size };
    }
    const record = new UploadRecord(this.#store.root, this.#place, content);
    const sent = await uploadBlob(this.#client, produce, record, task, opened);
    if (known !== undefined && sent.digest !== known.digest && content.includes(known.digest))
      throw badAnswer(`the blob ${known.digest} was read as ${sent.digest}`);
    this.#bytes += sent.size;
    return sent;
  }

  /** Asks the registry to take the blob over from one of its repositories; its answer may be an opened upload. */
  async #mount(digest: Digest, places: readonly string[]) {
    const prefix = `${this.#client.remote.host}/`;
    const from = places
      .find((place) => place.startsWith(prefix) && place !== this.#place)
      ?.slice(prefix.length);
    if (from === undefined) return undefined;
    const query = new URLSearchParams({ mount: digest, from });
    return await openUpload(this.#client, `?${query.toString()}`, from);
  }

  async #document({ descriptor, bytes }: OutwardDocument): Promise<void> {
    if (await this.#client.hasBlob(descriptor.digest)) return;
    const record = new UploadRecord(this.#store.root, this.#place, descriptor.digest);
    await uploadBlob(this.#client, (write) => write(bytes), record, silentProgress.begin(""));
  }

  async #part(part: Descriptor): Promise<void> {
    if (await this.#client.hasBlob(part.digest)) return;
    const record = new UploadRecord(this.#store.root, this.#place, part.digest);
    const produce: Produce = (write) => copyChecked(this.#store, part, write);
    await uploadBlob(this.#client, produce, record, silentProgress.begin(""));
  }

  async #artifact(artifact: OutwardArtifact): Promise<void> {
    for (const part of artifact.parts) await this.#part(part);
    step("put what refers to the image");
    await putReferrer(this.#client, artifact);
  }

  async #manifest(reference: string, document: OutwardDocument): Promise<void> {
    step(`put the manifest ${document.descriptor.digest.slice(0, 19)}`);
    await this.#client.putManifest(reference, document);
  }
}

function outwardLayer(
  layer: StoredLayer,
  packing: Compression | undefined,
  { digest, size }: { digest: Digest; size: number },
): Descriptor {
  if (packing === undefined) return layer.descriptor;
  const { annotations } = layer.descriptor;
  const made = { mediaType: packing === "gzip" ? mediaType.layerGzip : mediaType.layerZstd, digest, size };
  return annotations === undefined ? made : { ...made, annotations };
}

/** A layer counts in the progress as large as it lies in the store, which is what is known before it is packed. */
function scaled(task: ProgressTask, { descriptor }: StoredLayer, size: number | undefined): ProgressTask {
  const factor = size === undefined || size === 0 ? 1 : descriptor.size / size;
  return { advance: (by, item) => task.advance(Math.round(by * factor), item), end: () => {} };
}
