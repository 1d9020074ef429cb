// What `docker save` and `podman save` write: manifest.json names a config and plain layers.
import { createReadStream } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import {
  type Descriptor,
  decodeImageConfig,
  type ImageManifest,
  mediaType,
  parseDocument,
} from "../../formats/oci.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import { compressorAnnotation } from "../build.ts";
import { Compressor, compressorName } from "../compress.ts";
import { decompress } from "../decompress.ts";
import { Digester } from "../digest.ts";
import type { StoreSession } from "../store-session.ts";
import type { Imported } from "./imported.ts";
import { compressionOf, readDocumentFile, type SourceFile, type SourceFiles } from "./source-files.ts";

interface Saved {
  Config: string;
  RepoTags: string[];
  Layers: string[];
}

const maxLayers = 1000;

export async function importDockerArchive(
  session: StoreSession,
  files: SourceFiles,
  name: string,
  wanted: string | undefined,
): Promise<Imported> {
  const saved = chooseSaved(readDocumentFile(files, "manifest.json"), wanted);
  const text = readDocumentFile(files, saved.Config);
  const { rootfs } = decodeImageConfig(text, saved.Config);
  if (rootfs.diff_ids.length !== saved.Layers.length)
    throw new TranshipError(
      "E_IMAGE_CORRUPT",
      `manifest.json names ${saved.Layers.length} layers, the config ${rootfs.diff_ids.length}`,
    );
  const layers: Descriptor[] = [];
  for (const [i, layer] of saved.Layers.entries()) {
    const file = files.file(layer);
    if (file === undefined) throw new TranshipError("E_IMAGE_CORRUPT", `the archive has no ${layer}`);
    layers.push(await packLayer(session, file, rootfs.diff_ids[i] ?? "", layer));
  }
  const config = await session.put(mediaType.config, text);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config,
    layers,
    annotations: { [compressorAnnotation]: compressorName.zstd },
  };
  const image = await session.put(mediaType.manifest, JSON.stringify(manifest));
  const { store } = session;
  await store.updateIndex(`name ${name}`, () =>
    store.named(name, { target: image, manifestDescriptor: image }),
  );
  return { name, digest: image.digest, imageDigest: image.digest, layers: layers.length };
}

function chooseSaved(text: string, wanted: string | undefined): Saved {
  const list = parseDocument(text, "manifest.json");
  if (!Array.isArray(list) || !list.every(isSaved))
    throw new TranshipError("E_IMAGE_CORRUPT", "manifest.json is not what docker save writes");
  const fitting = wanted === undefined ? list : list.filter((one) => one.RepoTags?.includes(wanted));
  const [first] = fitting;
  if (first !== undefined && fitting.length === 1) return first;
  const names = list.flatMap((one) => one.RepoTags ?? []);
  throw new TranshipError(
    "E_IMAGE_NOT_FOUND",
    wanted === undefined ? `the archive holds ${list.length} images` : `the archive holds no image ${wanted}`,
    { hint: `choose with --image: ${names.slice(0, 10).join(", ")}` },
  );
}

function isSaved(value: unknown): value is Saved {
  const { Config, Layers, RepoTags } = (value ?? {}) as Partial<Saved>;
  const texts = (list: unknown): boolean =>
    Array.isArray(list) && list.length <= maxLayers && list.every((one) => typeof one === "string");
  return (
    typeof Config === "string" &&
    texts(Layers) &&
    (RepoTags === undefined || RepoTags === null || texts(RepoTags))
  );
}

async function packLayer(
  session: StoreSession,
  file: SourceFile,
  diffId: Digest,
  name: string,
): Promise<Descriptor> {
  const blob = await session.create();
  const digester = new Digester(diffId);
  const compressor = new Compressor("zstd", (bytes) => blob.append(bytes));
  try {
    const source = createReadStream(file.path, { highWaterMark: 1 << 20 });
    // Some tools save layers compressed.
    for await (const chunk of decompress(compressionOf(file.path), source)) {
      digester.update(chunk);
      await compressor.append(chunk);
    }
    await compressor.finish();
    const found = digester.digest();
    if (found !== diffId)
      throw new TranshipError(
        "E_IMAGE_CORRUPT",
        `${name} has the digest ${found}, the config says ${diffId}`,
      );
    return await blob.commit(mediaType.layerZstd);
  } catch (error) {
    await compressor.abandon();
    throw error;
  } finally {
    await blob.discard();
  }
}
