// ELF facts of a tree, each file read once. Only the imports that rules ask about are kept: a large root has millions.

import type { ElfFile } from "../formats/elf.ts";
import { readElf } from "../formats/elf.ts";
import type { ByteString } from "../formats/entry.ts";
import type { Tree } from "./tree.ts";

const wantedImports = ["dlopen", "dlmopen", "iconv_open", "libiconv_open", "system", "popen"];

export class ElfReader {
  readonly #tree: Tree;
  readonly #files = new Map<ByteString, Promise<ElfFile | undefined>>();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** By canonical path; undefined where it is no ELF file or cannot be read. */
  info(path: ByteString): Promise<ElfFile | undefined> {
    let file = this.#files.get(path);
    if (file === undefined) {
      file = this.#load(path).catch(() => undefined);
      this.#files.set(path, file);
    }
    return file;
  }

  async #load(path: ByteString): Promise<ElfFile | undefined> {
    const read = async (offset: number, length: number): Promise<Uint8Array> =>
      (await this.#tree.source.readRange(path, offset, length)) ?? new Uint8Array();
    const elf = await readElf(read);
    if (elf === undefined) return undefined;
    return { ...elf, imports: new Set(wantedImports.filter((name) => elf.imports.has(name))) };
  }
}
