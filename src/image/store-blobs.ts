// The blobs of an image layout, read and checked.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import {
  type Descriptor,
  decodeImageConfig,
  decodeIndex,
  decodeManifest,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  isManifestType,
  maxDocument,
  mediaType,
} from "../formats/oci.ts";
import { type Digest, isDigest, splitDigest } from "../formats/oci-reference.ts";
import { errnoOf, ioError, readText } from "../host/files.ts";
import { digestOf } from "./digest.ts";

export class BlobStore {
  /** The directory of the layout. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** index.json as it is now; it is made by the first image. */
  index(): ImageIndex {
    const file = join(this.path, "index.json");
    const text = readText(file);
    return text === undefined
      ? { schemaVersion: 2, mediaType: mediaType.index, manifests: [] }
      : decodeIndex(text, file);
  }

  hasIndex(): boolean {
    return existsSync(join(this.path, "index.json"));
  }

  blobPath(digest: Digest): string {
    // A digest comes from documents that others wrote; it must not lead anywhere.
    if (!isDigest(digest))
      throw new TranshipError("E_IMAGE_CORRUPT", `not a digest: ${JSON.stringify(digest)}`);
    return join(this.path, "blobs", ...splitDigest(digest));
  }

  /** Size of a blob; undefined where it is absent. */
  blobSize(digest: Digest): number | undefined {
    try {
      return statSync(this.blobPath(digest)).size;
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return undefined;
      throw ioError(`cannot read blob ${digest}`, cause);
    }
  }

  hasBlob(digest: Digest): boolean {
    return this.blobSize(digest) !== undefined;
  }

  /** Whether a blob that is there with that size has this content. */
  holds({ digest }: Pick<Descriptor, "digest">, content: Uint8Array): boolean {
    try {
      return Buffer.compare(readFileSync(this.blobPath(digest)), content) === 0;
    } catch {
      return false; // the disk may be what is damaged
    }
  }

  /** A blob (a document) whole, checked against its descriptor; at most so many bytes of it are read. */
  readBlob(descriptor: Descriptor, what = "blob", most: number = maxDocument): Uint8Array {
    const { digest, size } = descriptor;
    const name = `${what} ${digest}`;
    if (size > most) {
      throw new TranshipError("E_LIMIT", `${name} has ${size} bytes, at most ${most} are accepted`);
    }
    const seen = this.blobSize(digest);
    if (seen === undefined) throw corrupt(`${name} is missing`);
    if (seen !== size) throw corrupt(`${name}: size is ${seen}, expected ${size}`);
    const bytes = readFileSync(this.blobPath(digest));
    const found = digestOf(bytes, digest);
    if (found !== digest) throw corrupt(`${name}: content has the digest ${found}`);
    return bytes;
  }

  readManifest(descriptor: Descriptor): ImageManifest {
    if (!isManifestType(descriptor.mediaType)) {
      throw unsupported(
        `${descriptor.digest} has the media type ${descriptor.mediaType}, expected an image manifest`,
      );
    }
    return decodeManifest(this.#text(descriptor, "manifest"), `manifest ${descriptor.digest}`);
  }

  readIndexBlob(descriptor: Descriptor): ImageIndex {
    return decodeIndex(this.#text(descriptor, "index"), `index ${descriptor.digest}`);
  }

  readConfig(descriptor: Descriptor): ImageConfig {
    return decodeImageConfig(this.#text(descriptor, "image config"), `image config ${descriptor.digest}`);
  }

  #text(descriptor: Descriptor, what: string): string {
    return new TextDecoder().decode(this.readBlob(descriptor, what));
  }
}

/** Of evidence and bills of materials: those of a whole machine have a line for each of its files. */
export const maxArtifact: number = 512 << 20;

export function corrupt(what: string): TranshipError {
  return new TranshipError("E_IMAGE_CORRUPT", what, { hint: "see all damage with `tranship verify`" });
}

export function unsupported(what: string): TranshipError {
  return new TranshipError("E_IMAGE_UNSUPPORTED", what);
}
