// Where `why` looks: the package, and those that it links to as they are in the store.
import type { MergedTree } from "../../image/merged-tree.ts";
import { treeOfImage } from "../../image/merged-tree.ts";
import { openStore } from "../../image/store.ts";
import type { Descriptor, FileRedirection } from "../../package/descriptor.ts";
import { parseDescriptor } from "../../package/yaml.ts";
import { linksInStore } from "../../runtime/links.ts";
import type { Context } from "../context.ts";

export interface Source {
  readonly reference: string;
  readonly files: readonly FileRedirection[];
  readonly tree: MergedTree;
}

/** Its own first, as its files and rules go before those of others, then the links in their order. [] where nothing but its evidence can tell: no rules, no links. */
export async function sourcesOf(context: Context, reference: string): Promise<Source[]> {
  const own = descriptorOf(context, reference);
  if (own === undefined || (own.links.length === 0 && own.redirections.files.length === 0)) return [];
  const { names, missing } = await linksInStore(context.root, own);
  for (const index of missing)
    context.log.warn(
      `${reference} links to the package ${own.links[index]}, which is not in the store: what it brings is not known here`,
    );
  const sources: Source[] = [];
  for (const name of [reference, ...[...names].reverse()]) {
    const store = openStore(context.root);
    const files = (name === reference ? own : descriptorOf(context, name))?.redirections.files ?? [];
    sources.push({ reference: name, files, tree: await treeOfImage(store, store.image(name), {}) });
  }
  return sources;
}

function descriptorOf(context: Context, reference: string): Descriptor | undefined {
  const store = openStore(context.root);
  const yaml = store.descriptorYaml(store.image(reference));
  return yaml === undefined ? undefined : parseDescriptor(new TextDecoder().decode(yaml), reference);
}
