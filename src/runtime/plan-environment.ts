// Variables that init gives to every program of a package.
import { existsSync, readFileSync } from "node:fs";
import { decodeInitPlan } from "../package/init-codec.ts";
import { readLayerFile } from "./layers.ts";

/** By the plan in the file `given`, else by that of the layers. */
export function planEnvironment(layers: readonly string[], given: string): string[] {
  const bytes = existsSync(given) ? readFileSync(given) : readLayerFile(layers, ".tranship/init.bin");
  return bytes === undefined
    ? []
    : decodeInitPlan(bytes).environment.map(([name, value]) => `${name}=${value}`);
}
