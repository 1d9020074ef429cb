// The store: an OCI image layout below the state root. This file knows its names; blobs are written
// through a session (store-session.ts) and read by store-blobs.ts, unreferenced ones are removed by store-gc.ts.
//
// A package named REF has two names in index.json: REF is the index of image and descriptor, and REF with "-image"
// behind its tag is the bare image manifest, for tools that take no index.
import { join } from "node:path";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  isIndexType,
  isManifestType,
  mediaType,
  refNameAnnotation,
} from "../formats/oci.ts";
import {
  type Digest,
  imageTagSuffix,
  parseReference,
  type Reference,
  splitDigest,
  tagName,
} from "../formats/oci-reference.ts";
import { makeDirectory, readText, writeFileAtomic } from "../host/files.ts";
import { acquireLock } from "../host/lock.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { readIndexCopy, writeIndexCopy } from "./index-copy.ts";
import { pulledAnnotation, withoutPlaces } from "./places.ts";
import { BlobStore, corrupt, unsupported } from "./store-blobs.ts";

export interface StoredLayer {
  descriptor: Descriptor;
  diffId: Digest;
}

/** An image of the store with all its documents read and checked; blobs of layers are not looked at. */
export interface StoredImage {
  /** "billing:1"; undefined where it was asked for by id and has no name. */
  name: string | undefined;
  /** What the name means: the index of a package, or a bare image manifest. Its digest is the image's id. */
  target: Descriptor;
  manifestDescriptor: Descriptor;
  manifest: ImageManifest;
  config: ImageConfig;
  layers: StoredLayer[];
  /** Manifest of the package descriptor, in packages. */
  descriptorManifest: Descriptor | undefined;
}

export interface Named {
  name: string;
  target: Descriptor;
}

export class ImageStore extends BlobStore {
  readonly root: StateRoot;

  constructor(root: StateRoot) {
    super(root.store);
    this.root = root;
  }

  /**
   * index.json as it is now. Names are nowhere else, so a copy lies beside it: it counts where the file itself is gone or says nothing any
   * more, until the next change, or `repair`, writes both.
   */
  override index(): ImageIndex {
    try {
      return this.hasIndex() ? super.index() : (readIndexCopy(this.path) ?? super.index());
    } catch (error) {
      const copy = isTranshipError(error) ? readIndexCopy(this.path) : undefined;
      if (copy === undefined) throw error;
      return copy;
    }
  }

  /** What is wrong with index.json: "is missing", "is damaged"; undefined where nothing is. */
  indexDamage(): string | undefined {
    if (!this.hasIndex()) return readIndexCopy(this.path) === undefined ? undefined : "is missing";
    try {
      super.index();
      return undefined;
    } catch {
      return "is damaged";
    }
  }

  /** Changes index.json under its lock; `change` returns the new list of manifests. */
  async updateIndex(what: string, change: (manifests: readonly Descriptor[]) => Descriptor[]): Promise<void> {
    const lock = await acquireLock(join(this.root.locks, "store-index"), what);
    try {
      const before = this.index();
      const manifests = change(before.manifests);
      const text = `${JSON.stringify({ ...before, manifests })}\n`;
      step("write the copy of the index of the store");
      writeIndexCopy(this.path, text);
      step("write the index of the store");
      writeFileAtomic(join(this.path, "index.json"), text, { mode: 0o644 });
    } finally {
      lock.release();
    }
  }

  /** All names but those of bare manifests beside a package's index, sorted. */
  names(): Named[] {
    const { manifests } = this.index();
    const all = manifests.flatMap((target) => {
      const name = target.annotations?.[refNameAnnotation];
      return name === undefined ? [] : [{ name, target }];
    });
    const taken = new Set(all.map(({ name }) => name));
    const beside = (name: string): boolean => {
      if (!name.endsWith(imageTagSuffix)) return false;
      const reference = name.slice(0, -imageTagSuffix.length);
      return taken.has(reference) || taken.has(`${reference}:latest`);
    };
    return all.filter(({ name }) => !beside(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** By reference, or by the first digits (at least 6) of an id. E_IMAGE_NOT_FOUND, E_ID_AMBIGUOUS. */
  resolve(text: string): Named | { name: undefined; target: Descriptor } {
    const { manifests } = this.index();
    const named = /^sha256:[0-9a-f]+$/.test(text) ? undefined : this.#byName(parseReference(text), manifests);
    if (named !== undefined) return named;
    const hex = /^(?:sha256:)?([0-9a-f]{6,64})$/.exec(text)?.[1];
    const fits =
      hex === undefined ? [] : manifests.filter((entry) => splitDigest(entry.digest)[1].startsWith(hex));
    const images = fits.filter((entry) => entry.annotations?.[refNameAnnotation] !== undefined);
    const digests = [...new Set(images.map((entry) => entry.digest))];
    if (digests.length > 1) {
      throw new TranshipError(
        "E_ID_AMBIGUOUS",
        `${text} fits ${digests.length} images: ${digests.slice(0, 4).join(", ")}`,
        {
          hint: "give more digits",
        },
      );
    }
    const target = images[0];
    if (target === undefined) {
      throw new TranshipError("E_IMAGE_NOT_FOUND", `no such image: ${text}`, {
        hint: "see what there is with `tranship images`",
      });
    }
    const name = target.annotations?.[refNameAnnotation];
    return name === undefined ? { name: undefined, target } : { name, target };
  }

  #byName(reference: Reference, manifests: readonly Descriptor[]): Named | undefined {
    const name = tagName(reference);
    const target = manifests.find((entry) =>
      reference.tag === undefined && reference.digest !== undefined
        ? hasDigest(entry, reference.digest)
        : entry.annotations?.[refNameAnnotation] === name,
    );
    if (target === undefined) return undefined;
    if (reference.digest !== undefined && !hasDigest(target, reference.digest)) {
      throw new TranshipError("E_IMAGE_NOT_FOUND", `${name} is ${target.digest}, not ${reference.digest}`);
    }
    return { name: target.annotations?.[refNameAnnotation] ?? name, target };
  }

  /** Reads all documents of an image. */
  image(text: string): StoredImage {
    const { name, target } = this.resolve(text);
    return this.imageOf(target, name);
  }

  imageOf(target: Descriptor, name?: string): StoredImage {
    const members = isIndexType(target.mediaType) ? this.readIndexBlob(target).manifests : [target];
    const images = members.filter(
      (entry) => entry.platform?.os !== "unknown" && isManifestType(entry.mediaType),
    );
    const manifestDescriptor = images.find(fitsHost) ?? images[0];
    if (manifestDescriptor === undefined) throw unsupported(`${target.digest} names no image manifest`);
    const manifest = this.readManifest(manifestDescriptor);
    const config = this.readConfig(manifest.config);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== manifest.layers.length) {
      throw corrupt(
        `${manifestDescriptor.digest} has ${manifest.layers.length} layers, its config names ${diffIds.length}`,
      );
    }
    const layers = manifest.layers.map((descriptor, i) => ({ descriptor, diffId: diffIds[i] ?? "" }));
    const descriptorManifest = members.find((entry) => entry.artifactType === mediaType.descriptor);
    return { name, target, manifestDescriptor, manifest, config, layers, descriptorManifest };
  }

  /** The layer of that diffID in any image of the store. E_IMAGE_NOT_FOUND. */
  layer(diffId: Digest): StoredLayer {
    for (const { target } of this.names()) {
      const found = this.imageOf(target).layers.find((layer) => layer.diffId === diffId);
      if (found !== undefined) return found;
    }
    throw new TranshipError("E_IMAGE_NOT_FOUND", `no image of the store has the layer ${diffId}`);
  }

  /** YAML of the package descriptor; undefined where the image is no package. */
  descriptorYaml(image: StoredImage): Uint8Array | undefined {
    if (image.descriptorManifest === undefined) return undefined;
    const layer = this.readManifest(image.descriptorManifest).layers.find(
      (l) => l.mediaType === mediaType.descriptor,
    );
    return layer === undefined ? undefined : this.readBlob(layer, "package descriptor");
  }

  /** Manifests of the store whose subject is this digest. */
  referrers(subject: Digest, artifactType?: string): Descriptor[] {
    return this.index().manifests.filter((entry) => {
      if (!isManifestType(entry.mediaType) || entry.annotations?.[refNameAnnotation] !== undefined)
        return false;
      if (artifactType !== undefined && entry.artifactType !== artifactType) return false;
      return this.readManifest(entry).subject?.digest === subject;
    });
  }

  /** Gives an existing image one more name; a package's bare manifest gets its name too. */
  async tag(from: string, to: string): Promise<void> {
    const name = newName(to);
    await this.updateIndex(`tag ${name}`, () => {
      const { target } = this.resolve(from);
      return this.named(name, this.imageOf(target));
    });
  }

  /** The manifests of index.json with `name` standing for this image. */
  named(name: string, image: Pick<StoredImage, "target" | "manifestDescriptor">): Descriptor[] {
    const names = [name, ...imageNames(name)];
    const others = this.index().manifests.filter(
      (entry) => !names.includes(entry.annotations?.[refNameAnnotation] ?? ""),
    );
    const added = [withName(image.target, name)];
    if (image.target.digest !== image.manifestDescriptor.digest) {
      for (const one of imageNames(name)) added.push(withName(withoutPlaces(image.manifestDescriptor), one));
    }
    return [...others, ...added];
  }

  /** Removes a name; what it named stays until removeUnreferenced(). Returns what it named. */
  async untag(text: string): Promise<Named> {
    let removed: Named | undefined;
    await this.updateIndex(`untag ${text}`, (manifests) => {
      const { name, target } = this.resolve(text);
      if (name === undefined) throw new TranshipError("E_IMAGE_NOT_FOUND", `${text} has no name to remove`);
      removed = { name, target };
      const names = [name, ...imageNames(name)];
      return manifests.filter((entry) => !names.includes(entry.annotations?.[refNameAnnotation] ?? ""));
    });
    if (removed === undefined) throw new TranshipError("E_INTERNAL", `untag of ${text} changed nothing`);
    return removed;
  }
}

const layoutText = '{"imageLayoutVersion":"1.0.0"}';

/** Opens the store of a state root and makes it where it is not there yet. */
export function openStore(root: StateRoot): ImageStore {
  makeDirectory(join(root.store, "blobs/sha256"), 0o755);
  const layout = join(root.store, "oci-layout");
  // Other tools do not take the store for a layout where it says anything else.
  if (readText(layout) !== layoutText) writeFileAtomic(layout, layoutText, { mode: 0o644 });
  return new ImageStore(root);
}

/** The name that a reference gives to a new image. The suffix of bare manifests and digests are refused. */
export function newName(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined || reference.tag?.endsWith(imageTagSuffix) === true) {
    throw new TranshipError("E_REFERENCE_INVALID", `${text} cannot name a new image`, {
      hint: `write name:tag without a digest, with a tag that does not end in ${imageTagSuffix}`,
    });
  }
  return tagName(reference);
}

/** Also the digest that a registry had it under: of an index for several platforms, of which one is here. */
function hasDigest(entry: Descriptor, digest: Digest): boolean {
  return entry.digest === digest || entry.annotations?.[pulledAnnotation] === digest;
}

function withName(descriptor: Descriptor, name: string): Descriptor {
  return { ...descriptor, annotations: { ...descriptor.annotations, [refNameAnnotation]: name } };
}

function fitsHost(descriptor: Descriptor): boolean {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return descriptor.platform?.os === "linux" && descriptor.platform.architecture === architecture;
}

/** Names of the bare image beside a package: REF-image, for "shop:latest" also as people write it, "shop-image". */
function imageNames(name: string): string[] {
  const short = name.endsWith(":latest") ? [name.slice(0, -":latest".length) + imageTagSuffix] : [];
  return [name + imageTagSuffix, ...short];
}
