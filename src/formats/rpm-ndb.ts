// NDB, the database that rpm has of its own (Packages.db, SUSE): a table of slots, then blobs in blocks of 16 bytes.
// All integers are little-endian. Source of the format: rpm's lib/backend/ndb/rpmpkg.c.
import { adler32 } from "./adler32.ts";
import type { RandomAccess } from "./random-access.ts";
import { maxBlob, type RpmBlob } from "./rpm-blob.ts";

const page = 4096;
const block = 16;
const maxSlotPages = 16_384;
const fileMagic = 0x506d7052; // "RpmP"
const slotMagic = 0x746f6c53; // "Slot"
const headMagic = 0x53626c42; // "BlbS"
const tailMagic = 0x45626c42; // "BlbE"
const headSize = 16;
const tailSize = 12;

export function isNdb(head: Uint8Array): boolean {
  return head.length >= 32 && viewOf(head).getUint32(0, true) === fileMagic;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface Slot {
  key: number;
  offset: number;
  length: number;
}

/** Every header of the database, or why it cannot be had. */
export async function* readNdb(file: RandomAccess): AsyncGenerator<RpmBlob> {
  const head = await file.read(0, 32);
  if (!isNdb(head)) return yield { problem: "the beginning of the file is none of an ndb database" };
  const version = viewOf(head).getUint32(4, true);
  const pages = viewOf(head).getUint32(12, true);
  if (version !== 0) return yield { problem: `an ndb database of the unknown version ${version}` };
  if (pages === 0 || pages > maxSlotPages || pages * page > file.size) {
    return yield { problem: `${pages} pages of slots in a file of ${file.size} bytes` };
  }
  const keys = new Set<number>();
  const slots: Slot[] = [];
  let left = file.size;
  for (let number = 0; number < pages; number++) {
    const bytes = await file.read(number * page, page);
    for (let at = number === 0 ? 32 : 0; at + 16 <= bytes.length; at += 16) {
      const slot = slotOf(viewOf(bytes), at);
      if (slot === undefined) continue;
      if (typeof slot === "string") yield { problem: `slot ${number}.${at / 16}: ${slot}` };
      else if (keys.has(slot.key)) yield { problem: `package ${slot.key} has two slots` };
      else if (slot.length > left) return yield { problem: "the blobs are larger than the file" };
      else {
        keys.add(slot.key);
        slots.push(slot);
        left -= slot.length;
        yield await readBlob(file, slot);
      }
    }
  }
  yield* checkGaps(file, slots, pages * page);
}

/** Free places are zeroed: what begins with anything else belonged to a slot that was lost. */
async function* checkGaps(
  file: RandomAccess,
  slots: readonly Slot[],
  start: number,
): AsyncGenerator<RpmBlob> {
  let at = start;
  for (const slot of [...slots].sort((a, b) => a.offset - b.offset)) {
    if (slot.offset < at) yield { problem: `the blob of package ${slot.key} begins inside of another` };
    else if (slot.offset > at && (await file.read(at, block)).some((byte) => byte !== 0))
      yield { problem: `at ${at} lies what no slot names: packages may be missing` };
    at = Math.max(at, slot.offset + slot.length);
  }
  if (at < file.size && (await file.read(at, block)).some((byte) => byte !== 0))
    yield { problem: `at ${at} lies what no slot names: packages may be missing` };
}

/** undefined where the slot is free. */
function slotOf(view: DataView, at: number): Slot | string | undefined {
  if (view.getUint32(at, true) !== slotMagic) return "no magic of a slot";
  const key = view.getUint32(at + 4, true);
  const offset = view.getUint32(at + 8, true) * block;
  const length = view.getUint32(at + 12, true) * block;
  if (offset === 0) return key === 0 ? undefined : `package ${key} has a slot and no blob`;
  if (length < headSize + tailSize || length > maxBlob)
    return `package ${key} with a blob of ${length} bytes`;
  return { key, offset, length };
}

async function readBlob(file: RandomAccess, slot: Slot): Promise<RpmBlob> {
  const bytes = await file.read(slot.offset, slot.length);
  const bad = (what: string): RpmBlob => ({ problem: `package ${slot.key}: ${what}` });
  if (bytes.length !== slot.length) return bad("the file ends inside of its blob");
  const view = viewOf(bytes);
  const size = view.getUint32(12, true);
  if (view.getUint32(0, true) !== headMagic || view.getUint32(4, true) !== slot.key)
    return bad("its blob begins with something else");
  if (headSize + size + tailSize > slot.length) return bad(`a blob of ${size} bytes in ${slot.length}`);
  const tail = slot.length - tailSize;
  if (view.getUint32(tail + 8, true) !== tailMagic || view.getUint32(tail + 4, true) !== size)
    return bad("its blob does not end as it should");
  if (view.getUint32(tail, true) !== adler32(bytes.subarray(0, tail)))
    return bad("its checksum does not fit");
  return { key: slot.key, bytes: bytes.subarray(headSize, headSize + size) };
}
