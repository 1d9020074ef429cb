import { readFileSync } from "node:fs";
import { join } from "node:path";

export function versionText(top: string): string {
  const { version } = JSON.parse(readFileSync(join(top, "package.json"), "utf8")) as { version: string };
  return `tranship ${version}`;
}
