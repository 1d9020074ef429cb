import { readFileSync } from "node:fs";
import { join } from "node:path";
import { installRoot } from "../../host/native.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

export function versionText(top: string): string {
  const { version } = JSON.parse(readFileSync(join(top, "package.json"), "utf8")) as { version: string };
  return `tranship ${version}`;
}

export async function run(call: Call, context: Context): Promise<undefined> {
  if (call.options.format === "json") {
    const facts = {
      version: versionText(installRoot).slice("tranship ".length),
      node: process.version,
      architecture: process.arch,
    };
    context.print(JSON.stringify(facts));
    return;
  }
  context.print(versionText(installRoot));
}
