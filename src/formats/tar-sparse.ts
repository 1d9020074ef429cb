// Maps of sparse files in tar: where the data that is stored lies in the file.
import { TranshipError } from "../base/errors.ts";
import { byteStringOf } from "./byte-string.ts";
import type { Extent } from "./entry.ts";
import { parsePaxNumber } from "./pax.ts";
import { malformed, tarBlock } from "./tar-header.ts";

export const maxExtents = 200_000;

/** Offset and length by turns. */
export function pairs(numbers: readonly string[]): Extent[] {
  if (numbers.length % 2 !== 0) throw malformed("sparse map has an odd count of numbers");
  const extents: Extent[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    extents.push({
      offset: parsePaxNumber(numbers[i] ?? "", "sparse offset"),
      length: parsePaxNumber(numbers[i + 1] ?? "", "sparse length"),
    });
  }
  return extents;
}

/** The map of GNU sparse 1.0; undefined where more bytes are needed. `size` counts it with its padding. */
export function parseSparseMap(bytes: Uint8Array): { extents: Extent[]; size: number } | undefined {
  const numbers: string[] = [];
  let wanted = 1;
  let at = 0;
  while (numbers.length < wanted) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) {
      if (bytes.length - at > 20) throw malformed("sparse map is not made of numbers");
      return undefined;
    }
    if (end - at > 20) throw malformed("sparse map is not made of numbers");
    const text = byteStringOf(bytes, at, end);
    if (numbers.length === 0) {
      const count = parsePaxNumber(text, "count of extents");
      if (count > maxExtents) throw malformed(`sparse map names ${count} extents`);
      wanted = 1 + 2 * count;
    }
    numbers.push(text);
    at = end + 1;
  }
  const size = Math.ceil(at / tarBlock) * tarBlock;
  return size > bytes.length ? undefined : { extents: pairs(numbers.slice(1)), size };
}

/** E_IMAGE_CORRUPT where they overlap, lie outside of the file, or are not what the archive holds. */
export function checkExtents(extents: readonly Extent[], size: number, stored: number): void {
  let end = 0;
  let sum = 0;
  for (const extent of extents) {
    if (extent.offset < end || extent.offset + extent.length > size)
      throw malformed("sparse map is not in order");
    end = extent.offset + extent.length;
    sum += extent.length;
  }
  if (sum !== stored) throw malformed(`sparse map names ${sum} bytes, the archive holds ${stored}`);
}

export function tooManyExtents(): TranshipError {
  return new TranshipError("E_LIMIT", `a sparse file has more than ${maxExtents} extents`);
}
