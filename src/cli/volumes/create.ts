import { TranshipError } from "../../base/errors.ts";
import { randomHex } from "../../host/random.ts";
import { createVolume } from "../../runtime/volumes/list.ts";
import type { Context } from "../context.ts";
import { type Call, list, text } from "../verb.ts";

export async function run({ args, options }: Call, context: Context): Promise<undefined> {
  const driver = text(options, "driver") ?? "local";
  if (driver !== "local") {
    throw new TranshipError("E_USAGE", `there is no volume driver ${JSON.stringify(driver)}`, {
      hint: "leave -d out",
    });
  }
  const name = args[0] ?? randomHex(32);
  createVolume(context.root, name, Object.fromEntries(list(options, "label").map(label)));
  context.print(name);
}

function label(entry: string): [string, string] {
  const cut = entry.indexOf("=");
  return cut < 0 ? [entry, ""] : [entry.slice(0, cut), entry.slice(cut + 1)];
}
