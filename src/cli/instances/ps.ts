// tranship ps: docker's columns, flags and filters.
import { TranshipError } from "../../base/errors.ts";
import { listInstances, warnOfBroken } from "../../runtime/find.ts";
import type { Context } from "../context.ts";
import { printTable } from "../format.ts";
import { listing } from "../listing.ts";
import { type Call, flag, list, type OptionValues, text } from "../verb.ts";
import { instanceFilter, lists } from "./ps-filter.ts";
import { type Row, rowOf } from "./ps-row.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const filters = list(options, "filter");
  const last = lastOf(options);
  const everything = listInstances(context.root, warnOfBroken(context.log));
  const fits = filters.map((entry) => instanceFilter(entry, everything));
  const all = flag(options, "all") || last !== undefined || filters.some(lists);
  const found = everything
    .filter((one) => all || one.status.state === "running" || one.status.state === "starting")
    .filter((one) => fits.every((fit) => fit(one)))
    .slice(0, last);
  const size = flag(options, "size");
  const rows = found.map((one) => rowOf(context.root, one, { whole: options.trunc === false, size }));
  context.print(
    listing(options, rows, { quiet: ({ ID }) => ID, table: () => table(rows, size), id: "INSTANCE ID" }),
  );
}

/** -n, -l: of all, whatever their state. */
function lastOf(options: OptionValues): number | undefined {
  if (flag(options, "latest")) return 1;
  const word = text(options, "last");
  if (word === undefined || word === "-1") return undefined;
  if (/^\d+$/.test(word)) return Number(word);
  throw new TranshipError("E_USAGE", `--last: not a number: ${JSON.stringify(word)}`, {
    hint: "write for example -n 5",
  });
}

function table(rows: readonly Row[], size: boolean): string {
  const headers = [
    "INSTANCE ID",
    "IMAGE",
    "COMMAND",
    "CREATED",
    "STATUS",
    "PORTS",
    "NAMES",
    ...(size ? ["SIZE"] : []),
  ];
  const cells = rows.map((row) => [
    row.ID, row.Image, row.Command, row.RunningFor, row.Status, row.Ports, row.Names, ...(size ? [row.Size] : []),
  ]); // biome-ignore format: short
  return printTable(headers, cells);
}
