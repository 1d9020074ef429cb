// An image of the store as files that other tools take. Layers are packed anew (gzip by default: umoci and docker before
// 23 read no zstd), so that digests of blobs change and diffIDs stay. The same image gives the same bytes.
//
//   oci-archive, oci-dir   an OCI image layout, as a tar or as a directory
//   docker-archive         what `docker save` writes: plain layers, manifest.json
//   dir                    what skopeo's dir: takes: manifest.json and blobs side by side
//
// A layout names one thing only, the bare image manifest, because podman refuses several and umoci takes no index.
// The index with the package descriptor, and the evidence, lie beside it; annotations of index.json lead to them.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { type Descriptor, type ImageIndex, mediaType, refNameAnnotation } from "../formats/oci.ts";
import { type Digest, splitDigest } from "../formats/oci-reference.ts";
import { makeWorkDirectory } from "../host/work.ts";
import type { Compression } from "./compress.ts";
import { digestOf } from "./digest.ts";
import { type ExportFile, writeArchive, writeDirectory } from "./export-files.ts";
import { type Outward, type OutwardDocument, outwardDocuments } from "./outward.ts";
import { recompress } from "./recompress.ts";
import type { ImageStore, StoredImage } from "./store.ts";

export type ExportType = "oci-archive" | "oci-dir" | "docker-archive" | "dir";

export interface ExportOptions {
  type: ExportType;
  /** Of the layers; docker-archive always has them plain. Default gzip. */
  compression?: Compression;
}

export interface Exported {
  path: string;
  /** Of the image manifest as exported; undefined in a docker-archive, which has none. */
  imageDigest: Digest | undefined;
  /** Bytes of all files. */
  size: number;
}

/** Annotations of an exported index.json: digest of the package's index, digests of what refers to the image. */
export const packageIndexAnnotation = "vnd.tranship.index";
export const referrersAnnotation = "vnd.tranship.referrers";

/** Writes the image to a file (an existing one is replaced) or to a directory, which must be empty or absent. */
export async function exportImage(
  store: ImageStore,
  reference: string,
  destination: string,
  options: ExportOptions,
): Promise<Exported> {
  const image = store.image(reference);
  const path = resolve(destination);
  const directory = options.type === "oci-dir" || options.type === "dir";
  refuseTaken(path, directory);
  const work = makeWorkDirectory(store.root, "export");
  try {
    const exporter = new Exporter(store, image, work.path);
    const imageDigest = await exporter.prepare(options);
    const write = directory ? writeDirectory : writeArchive;
    return { path, imageDigest, size: await write(path, exporter.files) };
  } finally {
    work.remove();
  }
}

function refuseTaken(path: string, directory: boolean): void {
  if (!existsSync(path)) return;
  const isDirectory = statSync(path).isDirectory();
  if (!directory && !isDirectory) return;
  if (directory && isDirectory && readdirSync(path).length === 0) return;
  throw new TranshipError("E_IO", `${path} is ${isDirectory ? "a directory that is not empty" : "a file"}`, {
    hint: "choose another place, or remove it first",
  });
}

/** Collects the files of an export; layers are made in the work directory, documents stay in memory. */
class Exporter {
  readonly files: ExportFile[] = [];
  readonly #store: ImageStore;
  readonly #image: StoredImage;
  readonly #work: string;

  constructor(store: ImageStore, image: StoredImage, work: string) {
    this.#store = store;
    this.#image = image;
    this.#work = work;
  }

  async prepare(options: ExportOptions): Promise<Digest | undefined> {
    const compression = options.compression ?? "gzip";
    if (options.type === "docker-archive") {
      await this.#dockerArchive();
      return undefined;
    }
    const flat = options.type === "dir";
    const layers = await this.#layers(compression, flat);
    const outward = outwardDocuments(this.#store, this.#image, layers, compression);
    this.#add(outward.config, flat);
    if (flat) {
      this.files.push({ name: "manifest.json", content: outward.image.bytes });
      this.files.push({ name: "version", content: "Directory Transport Version: 1.1\n" });
    } else this.#layout(outward);
    return outward.image.descriptor.digest;
  }

  async #layers(compression: Compression, flat: boolean): Promise<Descriptor[]> {
    const layers: Descriptor[] = [];
    const seen = new Set<Digest>();
    for (const [i, layer] of this.#image.layers.entries()) {
      const made = await recompress(this.#store, layer, join(this.#work, `layer-${i}`), compression);
      const { annotations, digest } = layer.descriptor;
      const type = compression === "gzip" ? mediaType.layerGzip : mediaType.layerZstd;
      const packed = { mediaType: type, digest: made.digest, size: made.size };
      const descriptor = made.digest === digest ? layer.descriptor : packed;
      layers.push(annotations === undefined ? descriptor : { ...descriptor, annotations });
      if (!seen.has(made.digest)) this.files.push({ name: blobName(made.digest, flat), ...made });
      seen.add(made.digest);
    }
    return layers;
  }

  #add({ descriptor, bytes }: OutwardDocument, flat = false): void {
    this.#addFile({ name: blobName(descriptor.digest, flat), content: bytes });
  }

  #addFile(file: ExportFile): void {
    if (!this.files.some(({ name }) => name === file.name)) this.files.push(file);
  }

  #layout({ image, descriptor, index, referrers }: Outward): void {
    const annotations: Record<string, string> = {};
    if (index !== undefined) annotations[packageIndexAnnotation] = index.descriptor.digest;
    const digests = referrers.map((entry) => entry.descriptor.digest);
    if (digests.length > 0) annotations[referrersAnnotation] = digests.join(" ");
    const artifacts = descriptor === undefined ? referrers : [descriptor, ...referrers];
    for (const entry of [image, ...artifacts]) this.#add(entry);
    for (const { digest } of artifacts.flatMap(({ parts }) => parts))
      this.#addFile({ name: blobName(digest, false), path: this.#store.blobPath(digest), expected: digest });
    if (index !== undefined) this.#add(index);
    const name =
      this.#image.name === undefined ? {} : { annotations: { [refNameAnnotation]: this.#image.name } };
    const top: ImageIndex = {
      schemaVersion: 2,
      mediaType: mediaType.index,
      manifests: [{ ...image.descriptor, ...name }],
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    };
    this.files.push({ name: "index.json", content: JSON.stringify(top) });
    this.files.push({ name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' });
  }

  async #dockerArchive(): Promise<void> {
    const names: string[] = [];
    for (const [i, layer] of this.#image.layers.entries()) {
      const made = await recompress(this.#store, layer, join(this.#work, `layer-${i}`), "none");
      const name = `${splitDigest(layer.diffId)[1]}.tar`;
      if (!names.includes(name)) this.files.push({ name, ...made });
      names.push(name);
    }
    const config = this.#store.readBlob(this.#image.manifest.config);
    const configName = `${splitDigest(digestOf(config))[1]}.json`;
    this.files.push({ name: configName, content: config });
    const tags = this.#image.name === undefined ? [] : [this.#image.name];
    const manifest = [{ Config: configName, RepoTags: tags, Layers: names }];
    this.files.push({ name: "manifest.json", content: JSON.stringify(manifest) });
  }
}

function blobName(digest: Digest, flat: boolean): string {
  const [algorithm, hex] = splitDigest(digest);
  return flat ? hex : `blobs/${algorithm}/${hex}`;
}
