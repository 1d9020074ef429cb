import { listVolumes } from "../../runtime/volumes/list.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, flag, list, text } from "../verb.ts";
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
  const format = text(options, "format") ?? "table";
  if (flag(options, "quiet")) context.print(rows.map((row) => `${row.Name}\n`).join(""));
  else if (format !== "table") context.print(printRows(rows, format));
  else
    context.print(
      printTable(
        ["DRIVER", "VOLUME NAME"],
        rows.map((row) => [row.Driver, row.Name]),
      ),
    );
}
