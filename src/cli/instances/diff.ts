import { changesOf } from "../../runtime/files/diff.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run({ args, options }: Call, context: Context): Promise<undefined> {
  const changes = await changesOf(context.root, args[0] ?? "");
  const format = text(options, "format") ?? "table";
  if (format !== "table") context.print(printRows(changes, format));
  else context.print(changes.map(({ kind, path }) => `${kind} ${path}\n`).join(""));
}
