// Packages that a package links to by their ids. Their files lie below its own, as further read-only layers, and their redirections come after its
// own. What they link to themselves is not seen: a link is said by who needs it (decision 94).
import { TranshipError } from "../base/errors.ts";
import type { StateRoot } from "../host/state-root.ts";
import { ImageStore } from "../image/store.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { readImage } from "./image-facts.ts";

export interface LinkedPackage {
  readonly id: string;
  readonly digest: string;
  /** Bottom first. */
  readonly diffIds: readonly string[];
  readonly redirections: Descriptor["redirections"];
}

interface Found extends LinkedPackage {
  readonly names: string[];
}

/**
 * The lowest one first: an earlier link lies above a later one. `chosen`: references that stand for their ids. E_IMAGE_NOT_FOUND where none has an
 * id, E_USAGE where several packages have it and none was chosen, or what was chosen is not linked to.
 */
export async function linkedPackages(
  root: StateRoot,
  reference: string,
  { links, metadata }: Descriptor,
  chosen: readonly string[],
): Promise<LinkedPackage[]> {
  const wanted = [...new Set(links)].filter((id) => id !== metadata.id);
  const given = await Promise.all(chosen.map((name) => packageOf(root, name)));
  for (const [index, one] of given.entries())
    if (one === undefined || !wanted.includes(one.id))
      throw new TranshipError(
        "E_USAGE",
        `${reference} links to no package ${one?.id ?? ""} (--linked ${chosen[index]})`,
        {
          hint: wanted.length === 0 ? "its descriptor has no `links`" : `it links to ${wanted.join(", ")}`,
        },
      );
  const known = given.some((one) => one === undefined) ? [] : given;
  const missing = wanted.filter((id) => !known.some((one) => one?.id === id));
  const stored = missing.length === 0 ? [] : await packagesIn(root);
  const linked = wanted.map((id) => known.find((one) => one?.id === id) ?? theOne(stored, id, reference));
  return linked.reverse();
}

function theOne(stored: readonly Found[], id: string, reference: string): Found {
  const fitting = stored.filter((one) => one.id === id);
  const [one] = fitting;
  if (one === undefined)
    throw new TranshipError(
      "E_IMAGE_NOT_FOUND",
      `${reference} links to the package ${id}, which is not in the store`,
      {
        hint: "pull, capture or import it; `tranship package show REF` tells the id of a package (metadata.id)",
      },
    );
  if (fitting.length > 1)
    throw new TranshipError(
      "E_USAGE",
      `${reference} links to ${id}, and several packages have that id: ${fitting.map(({ names }) => names[0]).join(", ")}`,
      {
        hint: "say which by --linked REF",
      },
    );
  return one;
}

export interface LinksInStore {
  /** Those of `links` that no package of the store has, by their place there. */
  readonly missing: readonly number[];
  /** A name of each other one, the lowest first; of several packages with one id the first. */
  readonly names: readonly string[];
}

/** For those who look at a package and run nothing. */
export async function linksInStore(root: StateRoot, { links, metadata }: Descriptor): Promise<LinksInStore> {
  const wanted = links.filter((id) => id !== metadata.id);
  if (wanted.length === 0) return { missing: [], names: [] };
  const stored = await packagesIn(root);
  const nameOf = (id: string): string | undefined => stored.find((one) => one.id === id)?.names[0];
  const missing = links.flatMap((id, index) =>
    id === metadata.id || nameOf(id) !== undefined ? [] : [index],
  );
  return { missing, names: [...new Set(wanted)].reverse().flatMap((id) => nameOf(id) ?? []) };
}

/** Every package of the store once, whatever names it has. Images without a descriptor, and what cannot be read, link to nothing. */
async function packagesIn(root: StateRoot): Promise<Found[]> {
  const found = new Map<string, Found>();
  for (const { name } of new ImageStore(root).names()) {
    const one = await packageOf(root, name).catch(() => undefined);
    const known = one === undefined ? undefined : found.get(one.digest);
    if (known !== undefined) known.names.push(name);
    else if (one !== undefined) found.set(one.digest, one);
  }
  return [...found.values()];
}

async function packageOf(root: StateRoot, name: string): Promise<Found | undefined> {
  const { digest, diffIds, packaged } = await readImage(root, name);
  if (packaged === null) return undefined;
  const { metadata, redirections } = packaged.descriptor;
  return { id: metadata.id, digest, diffIds, redirections, names: [name] };
}

/** Own rules first: a later one counts where no earlier one is for the same place. */
export function seenWith(descriptor: Descriptor, linked: readonly LinkedPackage[]): Descriptor {
  if (linked.length === 0) return descriptor;
  const all = [descriptor, ...[...linked].reverse()].map(({ redirections }) => redirections);
  return {
    ...descriptor,
    redirections: {
      ...descriptor.redirections,
      files: all.flatMap(({ files }) => files),
      network: all.flatMap(({ network }) => network),
    },
  };
}
