// tranship gc: what no name leads to, and layers that are unpacked for no image.
import { formatSize } from "../../base/units.ts";
import { openStore } from "../../image/store.ts";
import { removeUnreferenced } from "../../image/store-gc.ts";
import { listInstances } from "../../runtime/find.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const dryRun = flag(call.options, "dryRun");
  const instances = listInstances(context.root);
  const removed = await removeUnreferenced(openStore(context.root), {
    keepLayers: new Set(instances.flatMap((instance) => instance.record.image.diffIds)),
    dryRun,
    sizes: true,
    log: context.log,
  });
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table") {
    context.print(printValue({ dryRun, ...removed }, format));
    return;
  }
  const { blobs, bytes, layers, layerBytes } = removed;
  const would = dryRun ? "would remove" : "removed";
  context.print(
    [
      `${would} ${blobs.length} blobs, ${formatSize(bytes)}`,
      `${would} ${layers.length} unpacked layers, ${formatSize(layerBytes)}`,
    ].join("\n"),
  );
}
