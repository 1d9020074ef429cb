// Programs of this host in the root of a package.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

/** A dynamic program with what it is linked with, at the same places in `tree`; itself at `to`. */
export function bring(tree: string, program: string, to: string): void {
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? "");
  for (const [from, place] of [[program, to], ...libraries.map((path) => [path, path])]) {
    mkdirSync(dirname(join(tree, place ?? "")), { recursive: true });
    copyFileSync(from ?? "", join(tree, place ?? ""));
  }
}
