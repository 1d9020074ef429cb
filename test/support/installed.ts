// An installation as users have it: built, without sources.

import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { buildTo } from "../../scripts/build.ts";
import { installRoot } from "../../src/host/native.ts";

/** Into a directory that is made; `bin/tranship` and `dist/start.cjs` in it run. */
export async function installTo(directory: string): Promise<void> {
  mkdirSync(directory);
  await buildTo(join(directory, "dist"));
  for (const part of ["bin", "native/bin", "schemas", "package.json"])
    cpSync(join(installRoot, part), join(directory, part), { recursive: true });
}
