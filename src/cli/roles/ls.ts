// tranship role ls
import { RoleStore } from "../../cluster/roles/role-store.ts";
import type { Context } from "../context.ts";
import { columns, listing } from "../listing.ts";
import type { Call } from "../verb.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const rows = new RoleStore(context.root.path)
    .list()
    .map(({ name, policy }) => ({ Name: name, Policy: policy }));
  const table = () =>
    columns(rows, {
      NAME: ({ Name }) => Name,
      POLICY: ({ Policy }) => (typeof Policy === "string" ? Policy : "document"),
    });
  context.print(listing(options, rows, { quiet: ({ Name }) => Name, table }));
}
