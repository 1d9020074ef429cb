// Paths below the root of another system: symbolic links there lead nowhere but inside of it.
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../../formats/entry.ts";

const maxLinks = 40;

export class Inside {
  readonly top: string;
  /** Directories that were resolved before. */
  readonly #known = new Map<ByteString, ByteString>();

  constructor(top: string) {
    this.top = top;
  }

  /** Where the name is: links of the directories above it followed. What is not there resolves as it is written. */
  place(path: ByteString): Buffer {
    const slash = path.lastIndexOf("/");
    const parent = this.#directory(path.slice(0, slash));
    return this.#buffer(`${parent}/${path.slice(slash + 1)}`);
  }

  stat(path: ByteString): Stats | undefined {
    try {
      return lstatSync(this.place(path), { throwIfNoEntry: false });
    } catch {
      return undefined; // a file where a directory should be
    }
  }

  #directory(path: ByteString): ByteString {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    let todo = path.split("/").filter((name) => name !== "" && name !== ".");
    let done: ByteString[] = [];
    for (let links = 0; todo.length > 0; ) {
      const [name = "", ...rest] = todo;
      todo = rest;
      if (name === "..") {
        done = done.slice(0, -1);
        continue;
      }
      const here = this.#buffer(`/${[...done, name].join("/")}`);
      const stat = lstatSync(here, { throwIfNoEntry: false });
      if (stat?.isSymbolicLink() === true && ++links <= maxLinks) {
        const link = readlinkSync(here, "buffer").toString("latin1");
        if (link.startsWith("/")) done = [];
        todo = [...link.split("/").filter((part) => part !== "" && part !== "."), ...rest];
      } else done.push(name);
    }
    const found = done.length === 0 ? "" : `/${done.join("/")}`;
    this.#known.set(path, found);
    return found;
  }

  #buffer(path: ByteString): Buffer {
    return Buffer.concat([Buffer.from(join(this.top, "/").replace(/\/$/, "")), Buffer.from(path, "latin1")]);
  }
}
