// A layer of the store, packed in another way into a file. The content is checked on the way: diffIDs stay.
import { type FileHandle, open } from "node:fs/promises";
import { TranshipError } from "../base/errors.ts";
import { layerCompression } from "../formats/oci.ts";
import type { Digest } from "../formats/oci-reference.ts";
import { ioError } from "../host/files.ts";
import { type Compression, Compressor } from "./compress.ts";
import { Digester } from "./digest.ts";
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
  const sink = new Sink(await open(path, "wx", 0o644), path);
  try {
    const same = layerCompression(layer.descriptor.mediaType) === compression;
    if (compression === "none")
      for await (const chunk of readLayerTar({ store, layer })) await sink.write(chunk);
    else if (same) await copyChecked(store, layer, sink);
    else await compressInto(sink, store, layer, compression);
    return { path, digest: sink.digest(), size: sink.size };
  } finally {
    await sink.close();
  }
}

async function compressInto(
  sink: Sink,
  store: ImageStore,
  layer: StoredLayer,
  compression: Compression,
): Promise<void> {
  const compressor = new Compressor(compression, (bytes) => sink.write(bytes));
  try {
    for await (const chunk of readLayerTar({ store, layer })) await compressor.append(chunk);
    await compressor.finish();
  } catch (error) {
    await compressor.abandon();
    throw error;
  }
}

async function copyChecked(store: ImageStore, layer: StoredLayer, sink: Sink): Promise<void> {
  for await (const chunk of readBlobFile(store, layer.descriptor)) await sink.write(chunk);
  sink.expect(layer.descriptor.digest);
}

class Sink {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #digester = new Digester();
  #digest: Digest | undefined;
  size = 0;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#digester.update(bytes);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.#file.write(bytes, done, bytes.length - done)).bytesWritten;
      }
    } catch (cause) {
      throw ioError(`cannot write ${this.#path}`, cause);
    }
    this.size += bytes.length;
  }

  digest(): Digest {
    this.#digest ??= this.#digester.digest();
    return this.#digest;
  }

  expect(digest: Digest): void {
    if (this.digest() === digest) return;
    throw new TranshipError("E_IMAGE_CORRUPT", `blob ${digest}: content has the digest ${this.digest()}`);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
