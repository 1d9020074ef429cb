// Directories that a layer has something in and no entry for. A layer says nothing of their attributes: those of lower layers stay.
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import type { LayerEvent } from "./layer-reader.ts";
import { directoryOf, PathTable } from "./path-table.ts";

/** The paths, which are kept in memory, together: a layer may name any number of directories that nobody needs. */
const maxBytes = 32 << 20;
const named = 1;

export class ImpliedDirectories {
  readonly #implied = new Set<ByteString>();
  /** What has an entry, of directories and of links that stand for one. */
  readonly #named = new PathTable(() => true);
  /** Neighbours come one after the other. */
  #last: ByteString = "/";
  #bytes = 0;

  /** The same events, once they were looked at. */
  async *watch(given: AsyncIterable<LayerEvent[]>): AsyncGenerator<LayerEvent[], void, void> {
    for await (const events of given) {
      for (const event of events) this.add(event);
      yield events;
    }
  }

  add(event: LayerEvent): void {
    if (event.type === "opaque") this.#need(event.path);
    else if (event.type === "whiteout") this.#need(directoryOf(event.path));
    else if (event.type === "entry") {
      const { path, kind } = event.entry;
      this.#need(directoryOf(path));
      if (kind !== "directory" && kind !== "symlink") return;
      this.#named.set(path, named);
      if (this.#implied.delete(path)) this.#bytes -= path.length;
    }
  }

  /** When all of the layer has gone by. Without the root: few layers have an entry for it. */
  paths(): ByteString[] {
    return [...this.#implied].sort();
  }

  #need(directory: ByteString): void {
    if (directory === this.#last) return;
    this.#last = directory;
    for (let path = directory; path !== "/" && !this.#isKnown(path); path = directoryOf(path)) {
      this.#bytes += path.length;
      if (this.#bytes > maxBytes) throw tooManyImplied("a layer", maxBytes);
      // A copy: what was cut out of a longer text keeps all of it in memory.
      this.#implied.add(Buffer.from(path, "latin1").toString("latin1"));
    }
  }

  #isKnown(path: ByteString): boolean {
    return this.#implied.has(path) || this.#named.get(path) === named;
  }
}

export function tooManyImplied(what: string, bytes: number): TranshipError {
  return new TranshipError(
    "E_LIMIT",
    `${what} has no entries for directories that take more than ${bytes} bytes to name`,
    { hint: "build the image with a tool that writes an entry for each directory" },
  );
}
