// The objects of a layer, each whole: with the digest of its content, when that has gone by.
import type { ByteString, Entry } from "../formats/entry.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { Digester } from "./digest.ts";
import type { LayerEvent } from "./layer-reader.ts";

export interface LayerObject {
  entry: Entry;
  hardlinkTo: ByteString | undefined;
  /** Of the data of a regular file. */
  content: Digest | undefined;
}

export class ObjectMaker {
  readonly #wants: () => boolean;
  #current: { entry: Entry; digester: Digester | undefined } | undefined;

  /** `wants`: asked once for each regular file, in order, whether its content is to be digested. */
  constructor(wants: () => boolean = () => true) {
    this.#wants = wants;
  }

  /** The object that is whole by this event. */
  add(event: LayerEvent): LayerObject | undefined {
    if (event.type === "data") {
      this.#current?.digester?.update(event.bytes);
      return undefined;
    }
    if (event.type === "entry") {
      const { entry, hardlinkTo } = event;
      if (entry.kind !== "file" || hardlinkTo !== undefined) return { entry, hardlinkTo, content: undefined };
      this.#current = { entry, digester: this.#wants() ? new Digester() : undefined };
      return undefined;
    }
    if (event.type !== "end" || this.#current === undefined) return undefined;
    const { entry, digester } = this.#current;
    this.#current = undefined;
    return { entry, hardlinkTo: undefined, content: digester?.digest() };
  }
}
