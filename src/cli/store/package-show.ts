import { TranshipError } from "../../base/errors.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const store = openStore(context.root);
  const yaml = store.descriptorYaml(store.image(reference));
  if (yaml === undefined) {
    throw new TranshipError("E_IMAGE_UNSUPPORTED", `${reference} is an image without a package descriptor`, {
      hint: "`tranship inspect` shows its config",
    });
  }
  const words = new TextDecoder().decode(yaml);
  const format = text(call.options, "format");
  if (format === undefined || format === "table") {
    context.print(words);
    return;
  }
  const { parseDescriptor } = await import("../../package/yaml.ts");
  context.print(printValue(parseDescriptor(words, reference), format));
}
