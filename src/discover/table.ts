// Aligned text tables for people. Hostile names cannot break a line: bytes that do not print are shown as \xNN.

import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";

/** A byte string for people, cut to a width with "...". */
export function show(value: ByteString, width = 400): string {
  const text = escapeBytes(value.length > 4 * width ? value.slice(0, 4 * width) : value).replaceAll(
    "\\x5c",
    "\\",
  );
  return text.length > width ? `${text.slice(0, Math.max(0, width - 3))}...` : text;
}

/** Columns as wide as their widest cell; the last one is not padded. No header where it is empty. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  indent = "  ",
): string {
  const all = header.length > 0 ? [header, ...rows] : rows;
  const widths: number[] = [];
  for (const row of all)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  return all
    .map((row) => (indent + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")).trimEnd())
    .join("\n");
}

export function title(text: string, count?: number): string {
  return count === undefined ? text.toUpperCase() : `${text.toUpperCase()} (${count})`;
}
