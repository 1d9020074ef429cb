// tranship secret ls: names only; values are never shown.
import { SecretStore } from "../../cluster/secret-store.ts";
import type { Context } from "../context.ts";
import { columns, listing } from "../listing.ts";
import type { Call } from "../verb.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const rows = new SecretStore(context.root.path)
    .list()
    .map(({ name, changedAt }) => ({ Name: name, UpdatedAt: changedAt }));
  const table = () => columns(rows, { NAME: ({ Name }) => Name, UPDATED: ({ UpdatedAt }) => UpdatedAt });
  context.print(listing(options, rows, { quiet: ({ Name }) => Name, table }));
}
