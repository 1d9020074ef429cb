import { listVolumes } from "../../runtime/volumes/list.ts";
import type { Context } from "../context.ts";
import { columns, listing } from "../listing.ts";
import { type Call, list } from "../verb.ts";
import { volumeFilter } from "./fits.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const filters = list(options, "filter").map(volumeFilter);
  const found = listVolumes(context.root).filter((volume) => filters.every((fits) => fits(volume)));
  const rows = found.map(({ name, labels, mountpoint }) => ({
    Driver: "local",
    Name: name,
    Mountpoint: mountpoint,
    Scope: "local",
    Labels: labels,
  }));
  const table = () => columns(rows, { DRIVER: ({ Driver }) => Driver, "VOLUME NAME": ({ Name }) => Name });
  context.print(listing(options, rows, { quiet: ({ Name }) => Name, table }));
}
