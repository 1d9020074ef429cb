// Reading a machine for facts: text as byte strings, bounded, and a note instead of an error for what cannot be read.
import { isTranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import type { Note } from "./inventory.ts";

/** Configuration files are small; what is longer is cut here, with a note. */
export const maxText = 1 << 20;
const maxNotes = 1000;

/** The files of a machine and the notes taken while reading them. */
export class Source {
  readonly files: MachineFiles;
  readonly notes: Note[] = [];

  constructor(files: MachineFiles) {
    this.files = files;
  }

  note(subject: ByteString, text: string): void {
    if (this.notes.length < maxNotes) this.notes.push({ subject, text });
  }

  /** Content as a byte string; undefined where absent, unreadable (noted) or no file. */
  async text(path: ByteString, limit = maxText): Promise<ByteString | undefined> {
    const bytes = await this.attempt(path, () => this.files.readRange(path, 0, limit + 1));
    if (bytes === undefined) return undefined;
    if (bytes.length > limit) this.note(path, `longer than ${limit} bytes, the rest is not read`);
    return latin1(bytes.subarray(0, limit));
  }

  /** The first bytes of a file; that there are more is no matter. */
  async head(path: ByteString, length: number): Promise<ByteString | undefined> {
    const bytes = await this.attempt(path, () => this.files.readRange(path, 0, length));
    return bytes === undefined ? undefined : latin1(bytes);
  }

  /** The first line without surrounding space. */
  async line(path: ByteString): Promise<ByteString | undefined> {
    const text = await this.text(path, 65_536);
    return text?.split("\n", 1)[0]?.trim();
  }

  stat(path: ByteString, follow = false): Promise<Entry | undefined> {
    return this.attempt(path, () => this.files.stat(path, { follow }));
  }

  /** Entries of a directory; none where it is absent or unreadable (noted). */
  async list(path: ByteString): Promise<Entry[]> {
    return (await this.attempt(path, () => this.files.list(path))) ?? [];
  }

  /** Regular files (and links, which may lead to files) of a directory whose names fit. */
  async filesIn(path: ByteString, pattern: RegExp): Promise<ByteString[]> {
    const entries = await this.list(path);
    return entries
      .filter(
        (entry) => (entry.kind === "file" || entry.kind === "symlink") && pattern.test(baseName(entry.path)),
      )
      .map((entry) => entry.path);
  }

  async exists(path: ByteString): Promise<boolean> {
    return (await this.stat(path, true)) !== undefined;
  }

  /** Canonical path of what a path names; undefined where it dangles. */
  async canonical(path: ByteString): Promise<ByteString | undefined> {
    const resolution = await this.attempt(path, () => this.files.resolve(path));
    return resolution?.entry?.path;
  }

  async attempt<T>(path: ByteString, work: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (
        !isTranshipError(error) ||
        error.code === "E_PROTOCOL" ||
        error.code === "E_MACHINE_UNREACHABLE" ||
        error.code === "E_INTERRUPTED"
      )
        throw error;
      this.note(path, error.message);
      return undefined;
    }
  }
}

export function latin1(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

export function baseName(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}
