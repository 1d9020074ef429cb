// The store's names as repositories with tags. "team/shop:1" in index.json is the tag 1 of the repository team/shop. What was pushed by
// digest alone stands there without a name, with the annotation vnd.tranship.repository.
import { type Descriptor, isIndexType, isManifestType, refNameAnnotation } from "../../formats/oci.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import type { ImageStore } from "../store.ts";
import { isRepository } from "./routes.ts";

export const repositoryAnnotation = "vnd.tranship.repository";

export function splitName(name: string): { repository: string; tag: string } | undefined {
  const colon = name.lastIndexOf(":");
  const repository = name.slice(0, colon);
  return colon > 0 && isRepository(repository) ? { repository, tag: name.slice(colon + 1) } : undefined;
}

export class Repositories {
  readonly #store: ImageStore;

  constructor(store: ImageStore) {
    this.#store = store;
  }

  /** Sorted. */
  names(): string[] {
    const all = this.#store.index().manifests.flatMap(({ annotations }) => {
      const named = splitName(annotations?.[refNameAnnotation] ?? "")?.repository;
      return [named, annotations?.[repositoryAnnotation]].filter((name) => name !== undefined);
    });
    return [...new Set(all)].sort();
  }

  /** Sorted; undefined where there is no such repository. The names of bare images beside packages are not listed. */
  tags(repository: string): string[] | undefined {
    const own = this.#entries(repository);
    if (own.length === 0) return undefined;
    const listed = new Set(this.#store.names().map(({ name }) => name));
    return own
      .map(({ annotations }) => annotations?.[refNameAnnotation])
      .filter((name) => name !== undefined && listed.has(name))
      .map((name) => name?.slice(repository.length + 1) ?? "")
      .sort();
  }

  /** By tag or digest. Index members and what refers to an image belong to its repository. */
  manifest(repository: string, reference: string): Descriptor | undefined {
    const own = this.#entries(repository);
    if (!reference.includes(":"))
      return own.find(({ annotations }) => annotations?.[refNameAnnotation] === `${repository}:${reference}`);
    const direct = own.find(({ digest }) => digest === reference);
    if (direct !== undefined) return direct;
    const members = own.flatMap((entry) => this.#members(entry));
    const member = members.find(({ digest }) => digest === reference);
    if (member !== undefined) return this.#store.hasBlob(reference) ? member : undefined;
    const subjects = new Set([...own, ...members].map(({ digest }) => digest));
    const other = this.#store.index().manifests.find(({ digest }) => digest === reference);
    if (other === undefined || other.annotations?.[refNameAnnotation] !== undefined) return undefined;
    if (!isManifestType(other.mediaType)) return undefined;
    const subject = this.#store.readManifest(other).subject?.digest;
    return subject !== undefined && subjects.has(subject) ? other : undefined;
  }

  /** What refers to a manifest, with its own annotations; also the package descriptor, which stands in an index. */
  referrers(repository: string, subject: Digest): Descriptor[] {
    const entries = this.#entries(repository);
    const members = entries.flatMap((entry) => this.#members(entry));
    const candidates = [...this.#store.index().manifests.filter(isNameless), ...members];
    const found = new Map<Digest, Descriptor>();
    for (const entry of candidates) {
      if (!isManifestType(entry.mediaType) || found.has(entry.digest) || !this.#store.hasBlob(entry.digest))
        continue;
      const foreign = entry.annotations?.[repositoryAnnotation];
      if (foreign !== undefined && foreign !== repository) continue;
      const manifest = this.#store.readManifest(entry);
      if (manifest.subject?.digest !== subject) continue;
      const { mediaType, digest, size } = entry;
      const artifactType = manifest.artifactType ?? manifest.config.mediaType;
      const { annotations } = manifest;
      found.set(digest, {
        mediaType,
        digest,
        size,
        artifactType,
        ...(annotations === undefined ? {} : { annotations }),
      });
    }
    return [...found.values()];
  }

  #entries(repository: string): Descriptor[] {
    return this.#store.index().manifests.filter(({ annotations }) => {
      const name = annotations?.[refNameAnnotation];
      if (name === undefined) return annotations?.[repositoryAnnotation] === repository;
      return splitName(name)?.repository === repository;
    });
  }

  #members(entry: Descriptor): Descriptor[] {
    if (!isIndexType(entry.mediaType) || !this.#store.hasBlob(entry.digest)) return [];
    return this.#store.readIndexBlob(entry).manifests;
  }
}

function isNameless({ annotations }: Descriptor): boolean {
  return annotations?.[refNameAnnotation] === undefined;
}
