// A layer of the store, packed in another way into a file. The content is checked on the way: diffIDs stay.
import { open } from "node:fs/promises";
import { TranshipError } from "../base/errors.ts";
import { layerCompression } from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { type Compression, Compressor } from "./compress.ts";
import { DigestedFile } from "./digested-file.ts";
import { readBlobFile, readLayerTar } from "./layer-reader.ts";
import type { ImageStore, StoredLayer } from "./store.ts";

export interface PackedLayer {
  /** File that holds it. */
  path: string;
  digest: Digest;
  size: number;
}

/** Writes the layer to a new file at `path`; a layer that is packed so already is copied. */
export async function recompress(
  store: ImageStore,
  layer: StoredLayer,
  path: string,
  compression: Compression | "none",
): Promise<PackedLayer> {
  const sink = new DigestedFile(await open(path, "wx", 0o644), path);
  try {
    const same = layerCompression(layer.descriptor.mediaType) === compression;
    if (compression === "none")
      for await (const chunk of readLayerTar({ store, layer })) await sink.append(chunk);
    else if (same) await copyChecked(store, layer, sink);
    else await compressInto(sink, store, layer, compression);
    return { path, digest: sink.digest(), size: sink.size };
  } finally {
    await sink.file.close();
  }
}

async function compressInto(
  sink: DigestedFile,
  store: ImageStore,
  layer: StoredLayer,
  compression: Compression,
): Promise<void> {
  const compressor = new Compressor(compression, (bytes) => sink.append(bytes));
  try {
    for await (const chunk of readLayerTar({ store, layer })) await compressor.append(chunk);
    await compressor.finish();
  } catch (error) {
    await compressor.abandon();
    throw error;
  }
}

async function copyChecked(store: ImageStore, layer: StoredLayer, sink: DigestedFile): Promise<void> {
  for await (const chunk of readBlobFile(store, layer.descriptor)) await sink.append(chunk);
  const { digest } = layer.descriptor;
  if (sink.digest() === digest) return;
  throw new TranshipError("E_IMAGE_CORRUPT", `blob ${digest}: content has the digest ${sink.digest()}`);
}
