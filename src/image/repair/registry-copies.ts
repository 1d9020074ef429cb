// What registries have of damaged images: the same blob by its digest, or the layer packed in another way, as a push sends it.
//
// Nothing that a registry says counts: size and digest are those of this store's documents, and a layer that is packed in another way has to
// give the diffID and then the blob that is wanted. A registry that cannot be asked is asked no more.
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { Log, Progress } from "../../base/log.ts";
import {
  type Descriptor,
  decodeImageConfig,
  decodeManifest,
  isIndexType,
  isManifestType,
  layerCompression,
  maxDocument,
} from "../../formats/oci.ts";
import { type Digest, formatReference, type Reference, repositoryName } from "../../formats/oci-reference.ts";
import { step } from "../../host/steps.ts";
import { digestOf } from "../digest.ts";
import { downloadBlob } from "../registry/blob-download.ts";
import { readDocument } from "../registry/document.ts";
import { withSources } from "../registry/mirrors.ts";
import { decodeIndexBytes, type RegistryClient } from "../registry/registry-client.ts";
import type { RegistrySettings } from "../registry/settings.ts";
import type { StoredLayer } from "../store.ts";
import type { StoreSession } from "../store-session.ts";

export interface RegistryChoice {
  /** Images at registries that a person named; asked first, for everything. */
  images: readonly Reference[];
  /** Registries that a person named: each repository is looked for there under its own name. */
  registries: readonly string[];
  /** Ask also where images are known to have been pulled from and pushed to. */
  known: boolean;
  /** What is said of registries that were named does not hold for others. */
  settings: RegistrySettings;
}

/** Where an image may be. */
export interface Origin {
  places: readonly Reference[];
  repositories: readonly string[];
}

/** A layer at a registry counts as the same content packed in another way up to this size. */
const sizeBound = (wanted: number): number => wanted * 8 + (64 << 20);

export class RegistryCopies {
  readonly #session: StoreSession;
  readonly #choice: RegistryChoice;
  readonly #work: { log: Log; progress: Progress; dryRun: boolean };
  readonly #unreachable = new Set<string>();
  readonly #layers = new Map<string, Promise<StoredLayer[]>>();

  constructor(
    session: StoreSession,
    choice: RegistryChoice,
    work: { log: Log; progress: Progress; dryRun: boolean },
  ) {
    this.#session = session;
    this.#choice = choice;
    this.#work = work;
  }

  /** The same blob; returns the repository that had it. */
  async copy(descriptor: Descriptor, origin: Origin): Promise<string | undefined> {
    for (const place of this.#places(origin)) {
      const done = await this.#ask(place, (client) => this.#take(client, descriptor));
      if (done === true) return repositoryName(place);
    }
    return undefined;
  }

  /** The layer packed in another way, fetched into the store; in a dry run only looked for. */
  async *otherForms(
    wanted: StoredLayer,
    origin: Origin,
  ): AsyncGenerator<{ from: string; layer: StoredLayer }> {
    for (const place of this.#places(origin)) {
      for (const layer of await this.#layersAt(place)) {
        const { digest, size } = layer.descriptor;
        if (layer.diffId !== wanted.diffId || digest === wanted.descriptor.digest) continue;
        if (size > sizeBound(wanted.descriptor.size)) continue;
        const from = `${digest} of ${repositoryName(place)}`;
        const there = await this.#ask(place, (client) => this.#take(client, layer.descriptor));
        if (there === true) yield { from, layer };
      }
    }
  }

  *#places({ places, repositories }: Origin): Generator<Reference> {
    const seen = new Set<string>();
    const { images, registries, known } = this.#choice;
    const below = registries.flatMap((registry) =>
      repositories.map((repository) => ({ registry, repository, tag: undefined, digest: undefined })),
    );
    for (const place of [...images, ...below, ...(known ? places : [])]) {
      const key = formatReference(place);
      if (!seen.has(key)) yield place;
      seen.add(key);
    }
  }

  async #take(client: RegistryClient, descriptor: Descriptor): Promise<boolean> {
    const { digest, size, mediaType: type } = descriptor;
    const isDocument = isIndexType(type) || isManifestType(type);
    if (this.#work.dryRun)
      return isDocument ? await client.hasManifest(digest) : await client.hasBlob(digest, "pull");
    step(`repair the blob ${digest.slice(0, 19)}`);
    if (!isDocument) {
      const task = this.#work.progress.begin(`fetching ${digest.slice(0, 19)}`, size, "bytes");
      try {
        await downloadBlob(client, this.#session, descriptor, task);
      } finally {
        task.end();
      }
      return true;
    }
    const { bytes } = await client.manifest(digest);
    await this.#session.putStream(
      type,
      (async function* () {
        yield bytes;
      })(),
      descriptor,
    );
    return true;
  }

  /** Layers of all images that the place has under its tag or digest. */
  async #layersAt(place: Reference): Promise<StoredLayer[]> {
    if (place.tag === undefined && place.digest === undefined) return [];
    const key = formatReference(place);
    const asked = this.#layers.get(key) ?? this.#ask(place, (client) => layersOf(client, place));
    const layers = asked.then((found) => found ?? []);
    this.#layers.set(key, layers);
    return await layers;
  }

  async #ask<T>(place: Reference, work: (client: RegistryClient) => Promise<T>): Promise<T | undefined> {
    const registry = place.registry ?? "docker.io";
    if (this.#unreachable.has(registry)) return undefined;
    try {
      return await withSources(place, this.#settingsFor(registry), work);
    } catch (error) {
      if (!isTranshipError(error) || error.code === "E_INTERRUPTED" || error.code === "E_NO_SPACE")
        throw error;
      if (error.code === "E_REGISTRY_NOT_FOUND") {
        this.#work.log.debug(error.message);
        return undefined;
      }
      if (error.code === "E_REGISTRY_UNREACHABLE") this.#unreachable.add(registry);
      this.#work.log.warn(`${repositoryName(place)}: ${error.message}`);
      return undefined;
    }
  }

  #settingsFor(registry: string): RegistrySettings {
    const { images, registries, settings } = this.#choice;
    if (registries.includes(registry) || images.some((image) => image.registry === registry)) return settings;
    const { plainHttp: _, insecure: _i, certDir: _c, ...others } = settings;
    return others;
  }
}

async function layersOf(client: RegistryClient, { tag, digest }: Reference): Promise<StoredLayer[]> {
  const top = await client.manifest(digest ?? tag ?? "latest");
  const what = `manifest ${top.descriptor.digest}`;
  const documents = isIndexType(top.descriptor.mediaType)
    ? decodeIndexBytes(top.bytes, what)
        .manifests.filter((entry) => isManifestType(entry.mediaType) && entry.platform?.os !== "unknown")
        .map((entry) => client.manifest(entry.digest))
    : [Promise.resolve(top)];
  const layers: StoredLayer[] = [];
  for (const { bytes, descriptor } of await Promise.all(documents)) {
    const name = `manifest ${descriptor.digest}`;
    const manifest = decodeManifest(new TextDecoder().decode(bytes), name);
    if (layerCompression(manifest.layers[0]?.mediaType ?? "") === undefined) continue;
    const diffIds = await diffIdsOf(client, manifest.config);
    for (const [i, layer] of manifest.layers.entries())
      layers.push({ descriptor: layer, diffId: diffIds[i] ?? "" });
  }
  return layers;
}

async function diffIdsOf(client: RegistryClient, config: Descriptor): Promise<Digest[]> {
  const what = `image config ${config.digest}`;
  const { body } = await client.blob(config.digest, 0);
  const bytes = await readDocument(body, maxDocument, what);
  const found = digestOf(bytes, config.digest);
  if (found !== config.digest)
    throw new TranshipError("E_IMAGE_CORRUPT", `${what} came with the digest ${found}`);
  return decodeImageConfig(new TextDecoder().decode(bytes), what).rootfs.diff_ids;
}
