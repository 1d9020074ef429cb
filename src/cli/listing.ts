// Listings: the flags --quiet and --format mean the same to each of them.
import { printRows, printTable } from "./format.ts";
import { flag, type OptionValues, text } from "./verb.ts";

/** `quiet`: the one column that is left with --quiet. `table`: what people read by default. `id`: the title of the field ID in tables of a template. */
export function listing<Row>(
  options: OptionValues,
  rows: readonly Row[],
  { quiet, table, id }: { quiet: (row: Row) => string; table: () => string; id?: string },
): string {
  if (flag(options, "quiet")) return rows.map((row) => `${quiet(row)}\n`).join("");
  const format = text(options, "format") ?? "table";
  return format === "table" ? table() : printRows(rows, format, id);
}

/** A listing with these columns: title and cell of each. */
export function columns<Row>(
  rows: readonly Row[],
  titles: Readonly<Record<string, (row: Row) => string>>,
): string {
  const cells = Object.values(titles);
  return printTable(
    Object.keys(titles),
    rows.map((row) => cells.map((cell) => cell(row))),
  );
}
