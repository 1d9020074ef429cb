import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { type ExportType, exportImage } from "../../image/export.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const file = text(call.options, "output");
  if (file === undefined)
    throw new TranshipError("E_USAGE", "where should the package go?", { hint: "give -o FILE" });
  if (flag(call.options, "dryRun")) {
    const { target } = openStore(context.root).image(reference);
    context.print(`would write ${reference} (${target.digest}) to ${file}`);
    return;
  }
  const exported = await exportImage(openStore(context.root), reference, file, {
    type: (text(call.options, "type") ?? "oci-archive") as ExportType,
    compression: text(call.options, "compression") === "zstd" ? "zstd" : "gzip",
  });
  const format = text(call.options, "format");
  context.print(
    format === undefined || format === "table"
      ? exported.imageDigest === undefined
        ? exported.path
        : `${exported.path} ${exported.imageDigest}`
      : printValue(exported, format),
  );
  context.say(`${formatSize(exported.size)}`);
}
