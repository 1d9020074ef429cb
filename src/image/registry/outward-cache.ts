// What layers become when they are packed for others, and where they were seen: ROOT/cache/outward/KEY.json, KEY made of the diffID and the
// compressor. So a push knows a layer's digest without packing it, asks the registry whether it has it, and offers it a repository of its
// own that has. A hint only: the directory may be removed at any time, and whatever is told is checked by the registry.
import { createHash } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Digest, isDigest } from "../../formats/oci-reference.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";

export interface KnownBlob {
  digest: Digest;
  size: number;
  /** "HOST/REPOSITORY", latest first. */
  places: string[];
}

const maxPlaces = 16;
const maxEntries = 5000;

export class OutwardCache {
  readonly #directory: string;

  constructor(root: StateRoot) {
    this.#directory = join(root.path, "cache/outward");
  }

  /** `packed`: the compressor's name, or the digest of a blob that leaves as it is. */
  get(diffId: Digest, packed: string): KnownBlob | undefined {
    try {
      const value = readJson(this.#path(diffId, packed)) as Partial<KnownBlob> | undefined;
      if (!isDigest(value?.digest) || typeof value.size !== "number" || !Array.isArray(value.places))
        return undefined;
      const places = value.places.filter((place): place is string => typeof place === "string");
      return { digest: value.digest, size: value.size, places };
    } catch {
      return undefined; // damaged: made anew
    }
  }

  seen(diffId: Digest, packed: string, blob: { digest: Digest; size: number }, place: string): void {
    makeDirectory(this.#directory);
    const before = this.get(diffId, packed);
    const known = before?.digest === blob.digest ? before.places : [];
    if (before?.digest === blob.digest && known[0] === place) return;
    const places = [place, ...known.filter((one) => one !== place)].slice(0, maxPlaces);
    const text = `${JSON.stringify({ diffId, packed, digest: blob.digest, size: blob.size, places })}\n`;
    if (before === undefined) this.#makeRoom();
    writeFileAtomic(this.#path(diffId, packed), text, { volatile: true });
  }

  /** The oldest tenth goes when there are many. */
  #makeRoom(): void {
    const names = readdirSync(this.#directory);
    if (names.length < maxEntries) return;
    const age = (name: string): number =>
      statSync(join(this.#directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const oldest = names.map((name) => ({ name, at: age(name) })).sort((a, b) => a.at - b.at);
    for (const { name } of oldest.slice(0, maxEntries / 10))
      rmSync(join(this.#directory, name), { force: true });
  }

  #path(diffId: Digest, packed: string): string {
    const key = createHash("sha256").update(`${diffId}\n${packed}`).digest("hex");
    return join(this.#directory, `${key.slice(0, 40)}.json`);
  }
}
