// How many dynamic symbols a file has. No field says so: section headers would, but a stripped file may lack them.
import type { ElfImage } from "./elf-image.ts";

const maxSymbols = 1 << 20;

/**
 * A System V hash table has as many chains as symbols. A GNU one ends with the chain of its highest bucket; where it is empty (a
 * program that exports nothing) the symbols end where the next table of the dynamic section begins.
 */
export async function countDynamicSymbols(
  image: ElfImage,
  tags: ReadonlyMap<number, number>,
): Promise<number> {
  const sysv = image.offsetOf(tags.get(4));
  if (sysv !== undefined) {
    const head = await image.bytes(sysv, 8);
    return Math.min(image.view(head).u32(4), maxSymbols);
  }
  const gnu = image.offsetOf(tags.get(0x6ffffef5));
  const hashed = gnu === undefined ? 0 : await countHashed(image, gnu);
  return Math.min(hashed > 0 ? hashed : countToNextTable(image, tags), maxSymbols);
}

/** 0 where the table holds no symbol. */
async function countHashed(image: ElfImage, at: number): Promise<number> {
  const head = image.view((await image.bytes(at, 16)).slice());
  const buckets = Math.min(head.u32(0), maxSymbols);
  const first = head.u32(4);
  const bucketsAt = at + 16 + head.u32(8) * (image.wide ? 8 : 4);
  const bucketBytes = (await image.bytes(bucketsAt, buckets * 4)).slice();
  const bucketView = image.view(bucketBytes);
  let highest = 0;
  for (let index = 0; index * 4 < bucketBytes.length; index++)
    highest = Math.max(highest, bucketView.u32(index * 4));
  if (highest < first || highest === 0) return 0;
  const chain = await image.bytes(bucketsAt + buckets * 4 + (highest - first) * 4, 1 << 14);
  const chainView = image.view(chain);
  for (let index = 0; index * 4 + 4 <= chain.length; index++) {
    if ((chainView.u32(index * 4) & 1) === 1) return highest + index + 1;
  }
  return highest + 1;
}

function countToNextTable(image: ElfImage, tags: ReadonlyMap<number, number>): number {
  const symbols = tags.get(6);
  if (symbols === undefined) return 0;
  const tables = [5, 7, 17, 23, 36, 0x6ffffef5, 0x6ffffff0, 0x6ffffffe, 0x6ffffffc].map(
    (tag) => tags.get(tag) ?? 0,
  );
  const next = Math.min(...tables.filter((address) => address > symbols));
  return Number.isFinite(next) ? Math.floor((next - symbols) / (image.wide ? 24 : 16)) : 0;
}
