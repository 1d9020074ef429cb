// One object of a layer with its content: what the writer takes and the reader gives.
import type { ByteString, Entry } from "../formats/entry.ts";

export interface LayerData {
  offset: number;
  bytes: Uint8Array;
}

export interface LayerItem {
  entry: Entry;
  /**
   * Where a regular file lies on this host (byte string), for machines whose root is a directory here: read directly,
   * which is several times faster than a stream. Refused where it is not the very inode that the entry tells of.
   */
  hostFile?: ByteString;
  /** Or a copy of its content on this host that is ours, holes as they are (byte string): only its size is held against the entry. */
  keptFile?: ByteString;
  /**
   * Else the content of a regular file: data in ascending order, holes left out; needed where size is above 0 and it is no hard
   * link. Read at most once, only where it is needed, and a little later than the item is taken: what it reads from has to
   * stay open until the layer is written.
   */
  data?: AsyncIterable<LayerData>;
  /** Absolute path of an earlier item of the same layer: this one is another name of it. */
  hardlinkTo?: ByteString;
}

/** An object that could not be put into the layer, or not with everything it has. */
export interface LayerNote {
  path: ByteString;
  reason: string;
}
