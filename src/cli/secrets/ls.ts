// tranship secret ls: names only; values are never shown.
import { SecretStore } from "../../cluster/secret-store.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const rows = new SecretStore(context.root.path)
    .list()
    .map(({ name, changedAt }) => ({ Name: name, UpdatedAt: changedAt }));
  const format = text(options, "format") ?? "table";
  if (flag(options, "quiet")) context.print(rows.map(({ Name }) => `${Name}\n`).join(""));
  else if (format !== "table") context.print(printRows(rows, format));
  else
    context.print(
      printTable(
        ["NAME", "UPDATED"],
        rows.map(({ Name, UpdatedAt }) => [Name, UpdatedAt]),
      ),
    );
}
