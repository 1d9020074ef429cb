// Files of a machine whose connection may break. What was asked is asked again over the next connection; a walk goes on behind the last
// path that it told, a file at the offset that was reached. How often, and with what pauses, is the reconnect function's business.
import type { ByteString, Entry } from "../formats/entry.ts";
import type { FileStream, MachineFiles, Resolution, Unreadable, WalkOptions } from "./machine.ts";
import { isUnreadable } from "./machine.ts";

export interface Reconnecting<Files extends MachineFiles> {
  /** The files over a connection that works now. Throws when it is given up. */
  current(): Promise<Files>;
  /** Whether the error means that the connection broke; then `current` makes another. */
  isLost(error: unknown): boolean;
  /** Something came over the connection. */
  works(): void;
}

/** Read at once where a file goes on behind a break. */
const piece = 4 << 20;

export class ResumingFiles implements MachineFiles {
  readonly #source: Reconnecting<MachineFiles>;

  constructor(source: Reconnecting<MachineFiles>) {
    this.#source = source;
  }

  stat(path: ByteString, options?: { follow?: boolean }): Promise<Entry | undefined> {
    return this.#again((files) => files.stat(path, options));
  }

  list(path: ByteString): Promise<Entry[] | undefined> {
    return this.#again((files) => files.list(path));
  }

  resolve(path: ByteString): Promise<Resolution> {
    return this.#again((files) => files.resolve(path));
  }

  read(path: ByteString, options?: { maxBytes?: number }): Promise<Uint8Array | undefined> {
    return this.#again((files) => files.read(path, options));
  }

  readRange(path: ByteString, offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#again((files) => files.readRange(path, offset, length));
  }

  async *walk(path: ByteString, options?: WalkOptions): AsyncGenerator<Entry | Unreadable, void, void> {
    let last: ByteString | undefined;
    for (;;) {
      const files = await this.#source.current();
      try {
        for await (const one of files.walk(path, options)) {
          // A directory that cannot be read is told twice: first that it is there.
          const told =
            last !== undefined && (isUnreadable(one) ? !notBefore(one.path, last) : !after(one.path, last));
          if (told) continue;
          last = one.path;
          this.#source.works();
          yield one;
        }
        return;
      } catch (error) {
        if (!this.#source.isLost(error)) throw error;
      }
    }
  }

  async stream(path: ByteString): Promise<FileStream | undefined> {
    const first = await this.#again((files) => files.stream(path));
    return first === undefined ? undefined : new ResumingStream(this, this.#source, path, first);
  }

  async #again<T>(ask: (files: MachineFiles) => Promise<T>): Promise<T> {
    for (;;) {
      const files = await this.#source.current();
      try {
        const answer = await ask(files);
        this.#source.works();
        return answer;
      } catch (error) {
        if (!this.#source.isLost(error)) throw error;
      }
    }
  }
}

class ResumingStream implements FileStream {
  readonly entry: Entry;
  readonly data: AsyncIterable<{ offset: number; bytes: Uint8Array }>;
  readonly #first: FileStream;
  #changed: boolean | undefined;

  constructor(files: MachineFiles, source: Reconnecting<MachineFiles>, path: ByteString, first: FileStream) {
    this.entry = first.entry;
    this.#first = first;
    this.data = this.#read(files, source, path);
  }

  changed(): boolean {
    return this.#changed ?? this.#first.changed();
  }

  async *#read(files: MachineFiles, source: Reconnecting<MachineFiles>, path: ByteString) {
    let reached = 0;
    try {
      for await (const data of this.#first.data) {
        reached = data.offset + data.bytes.length;
        yield data;
      }
      return;
    } catch (error) {
      if (!source.isLost(error)) throw error;
    }
    this.#changed = true;
    if (!sameFile(await files.stat(path), this.entry)) return;
    for (const { offset, length } of restOf(this.entry, reached)) {
      for (let at = offset; at < offset + length; ) {
        const bytes = await files.readRange(path, at, Math.min(piece, offset + length - at));
        if (bytes === undefined || bytes.length === 0) return;
        yield { offset: at, bytes };
        at += bytes.length;
      }
    }
    this.#changed = !sameFile(await files.stat(path), this.entry);
  }
}

/** The data of a file from an offset on. */
export function restOf(entry: Entry, from: number): { offset: number; length: number }[] {
  return (entry.extents ?? [{ offset: 0, length: entry.size }]).flatMap(({ offset, length }) => {
    const start = Math.max(offset, from);
    return start < offset + length ? [{ offset: start, length: offset + length - start }] : [];
  });
}

/** Whether this is the same file with the same content: nothing was written since. */
export function sameFile(now: Entry | undefined, then: Entry): boolean {
  return (
    now?.kind === then.kind &&
    now.dev === then.dev &&
    now.ino === then.ino &&
    now.size === then.size &&
    now.mtime === then.mtime &&
    now.ctime === then.ctime
  );
}

/** In the order of a walk: parents first, siblings in byte order. */
function order(path: ByteString): string {
  return path === "/" ? "" : path.replaceAll("/", "\0");
}

function after(path: ByteString, last: ByteString): boolean {
  return order(path) > order(last);
}

function notBefore(path: ByteString, last: ByteString): boolean {
  return order(path) >= order(last);
}
