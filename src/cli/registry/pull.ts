import { formatSize } from "../../base/units.ts";
import { type Pulled, pullImage } from "../../image/registry/pull.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { registrySettings } from "./settings.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const platform = text(call.options, "platform");
  const quiet = flag(call.options, "quiet");
  const pulled = await pullImage(openStore(context.root), reference, {
    ...registrySettings(call.options, context),
    ...(platform === undefined ? {} : { platform }),
    unpack: call.options.unpack !== false,
    ...(quiet ? {} : { progress: context.progress }),
  });
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  const name = quiet ? pulled.name : `${pulled.name} ${pulled.digest}`;
  context.print(forPeople ? name : printValue(pulled, format));
  if (!quiet) context.say(summary(pulled));
}

function summary({ layers, reused, bytes }: Pulled): string {
  if (reused === layers) return `nothing to fetch: all ${layers} layers are here`;
  const here = reused === 0 ? "" : `, ${reused} were here`;
  return `fetched ${layers - reused} of ${layers} layers (${formatSize(bytes)})${here}`;
}
