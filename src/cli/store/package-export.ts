import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { type ExportType, exportImage } from "../../image/export.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const file = text(call.options, "output");
  if (file === undefined)
    throw new TranshipError("E_USAGE", "where should the package go?", { hint: "give -o FILE" });
  const exported = await exportImage(openStore(context.root), reference, file, {
    type: (text(call.options, "type") ?? "oci-archive") as ExportType,
    compression: text(call.options, "compression") === "zstd" ? "zstd" : "gzip",
  });
  context.print(`${exported.path} ${exported.imageDigest}`);
  context.say(`${formatSize(exported.size)}`);
}
