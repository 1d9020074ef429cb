// Digests of bytes in memory and of what flows by.
import type { Hash } from "node:crypto";
import { type Digest, splitDigest } from "../formats/oci-reference.ts";

/** Loaded at the first digest: it takes longer than most commands do that need none. */
function createHash(algorithm: string): Hash {
  return process.getBuiltinModule("node:crypto").createHash(algorithm);
}

/** Digest of the bytes, by the algorithm of `like` (default sha256). */
export function digestOf(bytes: Uint8Array | string, like: Digest = "sha256:"): Digest {
  const [algorithm] = splitDigest(like);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Collects a digest; `like` gives the algorithm. */
export class Digester {
  readonly #algorithm: string;
  readonly #hash: Hash;

  constructor(like: Digest = "sha256:") {
    this.#algorithm = splitDigest(like)[0];
    this.#hash = createHash(this.#algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest("hex")}`;
  }
}
