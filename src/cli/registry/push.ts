import { formatSize } from "../../base/units.ts";
import { parseReference } from "../../formats/oci-reference.ts";
import { pushRepository } from "../../image/registry/endpoint.ts";
import { type Pushed, pushImage } from "../../image/registry/push.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { registrySettings } from "./settings.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = "", destination] = call.args;
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  const store = openStore(context.root);
  if (flag(call.options, "dryRun")) {
    const image = store.image(reference);
    const to = destination ?? image.name ?? reference;
    const remote = pushRepository(parseReference(to), to);
    const size = image.layers.reduce((sum, layer) => sum + layer.descriptor.size, 0);
    const plan = { name: to, host: remote.host, layers: image.layers.length, size, dryRun: true };
    context.print(
      forPeople
        ? `would send ${reference} (${image.layers.length} layers, ${formatSize(size)} as they lie in the store) to ${to}`
        : printValue(plan, format),
    );
    return;
  }
  const pushed = await pushImage(store, reference, destination, {
    ...registrySettings(call.options, context),
    compression: compressionOf(text(call.options, "compression")),
    progress: context.progress,
  });
  context.print(forPeople ? `${pushed.name}@${pushed.digest}` : printValue(pushed, format));
  context.say(summary(pushed));
}

function compressionOf(word: string | undefined): "gzip" | "zstd" | "keep" {
  return word === "zstd" || word === "keep" ? word : "gzip";
}

function summary({ layers, reused, bytes }: Pushed): string {
  if (reused === layers) return `nothing to send: all ${layers} layers are there`;
  const there = reused === 0 ? "" : `, ${reused} were there`;
  return `sent ${layers - reused} of ${layers} layers (${formatSize(bytes)})${there}`;
}
