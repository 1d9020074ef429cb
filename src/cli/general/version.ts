import { installRoot } from "../../host/native.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { versionText } from "./version-text.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table") {
    const facts = {
      version: versionText(installRoot).slice("tranship ".length),
      node: process.version,
      architecture: process.arch,
    };
    context.print(printValue(facts, format));
    return;
  }
  context.print(versionText(installRoot));
}
