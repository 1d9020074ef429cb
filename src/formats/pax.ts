// PAX extended header records: "LENGTH KEY=VALUE\n", where LENGTH counts itself. Values are any bytes.
import { byteStringOf } from "./byte-string.ts";
import type { ByteString } from "./entry.ts";
import { malformed } from "./tar-header.ts";

export type PaxRecord = readonly [key: string, value: ByteString];

export const xattrPrefix = "SCHILY.xattr.";

export function encodePax(records: readonly PaxRecord[]): ByteString {
  return records.map(([key, value]) => encodeRecord(key, value)).join("");
}

function encodeRecord(key: string, value: ByteString): ByteString {
  const rest = key.length + value.length + 3; // blank, "=", newline
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** In order, repeated keys kept (GNU sparse 0.0 repeats them). */
export function decodePax(bytes: Uint8Array): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    let start = at;
    let length = 0;
    // At most ten digits, of which the first is none.
    for (; start < at + 10 && isDigit(bytes[start]); start++)
      length = length * 10 + (bytes[start] as number) - 0x30;
    const digits = start - at;
    const end = at + length - 1;
    if (bytes[start] !== 0x20 || bytes[at] === 0x30 || length <= digits + 2 || end >= bytes.length) {
      // Some writers pad the last record with NULs.
      if (bytes[at] === 0 && bytes.subarray(at).every((byte) => byte === 0)) return records;
      const head = byteStringOf(bytes, at, Math.min(at + 12, bytes.length));
      throw malformed(`PAX record has a wrong length: ${JSON.stringify(head)}`);
    }
    start++;
    let equals = start;
    while (equals < end && bytes[equals] !== 0x3d) equals++;
    if (equals >= end || bytes[end] !== 0x0a || equals === start) {
      const shown = byteStringOf(bytes, at, Math.min(end, at + 60));
      throw malformed(`PAX record is not KEY=VALUE: ${JSON.stringify(shown)}`);
    }
    records.push([byteStringOf(bytes, start, equals), byteStringOf(bytes, equals + 1, end)]);
    at = end + 1;
  }
  return records;
}

let lastSeconds = 0;
let lastNanoseconds = 0n;

/** Neighbours mostly have the same time: arithmetic with bigints costs more than the rest of a header. */
export function nanoseconds(seconds: number): bigint {
  if (seconds !== lastSeconds) {
    lastSeconds = seconds;
    lastNanoseconds = BigInt(seconds) * 1_000_000_000n;
  }
  return lastNanoseconds;
}

/**
 * The mtime (nanoseconds) of PAX records from `at` to `end` that are of times alone, as precise archives have them for each entry; undefined where
 * there is any other record, or anything unusual: decodePax() sees to that.
 */
export function paxTimeAlone(bytes: Uint8Array, at: number, end: number): bigint | undefined {
  let time: bigint | undefined;
  while (at < end) {
    // "27 mtime=" with two digits of length.
    const length = ((bytes[at] as number) - 0x30) * 10 + (bytes[at + 1] as number) - 0x30;
    const last = at + length - 1;
    if (!(length >= 11 && length <= 99) || bytes[at + 2] !== 0x20 || last >= end || bytes[last] !== 0x0a)
      return undefined;
    const key = bytes[at + 3];
    const isTime = key === 0x6d || key === 0x61 || key === 0x63; // m, a, c
    if (!isTime || !isTimeKey(bytes, at + 4)) return undefined;
    if (key === 0x6d) {
      time = plainTime(bytes, at + 9, last);
      if (time === undefined) return undefined;
    }
    at = last + 1;
  }
  return time;
}

/** "time=" */
function isTimeKey(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === 0x74 &&
    bytes[at + 1] === 0x69 &&
    bytes[at + 2] === 0x6d &&
    bytes[at + 3] === 0x65 &&
    bytes[at + 4] === 0x3d
  );
}

/** What a fraction of so many digits is to be multiplied by to be nanoseconds. */
const scales: readonly number[] = [1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 100, 10, 1];

/** "SECONDS" or "SECONDS.FRACTION", up to 15 and up to 9 digits; undefined for all else. */
function plainTime(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  let seconds = 0;
  let at = start;
  // Nine digits are a small number, which costs a fraction of a large one.
  for (const part = Math.min(end, start + 9); at < part && isDigit(bytes[at]); at++)
    seconds = (seconds * 10 + (bytes[at] as number) - 0x30) | 0;
  for (; at < end && isDigit(bytes[at]); at++) seconds = seconds * 10 + (bytes[at] as number) - 0x30;
  if (at === start || at - start > 15) return undefined;
  if (at === end) return nanoseconds(seconds);
  if (bytes[at] !== 0x2e || end - at > 10) return undefined;
  const scale = scales[end - at - 1] ?? 0;
  let fraction = 0;
  for (at++; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    fraction = (fraction * 10 + digit) | 0;
  }
  // A small integer, and known as one, becomes a bigint in a third of the time.
  return nanoseconds(seconds) + BigInt((fraction * scale) | 0);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Nanoseconds -> "SECONDS.FRACTION" as PAX has it. */
export function formatPaxTime(nanoseconds: bigint): string {
  const sign = nanoseconds < 0n ? "-" : "";
  const absolute = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = String(absolute % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${sign}${absolute / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}

export function parsePaxTime(text: string): bigint {
  const negative = text.charCodeAt(0) === 0x2d;
  const from = negative ? 1 : 0;
  const point = text.indexOf(".");
  const end = point < 0 ? text.length : point;
  const seconds = digitsOf(text, from, end);
  const fraction = point < 0 ? 0 : digitsOf(text, point + 1, Math.min(text.length, point + 10));
  const isNumber = end > from && end - from <= 15 && seconds >= 0 && fraction >= 0;
  if (!isNumber || (point >= 0 && digitsOf(text, Math.min(text.length, point + 10), text.length) < 0))
    throw malformed(`PAX time is not a number: ${JSON.stringify(text.slice(0, 40))}`);
  const written = point < 0 ? 0 : Math.min(text.length - point - 1, 9);
  const value = BigInt(seconds) * 1_000_000_000n + BigInt(fraction * 10 ** (9 - written));
  return negative ? -value : value;
}

/** Of ASCII digits, below 2 ** 53 for up to 15 of them; -1 where there is anything else among them. */
function digitsOf(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

export function parsePaxNumber(text: string, what: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
    throw malformed(`PAX ${what} is not a number: ${JSON.stringify(text.slice(0, 40))}`);
  }
  return value;
}
