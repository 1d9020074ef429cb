// Files of one machine laid over those of another: where the upper ones have the say, and where a link leads to them, is decided here once.
import { Tree } from "../../closure/tree.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import type {
  FetchedContent,
  FileStream,
  Machine,
  MachineFiles,
  Resolution,
  Unreadable,
  WalkOptions,
} from "../../machine/machine.ts";
import { hostRoot } from "../../machine/machine.ts";

export abstract class LaidOverFiles implements MachineFiles {
  protected readonly lower: MachineFiles;
  protected readonly upper: MachineFiles;

  constructor(lower: MachineFiles, upper: MachineFiles) {
    this.lower = lower;
    this.upper = upper;
  }

  /** What a path is called in the upper files, where they have the say; undefined where the machine below has it. */
  protected abstract above(path: ByteString): ByteString | undefined;
  protected abstract lstat(path: ByteString): Promise<Entry | undefined>;
  abstract list(path: ByteString): Promise<Entry[] | undefined>;
  abstract walk(path: ByteString, options?: WalkOptions): AsyncIterable<Entry | Unreadable>;

  async stat(path: ByteString, options: { follow?: boolean } = {}): Promise<Entry | undefined> {
    if (options.follow !== true) return await this.lstat(path);
    const { entry } = await this.resolve(path);
    return entry === undefined ? undefined : { ...entry, path };
  }

  /** As the machine below resolves it, where that meets nothing of the upper files; else links are followed here. */
  async resolve(path: ByteString): Promise<Resolution> {
    const plain = await this.lower.resolve(path);
    const met = [path, ...plain.links.map((link) => link.path), plain.entry?.path ?? path];
    if (plain.entry !== undefined && !met.some((one) => this.above(one) !== undefined)) return plain;
    const tree = new Tree({
      lstat: (at) => this.lstat(at),
      list: (at) => this.list(at),
      readRange: (at, offset, length) => this.readRange(at, offset, length),
    });
    const { links, entry } = await tree.resolve(path);
    return { links: [...links], entry };
  }

  async read(path: ByteString, options?: { maxBytes?: number }): Promise<Uint8Array | undefined> {
    const [files, at] = await this.#holder(path);
    return await files.read(at, options);
  }

  async readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    const [files, at] = await this.#holder(path);
    return await files.readRange(at, offset, length);
  }

  async stream(path: ByteString): Promise<FileStream | undefined> {
    const inner = this.above(path);
    if (inner === undefined) return await this.lower.stream(path);
    const stream = await this.upper.stream(inner);
    return stream === undefined ? undefined : { ...stream, entry: { ...stream.entry, path } };
  }

  /** Who has the content of what a path names, links followed, and under which path. */
  async #holder(path: ByteString): Promise<[MachineFiles, ByteString]> {
    const { entry } = await this.resolve(path);
    const inner = this.above(entry?.path ?? path);
    return inner === undefined ? [this.lower, path] : [this.upper, inner];
  }
}

/** Content of a far machine, less what lies over it on this host. */
export function contentBelow(
  machine: Machine,
  isAbove: (path: ByteString) => boolean,
): Pick<Machine, "content"> {
  const { content } = machine;
  if (content === undefined) return {};
  const fetch: FetchedContent["fetch"] = (entries, options) =>
    content.fetch(
      entries.filter((entry) => !isAbove(entry.path)),
      options,
    );
  return {
    content: { fetch, open: (entry) => content.open(entry), placeOf: (entry) => content.placeOf(entry) },
  };
}

/** Where a file that nothing lies over is on this host; undefined where its content has to be fetched. */
export function placeBelow(machine: Machine, path: ByteString): ByteString | undefined {
  return machine.placeOf?.(path) ?? (machine.content === undefined ? plainPlace(machine, path) : undefined);
}

/** Where a file of the machine itself lies on this host. */
export function plainPlace(machine: Machine, path: ByteString): ByteString {
  return (machine.root === "/" ? "" : encodeText(hostRoot(machine))) + path;
}
