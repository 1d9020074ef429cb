import { processesTable } from "../../runtime/usage/top.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(
  { args: [name = "", ...words], options }: Call,
  context: Context,
): Promise<undefined> {
  const { titles, rows } = await processesTable(context.root, name, words);
  const format = text(options, "format") ?? "table";
  if (format === "table") context.print(printTable(titles, rows));
  else
    context.print(
      printRows(
        rows.map((row) => Object.fromEntries(titles.map((title, at) => [title, row[at] ?? ""]))),
        format,
      ),
    );
}
