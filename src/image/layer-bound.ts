// How much a layer may unpack to. The size of its blob is known before it is read, so the bound is too, and what a header announces
// (of a file in the tar, of a frame) is refused before it is unpacked: a bomb that is honest about its size costs nothing.
import { TranshipError } from "../base/errors.ts";
import type { Descriptor } from "../formats/oci.ts";
import type { LayerLimits } from "./layer-reader.ts";

/** Below this many bytes the ratio does not matter: a few files of zeros are no bomb. */
const ratioFree = 2 ** 30;

const countedFirst = 1 << 20;

export class LayerBound {
  readonly #most: number;
  readonly #what: string;
  readonly #digest: string;

  constructor({ digest, size }: Descriptor, { maxBytes, maxRatio }: LayerLimits) {
    const byRatio = Math.max(ratioFree, size * maxRatio);
    this.#digest = digest;
    this.#most = Math.min(maxBytes, byRatio);
    this.#what =
      maxBytes <= byRatio
        ? `has more than ${maxBytes} bytes`
        : `unpacks to more than ${maxRatio} times its size`;
  }

  /**
   * Whether a blob is so small that it is counted before it is read for good: what hides that it is a bomb costs a third of the time then,
   * as nothing is hashed or taken apart, and what is none costs next to nothing.
   */
  isCountedFirst({ size }: Descriptor): boolean {
    return size <= countedFirst;
  }

  /** E_LIMIT where the layer has, or says that it has, more bytes than it may. */
  check(bytes: number): void {
    if (bytes <= this.#most) return;
    throw new TranshipError("E_LIMIT", `layer ${this.#digest} ${this.#what}`, {
      hint: "the layer may be a bomb; raise the limit only where you know who made it",
    });
  }
}
