// Directories that a run renamed: what it then uses below the new name lies below the old one on the source.
import type { ByteString } from "../../formats/entry.ts";

/** A program that renames more directories of its machine than this made them itself. */
const most = 10_000;

export class MovedPaths {
  /** New name -> name on the source. */
  readonly #origins = new Map<ByteString, ByteString>();

  /** What was at `from` is at `to` now; before: whether `from` was a name of the source. */
  moved(from: ByteString, to: ByteString, before: boolean): void {
    const known = this.originOf(from);
    const origin = known ?? from;
    this.#origins.delete(from);
    this.#origins.delete(to);
    if ((before || known !== undefined) && this.#origins.size < most && origin !== to)
      this.#origins.set(to, origin);
  }

  /** The name on the source of a path at or below a new name; undefined where nothing above it was moved. */
  originOf(path: ByteString): ByteString | undefined {
    if (this.#origins.size === 0) return undefined;
    for (let at = path.length; at > 0; at = path.lastIndexOf("/", at - 1)) {
      const origin = this.#origins.get(path.slice(0, at));
      if (origin !== undefined) return origin + path.slice(at);
    }
    return undefined;
  }
}
