// Small tars and entries for tests, also such as no honest tool makes.
import type { Entry } from "../../src/formats/entry.ts";
import { encodePax, type PaxRecord } from "../../src/formats/pax.ts";
import { type TarEvent, TarEvents } from "../../src/formats/tar-event.ts";
import { putTarHeader, type TarHeader, tarBlock } from "../../src/formats/tar-header.ts";
import { TarReader } from "../../src/formats/tar-reader.ts";

export const blankEntry: Entry = {
  path: "/f",
  kind: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  nlink: 1,
  dev: 0n,
  ino: 0n,
  size: 0,
  blocks: 0,
  mtime: 0n,
  ctime: 0n,
  rdevMajor: 0,
  rdevMinor: 0,
  target: "",
  xattrs: [],
  extents: undefined,
};

const blankHeader: TarHeader = {
  name: "f",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  type: "0",
  linkName: "",
  devMajor: 0,
  devMinor: 0,
};

/** Header and padded content, exactly as said. */
export function tarMember(header: Partial<TarHeader>, content = "", pax: readonly PaxRecord[] = []): Buffer {
  const block = Buffer.alloc(tarBlock);
  putTarHeader({ ...blankHeader, size: content.length, ...header }, block, 0);
  const extended =
    pax.length === 0 ? Buffer.alloc(0) : tarMember({ name: "PaxHeaders/f", type: "x" }, encodePax(pax));
  return Buffer.concat([extended, block, padded(Buffer.from(content, "latin1"))]);
}

export function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((tarBlock - (bytes.length % tarBlock)) % tarBlock)]);
}

export function tarOf(...members: Uint8Array[]): Buffer {
  return Buffer.concat([...members, Buffer.alloc(2 * tarBlock)]);
}

/** All events of an archive that comes in chunks of this size. Content is copied. */
export function readTar(bytes: Uint8Array, chunk = bytes.length): TarEvent[] {
  const reader = new TarReader();
  const read = new TarEvents();
  const events: TarEvent[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    reader.push(bytes.subarray(at, at + chunk), read);
    for (const event of read.take()) {
      events.push(event.type === "data" ? { ...event, bytes: Buffer.from(event.bytes) } : event);
    }
  }
  reader.finish();
  return events;
}

export interface ReadFile {
  entry: Extract<TarEvent, { type: "entry" }>["entry"];
  /** Whole, holes as zeros. */
  content: Buffer;
}

export function readTarFiles(bytes: Uint8Array, chunk?: number): ReadFile[] {
  const files: ReadFile[] = [];
  for (const event of readTar(bytes, chunk)) {
    if (event.type === "entry") files.push({ entry: event.entry, content: Buffer.alloc(event.entry.size) });
    else if (event.type === "data") files.at(-1)?.content.set(event.bytes, event.offset);
  }
  return files;
}
