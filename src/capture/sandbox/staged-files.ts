// Files of a staged copy, told as those of the machine that was copied: its devices, inodes, times and attributes, by canonical path.
import type { ByteString, Entry } from "../../formats/entry.ts";
import type { FileStream, MachineFiles, Resolution, Unreadable, WalkOptions } from "../../machine/machine.ts";
import { isUnreadable } from "../../machine/machine.ts";

export class StagedFiles implements MachineFiles {
  readonly #copy: MachineFiles;
  readonly #originals: ReadonlyMap<ByteString, Entry>;

  constructor(copy: MachineFiles, originals: readonly Entry[]) {
    this.#copy = copy;
    this.#originals = new Map(originals.map((entry) => [entry.path, entry]));
  }

  async stat(path: ByteString, options: { follow?: boolean } = {}): Promise<Entry | undefined> {
    const entry = await this.#copy.stat(path, options);
    return entry === undefined ? undefined : await this.#original(entry, options.follow === true);
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const entries = await this.#copy.list(path);
    if (entries === undefined) return undefined;
    const { entry } = await this.#copy.resolve(path);
    const above = entry === undefined || entry.path === "/" ? "" : entry.path;
    return entries.map((one) => this.#known(`${above}${one.path.slice(one.path.lastIndexOf("/"))}`, one));
  }

  async *walk(path: ByteString, options?: WalkOptions): AsyncGenerator<Entry | Unreadable, void, void> {
    for await (const one of this.#copy.walk(path, options))
      yield isUnreadable(one) ? one : this.#known(one.path, one);
  }

  async resolve(path: ByteString): Promise<Resolution> {
    const { links, entry } = await this.#copy.resolve(path);
    return {
      links: links.map((link) => this.#known(link.path, link)),
      entry: entry === undefined ? undefined : this.#known(entry.path, entry),
    };
  }

  read(path: ByteString, options?: { maxBytes?: number }): Promise<Uint8Array | undefined> {
    return this.#copy.read(path, options);
  }

  readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#copy.readRange(path, offset, length);
  }

  async stream(path: ByteString): Promise<FileStream | undefined> {
    const stream = await this.#copy.stream(path);
    if (stream === undefined) return undefined;
    const entry = await this.#original(stream.entry, false);
    return { entry, data: stream.data, changed: stream.changed };
  }

  async #original(entry: Entry, follow: boolean): Promise<Entry> {
    const plain = this.#originals.get(entry.path);
    if (plain !== undefined && plain.kind === entry.kind) return plain;
    if (follow) {
      const { entry: end } = await this.#copy.resolve(entry.path);
      return end === undefined ? entry : this.#known(end.path, entry);
    }
    const slash = entry.path.lastIndexOf("/");
    const { entry: above } = await this.#copy.resolve(entry.path.slice(0, slash) || "/");
    const directory = above === undefined || above.path === "/" ? "" : above.path;
    return this.#known(`${directory}${entry.path.slice(slash)}`, entry);
  }

  /** The original at a canonical path, under the name that was asked for. */
  #known(canonical: ByteString, entry: Entry): Entry {
    const original = this.#originals.get(canonical);
    return original === undefined ? entry : { ...original, path: entry.path };
  }
}
