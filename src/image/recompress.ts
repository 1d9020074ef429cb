// A layer of the store, packed in another way into a file. The content is checked on the way: diffIDs stay.
import { open } from "node:fs/promises";
import { TranshipError } from "../base/errors.ts";
import { type Descriptor, layerCompression } from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { type Compression, Compressor } from "./compress.ts";
import { Digester } from "./digest.ts";
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
    await packInto(store, layer, compression, (bytes) => sink.append(bytes));
    return { path, digest: sink.digest(), size: sink.size };
  } finally {
    await sink.file.close();
  }
}

/** Gives the layer's packed bytes in order, the same each time; `write` is awaited. A layer that is packed so already comes as it is. */
export async function packInto(
  store: ImageStore,
  layer: StoredLayer,
  compression: Compression | "none",
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  if (layerCompression(layer.descriptor.mediaType) === compression)
    await copyChecked(store, layer.descriptor, write);
  else if (compression === "none")
    for await (const chunk of readLayerTar({ store, layer })) await write(chunk);
  else await compressInto(write, store, layer, compression);
}

async function compressInto(
  write: (bytes: Uint8Array) => Promise<void>,
  store: ImageStore,
  layer: StoredLayer,
  compression: Compression,
): Promise<void> {
  const compressor = new Compressor(compression, write);
  try {
    for await (const chunk of readLayerTar({ store, layer })) await compressor.append(chunk);
    await compressor.finish();
  } catch (error) {
    await compressor.abandon();
    throw error;
  }
}

/** Gives the bytes of a blob in order; E_IMAGE_CORRUPT at the end where it is not what its digest says. */
export async function copyChecked(
  store: ImageStore,
  descriptor: Descriptor,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const digester = new Digester(descriptor.digest);
  for await (const chunk of readBlobFile(store, descriptor)) {
    digester.update(chunk);
    await write(chunk);
  }
  const digest = digester.digest();
  if (digest !== descriptor.digest)
    throw new TranshipError("E_IMAGE_CORRUPT", `blob ${descriptor.digest}: content has the digest ${digest}`);
}
