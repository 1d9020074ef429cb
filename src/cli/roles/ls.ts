// tranship role ls
import { RoleStore } from "../../cluster/roles/role-store.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const rows = new RoleStore(context.root.path)
    .list()
    .map(({ name, policy }) => ({ Name: name, Policy: policy }));
  const format = text(options, "format") ?? "table";
  if (flag(options, "quiet")) context.print(rows.map(({ Name }) => `${Name}\n`).join(""));
  else if (format !== "table") context.print(printRows(rows, format));
  else
    context.print(
      printTable(
        ["NAME", "POLICY"],
        rows.map(({ Name, Policy }) => [Name, typeof Policy === "string" ? Policy : "document"]),
      ),
    );
}
