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
  let at = 0;
  while (at < bytes.length) {
    const head = byteStringOf(bytes, at, Math.min(at + 12, bytes.length));
    const digits = /^([1-9][0-9]{0,9}) /.exec(head)?.[1];
    const length = Number(digits);
    if (digits === undefined || length <= digits.length + 2 || at + length > bytes.length) {
      // Some writers pad the last record with NULs.
      if (bytes[at] === 0 && bytes.subarray(at).every((byte) => byte === 0)) return records;
      throw malformed(`PAX record has a wrong length: ${JSON.stringify(head)}`);
    }
    const start = at + digits.length + 1;
    const end = at + length - 1;
    const equals = bytes.indexOf(0x3d, start);
    if (equals < 0 || equals >= end || bytes[end] !== 0x0a || equals === start) {
      throw malformed(
        `PAX record is not KEY=VALUE: ${JSON.stringify(byteStringOf(bytes, at, Math.min(end, at + 60)))}`,
      );
    }
    records.push([byteStringOf(bytes, start, equals), byteStringOf(bytes, equals + 1, end)]);
    at += length;
  }
  return records;
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
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (match === null) throw malformed(`PAX time is not a number: ${JSON.stringify(text.slice(0, 40))}`);
  const fraction = (match[3] ?? "").slice(0, 9).padEnd(9, "0");
  const value = BigInt(match[2] ?? "0") * 1_000_000_000n + BigInt(fraction);
  return match[1] === "-" ? -value : value;
}

export function parsePaxNumber(text: string, what: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) {
    throw malformed(`PAX ${what} is not a number: ${JSON.stringify(text.slice(0, 40))}`);
  }
  return value;
}
