// Which paths go into which layer when a plan is packed.
import type { ByteString, Entry } from "../../formats/entry.ts";
import { type LayerName, layerNames, type Plan } from "../plan/plan.ts";

/**
 * Gives the paths of a layer with every directory above them, so that each layer is whole by itself; in byte order. All names of a file
 * are in the lowest layer that has one of them: two layers cannot share a file.
 */
export function layerPaths(
  plan: Plan,
  entries: ReadonlyMap<ByteString, Entry>,
): (layer: LayerName) => ByteString[] {
  const elsewhere = lowestLayers(plan, entries);
  return (layer) => pathsOf(plan, layer, entries, elsewhere);
}

function pathsOf(
  plan: Plan,
  layer: LayerName,
  entries: ReadonlyMap<ByteString, Entry>,
  elsewhere: ReadonlyMap<ByteString, LayerName>,
): ByteString[] {
  const paths: ByteString[] = [];
  // Of what lies in one directory only the first asks for those above it.
  const known = new Set<ByteString>();
  for (const group of plan.groups) {
    for (const path of group.files) {
      if ((elsewhere.get(path) ?? group.layer) !== layer) continue;
      paths.push(path);
      for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
        const parent = path.slice(0, at);
        if (known.has(parent)) break;
        known.add(parent);
        if (entries.has(parent)) paths.push(parent);
      }
    }
  }
  paths.sort();
  return paths.filter((path, i) => path !== "/" && path !== paths[i - 1]);
}

/** Of names of files that have several: the layer that all of them go to. */
function lowestLayers(plan: Plan, entries: ReadonlyMap<ByteString, Entry>): Map<ByteString, LayerName> {
  const lowest = new Map<string, LayerName>();
  const names = new Map<ByteString, LayerName>();
  for (const name of layerNames) {
    for (const group of plan.groups) {
      if (group.layer !== name) continue;
      for (const path of group.files) {
        const inode = inodeOf(entries.get(path));
        if (inode === "") continue;
        if (!lowest.has(inode)) lowest.set(inode, name);
        names.set(path, lowest.get(inode) ?? name);
      }
    }
  }
  return names;
}

/** What the names of one file have in common; "" for what has one name only. */
export function inodeOf(entry: Entry | undefined): string {
  return entry?.kind === "file" && entry.nlink > 1 ? `${entry.dev}:${entry.ino}` : "";
}
