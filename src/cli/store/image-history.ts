import { formatSize } from "../../base/units.ts";
import { inspectImage } from "../../image/inspect.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

/** Topmost first, as docker has it. */
export async function run(call: Call, context: Context): Promise<undefined> {
  const image = inspectImage(openStore(context.root), call.args[0] ?? "");
  const full = call.options.trunc === false;
  const rows = image.layers
    .map((layer) => ({
      Layer: layer.diffId,
      Blob: layer.digest,
      Origin: layer.origin ?? "",
      CreatedBy: layer.createdBy ?? "",
      MediaType: layer.mediaType,
      Size: formatSize(layer.size),
      SizeBytes: layer.size,
    }))
    .reverse();
  const format = text(call.options, "format");
  if (flag(call.options, "quiet")) context.print(rows.map((row) => `${row.Layer}\n`).join(""));
  else if (format !== undefined && format !== "table") context.print(printRows(rows, format));
  else {
    const short = (digest: string): string => (full ? digest : digest.replace("sha256:", "").slice(0, 12));
    const cells = rows.map((row) => [
      short(row.Layer),
      row.Origin,
      row.Size,
      compression(row.MediaType),
      row.CreatedBy,
    ]);
    context.print(printTable(["LAYER", "ORIGIN", "SIZE", "PACKED", "CREATED BY"], cells));
  }
}

function compression(type: string): string {
  return /zstd$/.test(type) ? "zstd" : /gzip$/.test(type) ? "gzip" : "plain";
}
