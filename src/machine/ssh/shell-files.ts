// The files of a far machine by its own programs: what `--no-push` reads with, and machines that cannot take the collector.
// It does not show extended attributes, holes and nanoseconds; with ls alone neither devices nor ctimes.
import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { type Listing, parseListing } from "../../formats/shell-listing.ts";
import type { BulkSink } from "../bulk.ts";
import { ioError } from "../errno.ts";
import type { FileStream, Resolution, Unreadable, WalkOptions } from "../machine.ts";
import { sameFile } from "../resuming-files.ts";
import type { BulkFiles } from "../tree-files.ts";
import {
  absent,
  blockSize,
  cannotFork,
  listScript,
  readScript,
  type ShellWays,
  statScript,
  walkScript,
} from "./shell-scripts.ts";
import type { ShellSession } from "./shell-session.ts";

const defaultMaxBytes = 64 << 20;
/** Of one listing: some hundred thousand names. */
const maxListing = 256 << 20;
const piece = 4 << 20;
/** Described in one script. */
const batch = 64;
const maxLinks = 40;
const noProcesses = "its shell cannot start another process";

export class ShellFiles implements BulkFiles {
  readonly #session: ShellSession;
  readonly #ways: ShellWays;

  constructor(session: ShellSession, ways: ShellWays) {
    this.#session = session;
    this.#ways = ways;
  }

  async stat(path: ByteString, options: { follow?: boolean } = {}): Promise<Entry | undefined> {
    return (await this.#describe([path], options.follow === true)).get(path);
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const { status, entries } = await this.#listing(
      (mark) => listScript(this.#ways, mark, path),
      this.#ways.find,
    );
    if (status === 20) return undefined;
    if (status === 13) throw ioError(13, path);
    const prefix = `${path.replace(/\/+$/, "")}/`;
    const named = entries.map((entry) => ({ ...entry, path: prefix + entry.path.replace(/^\.\//, "") }));
    return named.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async *walk(path: ByteString, options: WalkOptions = {}): AsyncGenerator<Entry | Unreadable, void, void> {
    const exclude = options.exclude ?? [];
    if (exclude.includes(path)) return;
    if (!this.#ways.find) {
      yield* this.#descend(path, options);
      return;
    }
    const { entries, closed } = await this.#listing(
      (mark) => walkScript(this.#ways, mark, path, exclude, options.oneFileSystem === true),
      true,
    );
    if (entries.length === 0) {
      if ((await this.stat(path)) !== undefined) throw this.#session.broken("its find describes nothing");
      yield { path, error: "ENOENT" };
    }
    const keyed = entries.map((entry) => ({
      entry,
      key: entry.path === "/" ? "" : entry.path.replaceAll("/", "\0"),
    }));
    keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const { entry } of keyed) {
      yield entry;
      if (closed.has(entry.path)) yield { path: entry.path, error: "EACCES" };
    }
  }

  /** Without find: one listing for each directory. */
  async *#descend(path: ByteString, options: WalkOptions): AsyncGenerator<Entry | Unreadable, void, void> {
    const top = await this.stat(path);
    if (top === undefined) {
      yield { path, error: "ENOENT" };
      return;
    }
    const waiting: Entry[] = [top];
    for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
      yield entry;
      if (entry.kind !== "directory" || (options.oneFileSystem === true && entry.dev !== top.dev)) continue;
      try {
        const below = (await this.list(entry.path)) ?? [];
        waiting.push(...below.filter((one) => !options.exclude?.includes(one.path)).reverse());
      } catch (error) {
        if (!(error instanceof TranshipError) || error.code !== "E_IO") throw error;
        yield { path: entry.path, error: "EACCES" };
      }
    }
  }

  async resolve(path: ByteString): Promise<Resolution> {
    const links: Entry[] = [];
    let rest = path.split("/").filter((part) => part !== "" && part !== ".");
    let done: ByteString[] = [];
    for (;;) {
      const prefixes = rest.map((_, i) => `/${[...done, ...rest.slice(0, i + 1)].join("/")}`);
      const plain = prefixes.slice(0, rest.includes("..") ? rest.indexOf("..") : undefined);
      const seen = await this.#describe(["/", ...plain], false);
      const at = plain.findIndex((one) => seen.get(one)?.kind !== "directory");
      const entry = at < 0 ? undefined : seen.get(plain[at] ?? "");
      if (entry?.kind === "symlink" && links.length < maxLinks) {
        links.push(entry);
        const target = entry.target.split("/").filter((part) => part !== "" && part !== ".");
        done = entry.target.startsWith("/") ? [] : [...done, ...rest.slice(0, at)];
        rest = [...target, ...rest.slice(at + 1)];
      } else if (at >= 0) {
        return { links, entry: entry?.kind !== "symlink" && at === rest.length - 1 ? entry : undefined };
      } else if (plain.length < rest.length) {
        done = [...done, ...rest.slice(0, plain.length)].slice(0, -1);
        rest = rest.slice(plain.length + 1);
      } else {
        return {
          links,
          entry: seen.get(plain.at(-1) ?? `/${done.join("/")}`) ?? (await this.stat(`/${done.join("/")}`)),
        };
      }
    }
  }

  async read(path: ByteString, options: { maxBytes?: number } = {}): Promise<Uint8Array | undefined> {
    const maxBytes = options.maxBytes ?? defaultMaxBytes;
    const bytes = await this.readRange(path, 0, maxBytes + 1);
    if (bytes !== undefined && bytes.length > maxBytes) {
      throw new TranshipError("E_LIMIT", `${escapeBytes(path)} has more than ${maxBytes} bytes`, {
        details: { path, maxBytes },
      });
    }
    return bytes;
  }

  readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#content(path, offset, length, true);
  }

  async stream(path: ByteString): Promise<FileStream | undefined> {
    const entry = await this.stat(path);
    if (entry === undefined) return undefined;
    let changed = false;
    const self = this;
    async function* data(): AsyncGenerator<{ offset: number; bytes: Uint8Array }> {
      for (let offset = 0; entry?.kind === "file" && offset < entry.size; ) {
        const bytes = await self.#content(path, offset, Math.min(piece, entry.size - offset), false);
        if (bytes === undefined || bytes.length === 0) break;
        yield { offset, bytes };
        offset += bytes.length;
      }
      changed = entry !== undefined && !sameFile(await self.stat(path), entry);
    }
    return { entry, data: data(), changed: () => changed };
  }

  async streamAll(paths: readonly ByteString[], sink: BulkSink): Promise<void> {
    for (let from = 0; from < paths.length; from += batch) {
      const some = paths.slice(from, from + batch);
      const before = await this.#describe(some, false);
      const small = some.map((path) => {
        const size = before.get(path)?.size ?? 0;
        const content = size > 0 && size <= piece ? this.#content(path, 0, size, false) : undefined;
        content?.catch(() => {}); // awaited in its turn
        return content;
      });
      for (const [i, path] of some.entries())
        await this.#give(from + i, path, before.get(path), small[i], sink);
    }
  }

  async #give(
    index: number,
    path: ByteString,
    entry: Entry | undefined,
    small: Promise<Uint8Array | undefined> | undefined,
    sink: BulkSink,
  ): Promise<void> {
    if (entry === undefined) {
      sink.failed(index, 2);
      return;
    }
    sink.begin(index, entry);
    let reached = 0;
    try {
      for (; reached < entry.size; ) {
        const bytes = await (reached === 0 && small !== undefined
          ? small
          : this.#content(path, reached, Math.min(piece, entry.size - reached), false));
        if (bytes === undefined || bytes.length === 0) break;
        sink.data(index, reached, bytes);
        reached += bytes.length;
      }
    } catch (error) {
      if (!(error instanceof TranshipError) || error.code !== "E_IO") throw error;
      sink.failed(index, 13);
      return;
    }
    sink.end(index, reached < entry.size || !sameFile(await this.stat(path), entry));
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #content(
    path: ByteString,
    offset: number,
    length: number,
    follow: boolean,
  ): Promise<Uint8Array | undefined> {
    const { status, output } = await this.#session.ask(
      () => readScript(this.#ways, path, { offset, length }, follow),
      (this.#ways.head ? length : defaultMaxBytes) + 2 * blockSize,
    );
    if (status === cannotFork) throw this.#session.broken(noProcesses);
    if (status === absent) return undefined;
    if (status === 13) throw ioError(13, path);
    if (status === 22) throw ioError(22, path);
    const skip = offset > 0 ? offset % blockSize : 0;
    return Buffer.from(output.subarray(skip, skip + length));
  }

  /** By the path as asked; what is not there is not in it. */
  async #describe(paths: readonly ByteString[], follow: boolean): Promise<Map<ByteString, Entry>> {
    const { entries } = await this.#listing((mark) => statScript(this.#ways, mark, paths, follow), false);
    return new Map(entries.map((entry) => [entry.path, entry]));
  }

  /** `found`: by find, which tells what it found beside what was described. */
  async #listing(
    script: (mark: string) => ByteString,
    found: boolean,
  ): Promise<Listing & { status: number }> {
    let used = "";
    const { status, output } = await this.#session.ask((mark) => {
      used = `${mark}:`;
      return script(used);
    }, maxListing);
    const listing = parseListing(output.toString("latin1"), used);
    if (status === cannotFork) throw this.#session.broken(noProcesses);
    const refused = status === 13 || status === 20;
    if (!refused && (!listing.ran || (!found && listing.shells === 0)))
      throw this.#session.broken("its programs cannot be started, or are killed");
    if (!refused && found && !listing.allDescribed)
      throw this.#session.broken("its find cannot start a program for all that it finds");
    if (listing.damaged > 0)
      throw new TranshipError(
        "E_PROTOCOL",
        `the far side describes ${listing.damaged} files in a way that is not understood`,
      );
    return { ...listing, status };
  }
}
