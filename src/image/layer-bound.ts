// How much compressed data may unpack to. The size of a blob is known before it is read, so the bound is too. What a header announces (of a file in the
// tar, of a frame) is refused before it is unpacked; what hides its size is counted without being unpacked as soon as it grows as a bomb does.
import { TranshipError } from "../base/errors.ts";
import { GzipSize } from "../formats/gzip-size.ts";
import { ZstdSize } from "../formats/zstd-size.ts";
import { decompress } from "./decompress.ts";

/** Below this many bytes the ratio does not matter: a few files of zeros are no bomb. */
export const ratioFree = 2 ** 30;

/** What readers of layers allow unless they are told otherwise, and so what our own layers keep. */
export const usualRatio = 1000;

/** What gives fewer bytes, or fewer for each byte that was read, does not have to be counted. */
const doubtful = { bytes: 16 << 20, ratio: 64 };

/** What deflate makes of a byte at most: four matches of 258 bytes, each of two bits. */
const gzipRatio = 1032;

export const ratioVariable = "TRANSHIP_UNPACK_RATIO";

/** How many times its size a blob may unpack to, beyond the first GiB: 1000, or what the environment says. E_USAGE where that is no number. */
export function allowedRatio(): number {
  const text = process.env[ratioVariable] ?? String(usualRatio);
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new TranshipError("E_USAGE", `${ratioVariable} is not a number from 1 on: ${text}`);
}

export interface Bounds {
  maxBytes: number;
  maxRatio: number;
}

export class UnpackBound {
  readonly #most: number;
  readonly #what: string;

  /** `name`: "layer sha256:...", for messages. `size`: of the blob. */
  constructor(name: string, size: number, { maxBytes, maxRatio }: Bounds) {
    const byRatio = Math.max(ratioFree, size * maxRatio);
    this.#most = Math.min(maxBytes, byRatio);
    this.#what =
      maxBytes <= byRatio
        ? `${name} has more than ${maxBytes} bytes`
        : `${name} unpacks to more than ${maxRatio} times its size`;
  }

  holds(bytes: number): boolean {
    return bytes <= this.#most;
  }

  /** E_LIMIT where there are, or are said to be, more bytes than there may be. */
  check(bytes: number): void {
    if (this.holds(bytes)) return;
    throw new TranshipError("E_LIMIT", this.#what, {
      hint: `it may be a bomb; where you know who made it, set ${ratioVariable} to a higher ratio`,
    });
  }
}

/** A blob that can be read more than once; each piece is valid until the next is asked for. */
export interface PackedBlob {
  compression: "none" | "gzip" | "zstd";
  size: number;
  read(): AsyncIterable<Uint8Array>;
  /** Of one that is still being fetched: ends when it is known to be what was asked for. */
  checked?(): Promise<void>;
}

/** What the blob unpacks to, held to the bound. `packed` is told of its bytes as they are read for good. */
export async function* unpackBounded(
  blob: PackedBlob,
  bound: UnpackBound,
  packed: (chunk: Uint8Array) => void = () => {},
): AsyncGenerator<Uint8Array, void, void> {
  let given = 0;
  let size = 0;
  let counted = blob.compression === "none";
  const source = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of blob.read()) {
      packed(chunk);
      given += chunk.length;
      yield chunk;
    }
  };
  for await (const chunk of decompress(blob.compression, source(), (bytes) => bound.check(bytes))) {
    size += chunk.length;
    bound.check(size);
    if (!counted && size > doubtful.bytes && size > doubtful.ratio * given) {
      counted = true;
      // Whoever sends other bytes than were asked for makes this host write no more than that.
      await blob.checked?.();
      await (blob.compression === "gzip" ? countGzip(blob, bound) : countZstd(blob, bound));
    }
    yield chunk;
  }
}

/** Ends where what is left could not pass the bound any more, which is soon where anything but zeros stands there. */
async function countGzip(blob: PackedBlob, bound: UnpackBound): Promise<void> {
  const count = new GzipSize();
  let left = blob.size;
  for await (const chunk of blob.read()) {
    left -= chunk.length;
    count.push(chunk, left <= 0);
    bound.check(count.size);
    if (count.stopped || bound.holds(count.size + left * gzipRatio)) return;
  }
}

/** Most streams cannot pass it by the number of their blocks alone, for which these need not be looked into. */
async function countZstd(blob: PackedBlob, bound: UnpackBound): Promise<void> {
  for (const exact of [false, true]) {
    const count = new ZstdSize(exact);
    for await (const chunk of blob.read()) {
      count.push(chunk);
      if (exact) bound.check(count.size);
      if (count.stopped) return;
    }
    if (bound.holds(count.size)) return;
  }
}
