import { formatAge, formatSize } from "../../base/units.ts";
import { type ListedImage, listImages } from "../../image/list.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { filterRows, printRows, printTable } from "../format.ts";
import { type Call, flag, list, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  if (flag(options, "tree")) {
    const { printTree } = await import("./images-tree.ts");
    printTree(context, text(options, "format"));
    return;
  }
  const rows = filterRows(listImages(openStore(context.root)).map(rowOf), list(options, "filter"));
  for (const row of rows)
    if (row.Problem !== "") context.log.warn(`${row.Repository}:${row.Tag}: ${row.Problem}`);
  const full = options.trunc === false;
  const id = (row: Row) => (full ? row.Digest : row.ID);
  const digests = flag(options, "digests");
  const format = text(options, "format");
  if (flag(options, "quiet")) context.print(rows.map((row) => `${id(row)}\n`).join(""));
  else if (format !== undefined && format !== "table") context.print(printRows(rows, format, "IMAGE ID"));
  else {
    const cells = rows.map((row) => [
      row.Repository,
      row.Tag,
      ...(digests ? [row.Digest] : []),
      id(row),
      row.Captured,
      String(row.Layers),
      row.Size,
    ]);
    const columns = digests ? ["DIGEST", "IMAGE ID"] : ["IMAGE ID"];
    context.print(printTable(["REPOSITORY", "TAG", ...columns, "CAPTURED", "LAYERS", "SIZE"], cells));
  }
}

interface Row {
  Repository: string;
  Tag: string;
  ID: string;
  Digest: string;
  CapturedAt: string;
  Captured: string;
  Layers: number;
  Size: string;
  SizeBytes: number;
  Problem: string;
}

function rowOf(image: ListedImage): Row {
  const at = image.created;
  return {
    Repository: image.repository,
    Tag: image.tag,
    ID: image.digest.replace("sha256:", "").slice(0, 12),
    Digest: image.digest,
    CapturedAt: at ?? "",
    Captured: at === undefined ? "" : `${formatAge(Date.now() - Date.parse(at))} ago`,
    Layers: image.layers,
    Size: formatSize(image.size),
    SizeBytes: image.size,
    Problem: image.problem ?? "",
  };
}
