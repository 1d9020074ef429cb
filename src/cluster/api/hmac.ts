// HMAC with SHA-256 (RFC 2104) of short texts with a key that stays. node:crypto's own makes an object of OpenSSL for each text, which costs
// a server four times what the two digests do.
import { hash } from "node:crypto";

/** Of SHA-256, in bytes. */
const blockSize = 64;
const digestSize = 32;

export class HmacKey {
  readonly #inner: Buffer;
  readonly #outer: Buffer;

  constructor(key: Uint8Array) {
    const block = Buffer.alloc(blockSize);
    block.set(key.length > blockSize ? hash("sha256", key, "buffer") : key);
    this.#inner = block.map((byte) => byte ^ 0x36) as Buffer;
    this.#outer = Buffer.concat([block.map((byte) => byte ^ 0x5c), Buffer.alloc(digestSize)]);
  }

  sign(text: string): Buffer {
    const inner = Buffer.concat([this.#inner, Buffer.from(text)]);
    this.#outer.set(hash("sha256", inner, "buffer"), blockSize);
    return hash("sha256", this.#outer, "buffer");
  }
}
