import { findVolume, type Volume } from "../../runtime/volumes/list.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run({ args, options }: Call, context: Context): Promise<undefined> {
  const found = args.map((name) => volumeView(findVolume(context.root, name)));
  context.print(printRows(found, text(options, "format") ?? "json"));
}

/** As docker shows a volume, with who uses it. */
export function volumeView({ name, createdAt, labels, mountpoint, users }: Volume): object {
  return {
    CreatedAt: createdAt,
    Driver: "local",
    Labels: labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: {},
    Scope: "local",
    UsedBy: users,
  };
}
