// images --tree: layers that images share, with their sizes.
import { formatSize } from "../../base/units.ts";
import { type LayerForest, type LayerTree, layerForest } from "../../image/layer-forest.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";

export function printTree(context: Context, format: string | undefined): void {
  const forest = layerForest(openStore(context.root));
  for (const problem of forest.problems) context.log.warn(problem);
  context.print(format === undefined || format === "table" ? treeText(forest) : printValue(forest, format));
}

function treeText({ roots, images, layers, stored, unshared }: LayerForest): string {
  const lines = roots.flatMap((root) => linesOf(root, "", ""));
  const saved = unshared - stored;
  lines.push(
    `${images} packages, ${layers} layers, ${formatSize(stored)}; sharing saves ${formatSize(saved)}`,
  );
  return lines.join("\n");
}

function linesOf(tree: LayerTree, first: string, rest: string): string[] {
  const shared = tree.sharedBy > 1 ? `, in ${tree.sharedBy} packages` : "";
  const id = tree.diffId.replace("sha256:", "").slice(0, 12);
  const origin = tree.origin === undefined ? "" : `${tree.origin} `;
  const lines = [`${first}${id} ${origin}(${formatSize(tree.size)}${shared})`];
  const below = [...tree.images.map((name) => ({ name })), ...tree.above];
  for (const [i, one] of below.entries()) {
    const last = i === below.length - 1;
    const [mark, indent] = last ? ["└─ ", "   "] : ["├─ ", "│  "];
    if ("name" in one) lines.push(`${rest}${mark}${one.name}`);
    else lines.push(...linesOf(one, rest + mark, rest + indent));
  }
  return lines;
}
