// Symbol versions of an ELF file: what it asks of its libraries (verneed) and what it offers (verdef).

import type { VersionNeed } from "./elf.ts";
import type { ElfImage, StringTable } from "./elf-image.ts";
import { window } from "./elf-image.ts";
import type { ByteString } from "./entry.ts";

const maxRecords = 1 << 14;
/** Tables of more records than this do not surely fit into one window. */
const fewRecords = 64;
const maxTable = 1 << 20;

export async function readVersionsNeeded(
  image: ElfImage,
  strings: StringTable,
  tags: ReadonlyMap<number, number>,
  problems: string[],
): Promise<VersionNeed[]> {
  const offset = image.offsetOf(tags.get(0x6ffffffe));
  const count = tags.get(0x6fffffff) ?? 0;
  if (offset === undefined || count === 0) return [];
  const bytes = (await image.bytes(offset, count > fewRecords ? maxTable : window)).slice();
  const view = image.view(bytes);
  const needs: VersionNeed[] = [];
  let left = maxRecords;
  for (let at = 0, index = 0; index < count && at + 16 <= bytes.length && left > 0; index++, left--) {
    const versions: ByteString[] = [];
    let aux = at + view.u32(at + 8);
    for (let n = view.u16(at + 2); n > 0 && aux + 16 <= bytes.length && left > 0; n--, left--) {
      const name = strings.at(view.u32(aux + 8), problems);
      const isWeak = (view.u16(aux + 4) & 2) !== 0;
      if (name !== undefined && !isWeak) versions.push(name);
      const next = view.u32(aux + 12);
      if (next === 0) break;
      aux += next;
    }
    const file = strings.at(view.u32(at + 4), problems);
    if (file !== undefined) needs.push({ file, versions });
    const next = view.u32(at + 12);
    if (next === 0) break;
    at += next;
  }
  if (left === 0) problems.push(`more than ${maxRecords} version records`);
  return needs;
}

/** The names of all defined versions but the base one, which is the name of the file. */
export async function readVersionsDefined(
  image: ElfImage,
  strings: StringTable,
  tags: ReadonlyMap<number, number>,
  problems: string[],
): Promise<ByteString[]> {
  const offset = image.offsetOf(tags.get(0x6ffffffc));
  const count = Math.min(tags.get(0x6ffffffd) ?? 0, maxRecords);
  if (offset === undefined || count === 0) return [];
  const bytes = (await image.bytes(offset, count > fewRecords ? maxTable : window)).slice();
  const view = image.view(bytes);
  const names: ByteString[] = [];
  for (let at = 0, index = 0; index < count && at + 20 <= bytes.length; index++) {
    const isBase = (view.u16(at + 2) & 1) !== 0;
    const name = strings.at(view.u32(at + view.u32(at + 12)), problems);
    if (!isBase && name !== undefined) names.push(name);
    const next = view.u32(at + 16);
    if (next === 0) break;
    at += next;
  }
  return names;
}
