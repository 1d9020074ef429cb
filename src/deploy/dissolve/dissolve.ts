// package dissolve: from a package back to a native installation, on a machine of the distribution that it was lifted from.
import { resolve } from "node:path";
import type { Log } from "../../base/log.ts";
import { type Flattened, flattenImage } from "../../image/flatten.ts";
import type { ImageStore, StoredImage } from "../../image/store.ts";
import { parseDescriptor } from "../../package/yaml.ts";
import type { Origins } from "./bill.ts";
import { type BuiltDeb, buildDeb } from "./deb.ts";
import { beginDissolve, type Dissolved, dissolveInto } from "./into.ts";
import { type DissolvePlan, type DissolveSource, planDissolve, sortingOf } from "./plan.ts";

export interface DissolveRequest {
  store: ImageStore;
  image: StoredImage;
  /** Of the descriptor. */
  text: string;
  log: Log;
}

interface Opened {
  source: DissolveSource;
  origins: Origins;
  flattened: Flattened;
}

async function open({ store, image, text }: DissolveRequest): Promise<Opened> {
  const keep = { "/etc/passwd": 1 << 20, "/etc/group": 1 << 20 };
  const flattened = await flattenImage(store, image, keep);
  const descriptor = parseDescriptor(text, image.name ?? "the package");
  const parts = { store, image, tree: flattened.tree, descriptor };
  const { sorting, origins } = sortingOf(parts, flattened);
  return { source: { ...parts, sorting }, origins, flattened };
}

/** Nothing is changed. */
export async function planInto(request: DissolveRequest, directory: string): Promise<DissolvePlan> {
  return await planDissolve((await open(request)).source, resolve(directory));
}

/** As files, into the root of a system. What fails on the way is undone. */
export async function dissolveAsFiles(request: DissolveRequest, directory: string): Promise<Dissolved> {
  const top = resolve(directory);
  const { source, flattened } = await open(request);
  beginDissolve(top, source.descriptor.metadata.id, request.log);
  const plan = await planDissolve(source, top);
  return await dissolveInto({ source, flattened, top, log: request.log }, plan);
}

/** As a package of Debian. */
export async function dissolveAsDeb(request: DissolveRequest, file: string): Promise<BuiltDeb> {
  const { source, flattened, origins } = await open(request);
  return await buildDeb({ source, flattened, origins, file: resolve(file) });
}
