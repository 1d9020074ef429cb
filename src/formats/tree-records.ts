// The payloads of native/tree, docs/internals/records.md section 1: requests, entries, data, errors.
import { TranshipError } from "../base/errors.ts";
import { type ByteString, type Entry, type Extent, kindOfMode, modeOfKind } from "./entry.ts";
import { FieldReader, FieldWriter } from "./fields.ts";
import { encodeFrame, encodeFrameHeader } from "./frames.ts";

export const treeRequest = { stat: 1, list: 2, walk: 3, read: 4, stream: 5, resolve: 6, opened: 7 } as const;

export const treeFrame = {
  entry: 16,
  data: 17,
  end: 18,
  error: 19,
  hardlink: 20,
  whiteout: 21,
  opaque: 22,
  finish: 23,
} as const;

const noExtents = 0xffffffff;
const nanoseconds = 1_000_000_000n;

export function encodeEntry(entry: Entry): Uint8Array<ArrayBuffer> {
  const w = new FieldWriter(128 + entry.path.length + entry.target.length);
  w.u32(modeOfKind(entry.kind) | entry.mode);
  w.u32(entry.uid).u32(entry.gid).u32(entry.nlink).u64(entry.dev).u64(entry.ino).u64(entry.size);
  w.u64(entry.blocks);
  putTime(w, entry.mtime);
  putTime(w, entry.ctime);
  w.u32(entry.rdevMajor).u32(entry.rdevMinor).bytes16(entry.path).bytes16(entry.target);
  w.u16(entry.xattrs.length);
  for (const [name, value] of entry.xattrs) w.bytes16(name).bytes32(value);
  w.u32(entry.extents === undefined ? noExtents : entry.extents.length);
  for (const extent of entry.extents ?? []) w.u64(extent.offset).u64(extent.length);
  return w.finish();
}

export function decodeEntry(payload: Uint8Array): Entry {
  const r = new FieldReader(payload);
  const mode = r.u32();
  const kind = kindOfMode(mode);
  if (kind === undefined || mode > 0o177777) {
    throw new TranshipError("E_PROTOCOL", `no type of file has mode 0${mode.toString(8)}`);
  }
  const entry: Entry = {
    kind,
    mode: mode & 0o7777,
    uid: r.u32(),
    gid: r.u32(),
    nlink: r.u32(),
    dev: r.u64(),
    ino: r.u64(),
    size: r.size(),
    blocks: r.size(),
    mtime: getTime(r),
    ctime: getTime(r),
    rdevMajor: r.u32(),
    rdevMinor: r.u32(),
    path: r.bytes16(),
    target: r.bytes16(),
    xattrs: getXattrs(r),
    extents: undefined,
  };
  entry.extents = getExtents(r, entry.size);
  r.end();
  return entry;
}

function putTime(w: FieldWriter, time: bigint): void {
  const rest = ((time % nanoseconds) + nanoseconds) % nanoseconds;
  w.i64((time - rest) / nanoseconds).u32(Number(rest));
}

function getTime(r: FieldReader): bigint {
  const seconds = r.i64();
  const rest = r.u32();
  if (rest >= 1_000_000_000) throw new TranshipError("E_PROTOCOL", `a time with ${rest} nanoseconds`);
  return seconds * nanoseconds + BigInt(rest);
}

const noXattrs: Entry["xattrs"] = [];

function getXattrs(r: FieldReader): Entry["xattrs"] {
  const count = r.u16();
  if (count === 0) return noXattrs;
  const xattrs: [string, ByteString][] = [];
  for (let i = 0; i < count; i++) xattrs.push([r.bytes16(), r.bytes32()]);
  return xattrs;
}

function getExtents(r: FieldReader, size: number): Extent[] | undefined {
  const count = r.u32();
  if (count === noExtents) return undefined;
  const extents: Extent[] = [];
  let last = 0;
  for (let i = 0; i < count; i++) {
    const offset = r.size();
    const length = r.size();
    if (offset < last || offset + length > size || length === 0) {
      throw new TranshipError("E_PROTOCOL", `an extent of ${length} bytes at ${offset} in a file of ${size}`);
    }
    last = offset + length;
    extents.push({ offset, length });
  }
  return extents;
}

export interface TreeData {
  offset: number;
  /** A view into the payload. */
  bytes: Uint8Array;
}

export function decodeData(payload: Uint8Array): TreeData {
  const r = new FieldReader(payload);
  return { offset: r.size(), bytes: r.rest() };
}

/** Header and offset of a DATA frame; the bytes themselves follow as they are, without a copy. */
export function encodeDataHeader(offset: number, length: number, id = 0): Uint8Array<ArrayBuffer> {
  const w = new FieldWriter(32);
  w.raw(encodeFrameHeader(treeFrame.data, id, 8 + length)).u64(offset);
  return w.finish();
}

/** Whether the file changed while it was streamed. */
export function decodeEnd(payload: Uint8Array): boolean {
  const r = new FieldReader(payload);
  const flags = r.u8();
  r.end();
  return (flags & 1) !== 0;
}

export function encodeEnd(changed = false): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(changed ? 1 : 0);
}

export interface TreeError {
  errno: number;
  path: ByteString;
}

export function decodeError(payload: Uint8Array): TreeError {
  const r = new FieldReader(payload);
  const error = { errno: r.u32(), path: r.bytes16() };
  r.end();
  return error;
}

export function encodeError(error: TreeError): Uint8Array<ArrayBuffer> {
  return new FieldWriter().u32(error.errno).bytes16(error.path).finish();
}

/** Payload of HARDLINK. */
export function encodeHardlink(path: ByteString, target: ByteString): Uint8Array<ArrayBuffer> {
  return new FieldWriter().bytes16(path).bytes16(target).finish();
}

/** Payload of WHITEOUT and OPAQUE, and of the requests LIST, STREAM and RESOLVE. */
export function encodePath(path: ByteString): Uint8Array<ArrayBuffer> {
  return new FieldWriter(path.length + 2).bytes16(path).finish();
}

export function encodeStat(path: ByteString, follow: boolean): Uint8Array<ArrayBuffer> {
  return new FieldWriter(path.length + 3)
    .u8(follow ? 1 : 0)
    .bytes16(path)
    .finish();
}

export function encodeWalk(
  path: ByteString,
  oneFileSystem: boolean,
  exclude: readonly ByteString[],
): Uint8Array<ArrayBuffer> {
  const w = new FieldWriter().u8(oneFileSystem ? 1 : 0).bytes16(path);
  w.u16(exclude.length);
  for (const prefix of exclude) w.bytes16(prefix);
  return w.finish();
}

export function encodeRead(path: ByteString, offset: number, limit: number): Uint8Array<ArrayBuffer> {
  return new FieldWriter().u64(offset).u64(limit).bytes16(path).finish();
}

/** FINISH: closes what `tree unpack` reads. */
export function encodeFinish(): Uint8Array<ArrayBuffer> {
  return encodeFrame({ type: treeFrame.finish, id: 0, payload: new Uint8Array(0) });
}
