// The tree that layers show when they are laid over each other, as a package sees it when it runs: only what is on top counts.
import type { ByteString, Entry } from "../formats/entry.ts";
import type { PackedObject } from "../formats/packing-list.ts";
import { Digester } from "./digest.ts";
import { type ContentDigests, FileDigests } from "./file-digests.ts";
import { type LayerEvent, readLayer } from "./layer-reader.ts";
import { packedObject } from "./packed-object.ts";
import type { ImageStore, StoredImage } from "./store.ts";

/** What is at a path. Several names of one object share it. */
export interface Placed {
  entry: Entry;
  object: PackedObject;
}

/** A name in the tree. Nested, so that a directory goes at once, however much is below it. */
interface Node {
  /** undefined: a directory that only the names below it tell of. */
  placed: Placed | undefined;
  children: Map<ByteString, Node>;
  /** The layer that has the name, or something below it, last; and the one that `placed` is from. */
  layer: number;
  placedIn: number;
}

const maxLinks = 40;

export class MergedTree {
  readonly #root: Node = newNode(0);
  #layer = 0;
  #current: { placed: Placed; digester: Digester } | undefined;
  /** The content of these files is kept, up to so many bytes. */
  readonly #kept: ReadonlyMap<ByteString, number>;
  readonly #texts = new Map<Placed, Uint8Array[]>();

  constructor(keep: Readonly<Record<ByteString, number>> = {}) {
    this.#kept = new Map(Object.entries(keep));
  }

  /** Before the events of each layer, the lowest first. */
  beginLayer(): void {
    this.#layer++;
  }

  /** What a layer removes is lower layers', never its own, wherever in the layer the mark stands. */
  add(event: LayerEvent): void {
    if (event.type === "entry") this.#entry(event.entry, event.hardlinkTo);
    else if (event.type === "data") this.#data(event.bytes);
    else if (event.type === "end") this.#end();
    else if (event.type === "opaque") this.#removeBelow(this.#find(event.path));
    else this.#remove(event.path);
  }

  #remove(path: ByteString): void {
    const node = this.#find(path);
    if (node === undefined) return;
    if (node.layer !== this.#layer) this.#find(parentOf(path))?.children.delete(nameOf(path));
    else this.#removeLower(node);
  }

  /** Of a name that the layer has too: what lower layers say of it and have below it. */
  #removeLower(node: Node): void {
    if (node.placedIn !== this.#layer) node.placed = undefined;
    this.#removeBelow(node);
  }

  #removeBelow(node: Node | undefined): void {
    for (const [name, child] of node?.children ?? []) {
      if (child.layer === this.#layer) this.#removeLower(child);
      else node?.children.delete(name);
    }
  }

  #entry(entry: Entry, hardlinkTo: ByteString | undefined): void {
    this.#current = undefined;
    const linked = hardlinkTo === undefined ? undefined : this.#find(hardlinkTo)?.placed;
    const placed = linked ?? { entry, object: packedObject(entry, undefined) };
    const node = this.#make(entry.path);
    node.placed = placed;
    node.placedIn = this.#layer;
    if (entry.kind !== "directory") node.children.clear();
    if (entry.kind !== "file" || linked !== undefined) return;
    if (entry.size <= (this.#kept.get(entry.path) ?? -1)) this.#texts.set(placed, []);
    this.#current = { placed, digester: new Digester() };
  }

  #data(bytes: Uint8Array): void {
    if (this.#current === undefined) return;
    const { placed, digester } = this.#current;
    digester.update(bytes);
    this.#texts.get(placed)?.push(Uint8Array.from(bytes));
  }

  #end(): void {
    if (this.#current === undefined) return;
    const { placed, digester } = this.#current;
    placed.object = packedObject(placed.entry, digester.digest());
    this.#current = undefined;
  }

  #find(path: ByteString): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const part of partsOf(path)) node = node?.children.get(part);
    return node;
  }

  /** What is no directory on the way gives way to one, as it does when the layer is unpacked over it. */
  #make(path: ByteString): Node {
    let node = this.#root;
    node.layer = this.#layer;
    for (const part of partsOf(path)) {
      if (node.placed !== undefined && node.placed.entry.kind !== "directory") node.placed = undefined;
      let child = node.children.get(part);
      if (child === undefined) {
        child = newNode(this.#layer);
        node.children.set(part, child);
      }
      child.layer = this.#layer;
      node = child;
    }
    return node;
  }

  /** Whether there is something; also a directory that only names below it tell of. */
  has(path: ByteString): boolean {
    return this.#find(path) !== undefined;
  }

  /** By the name itself, without following links. */
  at(path: ByteString): Placed | undefined {
    return this.#find(path)?.placed;
  }

  /** Names in a directory; none where it is not one. */
  namesIn(path: ByteString): ByteString[] {
    return [...(this.#find(path)?.children.keys() ?? [])];
  }

  /** Content of a file that was asked to be kept. */
  textOf(path: ByteString): Uint8Array | undefined {
    const placed = this.at(path);
    const parts = placed === undefined ? undefined : this.#texts.get(placed);
    return parts === undefined ? undefined : Buffer.concat(parts);
  }

  /** All objects with their names, in the order of names. */
  *all(): Generator<[ByteString, Placed]> {
    const todo: [ByteString, Node][] = [["", this.#root]];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const [path, node] = next;
      if (node.placed !== undefined) yield [path === "" ? "/" : path, node.placed];
      const names = [...node.children.keys()].sort().reverse();
      for (const name of names) {
        const child = node.children.get(name);
        if (child !== undefined) todo.push([`${path}/${name}`, child]);
      }
    }
  }

  /** The path with the links of its directories (`last`: its own too) followed inside; undefined where they lead nowhere. */
  resolve(path: ByteString, last = false): ByteString | undefined {
    let parts = partsOf(path);
    let at: ByteString = "";
    for (let links = 0, index = 0; index < parts.length; index++) {
      const part = parts[index] ?? "";
      if (part === "." || part === "..") {
        if (part === "..") at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const entry = this.at(`${at}/${part}`)?.entry;
      if (entry?.kind !== "symlink" || (!last && index === parts.length - 1)) {
        at = `${at}/${part}`;
        continue;
      }
      if (++links > maxLinks) return undefined;
      if (entry.target.startsWith("/")) at = "";
      parts = [...partsOf(entry.target), ...parts.slice(index + 1)];
      index = -1;
    }
    return at === "" ? "/" : at;
  }
}

/** Reads all layers; digests and diffIDs are checked on the way. `below`: images whose layers lie below, the lowest first. */
export async function treeOfImage(
  store: ImageStore,
  image: StoredImage,
  keep: Readonly<Record<ByteString, number>> = {},
  below: readonly StoredImage[] = [],
): Promise<MergedTree> {
  const tree = new MergedTree(keep);
  for (const layer of [...below, image].flatMap(({ layers }) => layers)) {
    tree.beginLayer();
    for await (const events of readLayer({ store, layer }, { devices: anyDevice }))
      for (const event of events) tree.add(event);
  }
  return tree;
}

/** Digests of all regular files of an image by each of their names, as it shows them. */
export async function contentsOfImage(
  store: ImageStore,
  image: StoredImage,
): Promise<Map<ByteString, ContentDigests>> {
  const tree = new MergedTree();
  const contents = new Map<Placed, ContentDigests>();
  let current: Digesting | undefined;
  for (const layer of image.layers) {
    tree.beginLayer();
    for await (const events of readLayer({ store, layer }, { devices: anyDevice })) {
      for (const event of events) {
        if (event.type === "data") current?.digests.update(event.bytes);
        else if (event.type === "end") {
          const content = current?.digests.finish().content;
          if (current !== undefined && content !== undefined) contents.set(current.placed, content);
        }
        tree.add(event);
        if (event.type === "entry") current = digestsFor(event, tree);
      }
    }
  }
  const byName = new Map<ByteString, ContentDigests>();
  for (const [path, placed] of tree.all()) {
    const content = contents.get(placed);
    if (content !== undefined) byName.set(path, content);
  }
  return byName;
}

interface Digesting {
  placed: Placed;
  digests: FileDigests;
}

/** Of an entry that the tree has already; undefined where it brings no content of a file. */
function digestsFor(event: LayerEvent & { type: "entry" }, tree: MergedTree): Digesting | undefined {
  const { kind, size, path, extents } = event.entry;
  const placed = tree.at(path);
  if (kind !== "file" || event.hardlinkTo !== undefined || placed === undefined) return undefined;
  return { placed, digests: new FileDigests(extents ?? [{ offset: 0, length: size }], size) };
}

/** For who only looks: nothing is made of what is read. */
export const anyDevice: ReadonlySet<string> = Object.assign(new Set<string>(), { has: () => true });

function newNode(layer: number): Node {
  return { placed: undefined, children: new Map(), layer, placedIn: layer };
}

function partsOf(path: ByteString): ByteString[] {
  return path.split("/").filter((part) => part !== "");
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, path.lastIndexOf("/"));
}

function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}
