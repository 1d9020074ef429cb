// Logical volumes of LVM2 as they lie on one physical volume: which bytes are a volume's, in order. Nothing is activated.
// Source: the on-disk format of lvm2 (lib/format_text/layout.h, the text metadata of vgcfgbackup(8)). Pure: it is given bytes to read from.
import type { ByteString } from "./entry.ts";

/** Bytes of a physical volume. */
export interface Piece {
  offset: number;
  size: number;
}

export interface LogicalVolume {
  /** "debian/root": volume group and name. */
  name: string;
  /** In the order of the volume's own bytes; empty where it cannot be read from this physical volume alone. */
  pieces: Piece[];
  /** Why not. */
  refusal: string | undefined;
}

type Read = (offset: number, length: number) => Uint8Array;

const sector = 512;
const maxMetadata = 16 << 20;
const maxPieces = 4096;
const mdaMagic = " LVM2 x[5A%r0N*>";

/** Empty where there is no metadata that can be read. Volumes that LVM hides (metadata of others) are left out. */
export function logicalVolumes(read: Read, size: number): LogicalVolume[] {
  const label = findLabel(read);
  if (label === undefined) return [];
  const text = newestMetadata(read, label.areas, size);
  const config = text === undefined ? undefined : parseConfig(text);
  if (config === undefined) return [];
  for (const [group, value] of config)
    if (value instanceof Map && value.get("logical_volumes") instanceof Map)
      return volumesOf(group, value, label.id, size);
  return [];
}

interface Label {
  /** Of the physical volume, without hyphens. */
  id: string;
  /** Where metadata lies. */
  areas: Piece[];
}

function findLabel(read: Read): Label | undefined {
  const head = read(0, 4 * sector);
  for (let at = 0; at < 4 * sector; at += sector) {
    if (text(head, at, 8) !== "LABELONE" || text(head, at + 24, 8) !== "LVM2 001") continue;
    const view = viewOf(head.subarray(at, at + sector));
    if (view.byteLength < sector) return undefined;
    let place = view.getUint32(20, true);
    if (place < 32 || place > sector - 48) return undefined;
    const id = text(head, at + place, 32);
    place += 40;
    const lists: Piece[][] = [[], []];
    for (const list of lists) {
      for (; place + 16 <= sector; place += 16) {
        const [offset, length] = [
          Number(view.getBigUint64(place, true)),
          Number(view.getBigUint64(place + 8, true)),
        ];
        if (offset === 0) break;
        list.push({ offset, size: length });
      }
      place += 16;
    }
    return { id, areas: lists[1] ?? [] };
  }
  return undefined;
}

/** Each area has a copy; one that is damaged is passed over. */
function newestMetadata(read: Read, areas: readonly Piece[], size: number): string | undefined {
  for (const area of areas) {
    if (area.offset + sector > size) continue;
    const head = read(area.offset, sector);
    if (head.length < sector || text(head, 4, 16) !== mdaMagic) continue;
    const view = viewOf(head);
    const start = Number(view.getBigUint64(24, true));
    const length = Number(view.getBigUint64(32, true));
    const offset = Number(view.getBigUint64(40, true));
    const wanted = Number(view.getBigUint64(48, true));
    if (wanted === 0 || wanted > maxMetadata || offset < sector || offset >= length || start + length > size)
      continue;
    // The area is a ring behind its first sector.
    const before = Math.min(wanted, length - offset);
    const parts = [read(start + offset, before), read(start + sector, wanted - before)];
    return parts
      .map((part) => text(part, 0, part.length))
      .join("")
      .replace(/\0+$/, "");
  }
  return undefined;
}

function volumesOf(group: string, config: Config, id: string, size: number): LogicalVolume[] {
  const extent = numberOf(config, "extent_size") * sector;
  const physical = new Map<string, number>();
  for (const [name, value] of mapOf(config, "physical_volumes"))
    if (value instanceof Map && String(value.get("id")).replaceAll("-", "") === id)
      physical.set(name, numberOf(value, "pe_start") * sector);
  const volumes: LogicalVolume[] = [];
  for (const [name, value] of mapOf(config, "logical_volumes")) {
    if (!(value instanceof Map)) continue;
    const status = value.get("status");
    if (!Array.isArray(status) || !status.includes("VISIBLE")) continue;
    const found = piecesOf(value, { extent, physical, size });
    volumes.push({
      name: `${group}/${name}`,
      pieces: typeof found === "string" ? [] : found,
      refusal: typeof found === "string" ? found : undefined,
    });
  }
  return volumes;
}

function piecesOf(
  volume: Config,
  place: { extent: number; physical: ReadonlyMap<string, number>; size: number },
): Piece[] | string {
  const segments = [...volume].filter(([name, value]) => /^segment\d+$/.test(name) && value instanceof Map);
  const ordered = segments
    .map(([, value]) => value as Config)
    .sort((a, b) => numberOf(a, "start_extent") - numberOf(b, "start_extent"));
  const pieces: Piece[] = [];
  let extents = 0;
  for (const segment of ordered) {
    const type = String(segment.get("type"));
    const stripes = segment.get("stripes");
    if (type !== "striped" || numberOf(segment, "stripe_count") !== 1 || !Array.isArray(stripes))
      return `is of type ${type}`;
    const start = place.physical.get(String(stripes[0]));
    if (start === undefined) return "lies on another disk as well";
    if (numberOf(segment, "start_extent") !== extents) return "has a gap";
    const count = numberOf(segment, "extent_count");
    extents += count;
    const piece = { offset: start + Number(stripes[1]) * place.extent, size: count * place.extent };
    if (!(piece.size > 0) || !(piece.offset >= 0) || piece.offset + piece.size > place.size)
      return "leads outside of its disk";
    const last = pieces.at(-1);
    if (last !== undefined && last.offset + last.size === piece.offset) last.size += piece.size;
    else if (pieces.push(piece) > maxPieces) return "is in too many pieces";
  }
  return pieces.length === 0 ? "has no segments" : pieces;
}

type Value = string | number | (string | number)[] | Config;
interface Config extends Map<string, Value> {}

function numberOf(config: Config, name: string): number {
  const value = config.get(name);
  return typeof value === "number" ? value : Number.NaN;
}

function mapOf(config: Config, name: string): Config {
  const value = config.get(name);
  return value instanceof Map ? value : new Map();
}

const token =
  /\s+|#[^\n]*|"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?)(?![\w.])|([A-Za-z_][\w.+-]*|\d[\w.+-]*)|([{}[\]=,])/gy;
const maxDepth = 16;

/** undefined where the text is broken. */
function parseConfig(source: ByteString): Config | undefined {
  const words: (string | number | { sign: string })[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < source.length) {
    const match = token.exec(source);
    if (match === null) return undefined;
    if (match[1] !== undefined) words.push(match[1].replace(/\\(.)/g, "$1"));
    else if (match[2] !== undefined) words.push(Number(match[2]));
    else if (match[3] !== undefined) words.push(match[3]);
    else if (match[4] !== undefined) words.push({ sign: match[4] });
  }
  const reader = { at: 0 };
  const config = readSection(words, reader, 0);
  return reader.at === words.length ? config : undefined;
}

type Words = readonly (string | number | { sign: string })[];

function signAt(words: Words, at: number): string | undefined {
  const word = words[at];
  return typeof word === "object" ? word.sign : undefined;
}

function readSection(words: Words, reader: { at: number }, depth: number): Config | undefined {
  const config: Config = new Map();
  while (reader.at < words.length && signAt(words, reader.at) !== "}") {
    const name = words[reader.at++];
    const sign = signAt(words, reader.at++);
    if (typeof name === "object" || depth > maxDepth) return undefined;
    const value =
      sign === "{"
        ? readSection(words, reader, depth + 1)
        : sign === "="
          ? readValue(words, reader)
          : undefined;
    if (value === undefined) return undefined;
    if (sign === "{" && signAt(words, reader.at++) !== "}") return undefined;
    config.set(String(name), value);
  }
  return config;
}

function readValue(words: Words, reader: { at: number }): Value | undefined {
  if (signAt(words, reader.at) !== "[") {
    const word = words[reader.at++];
    return typeof word === "object" ? undefined : word;
  }
  const list: (string | number)[] = [];
  for (reader.at++; signAt(words, reader.at) !== "]"; reader.at++) {
    const word = words[reader.at];
    if (word === undefined) return undefined;
    if (typeof word !== "object") list.push(word);
    else if (word.sign !== ",") return undefined;
  }
  reader.at++;
  return list;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  let out = "";
  for (let i = at; i < Math.min(bytes.length, at + length); i++) out += String.fromCharCode(bytes[i] ?? 0);
  return out;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
