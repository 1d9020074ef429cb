// An image as documents and blobs in memory, for servers that are told what to answer.
import { gzipSync } from "node:zlib";
import { type Descriptor, mediaType } from "../../src/formats/oci.ts";
import { digestOf } from "../../src/image/digest.ts";
import type { Handler } from "./registries.ts";
import { tarMember, tarOf } from "./tar.ts";

export interface ScriptedImage {
  manifest: Buffer;
  manifestDigest: string;
  layer: Buffer;
  layerDigest: string;
  blobs: Map<string, Buffer>;
}

function descriptorOf(type: string, bytes: Buffer): Descriptor {
  return { mediaType: type, digest: digestOf(bytes), size: bytes.length };
}

/** One layer with a file of `content`. `change` gets the manifest before it is made. */
export function scriptedImage(
  content: string | Buffer = "hello\n",
  change: (manifest: Record<string, unknown>, layer: Descriptor) => void = () => {},
): ScriptedImage {
  const tar = tarOf(tarMember({ name: "greeting" }, content.toString("latin1")));
  const layer = gzipSync(tar, { level: 1 });
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    }),
  );
  const layerDescriptor = descriptorOf(mediaType.layerGzip, layer);
  const value = {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config: descriptorOf(mediaType.config, config),
    layers: [layerDescriptor],
  };
  change(value, layerDescriptor);
  const manifest = Buffer.from(JSON.stringify(value));
  return {
    manifest,
    manifestDigest: digestOf(manifest),
    layer,
    layerDigest: digestOf(layer),
    blobs: new Map([
      [digestOf(config), config],
      [digestOf(layer), layer],
    ]),
  };
}

/** Serves the image as a registry does; `first` may answer in its place, and says so by true. */
export function serveImage(
  image: ScriptedImage,
  first: (...args: Parameters<Handler>) => boolean = () => false,
): Handler {
  return (request, response, body) => {
    if (first(request, response, body)) return;
    const [, kind, name] = /^\/v2\/[^?]*?\/(manifests|blobs)\/([^?]*)/.exec(request.url ?? "") ?? [];
    const bytes =
      kind === "blobs" ? image.blobs.get(name ?? "") : kind === "manifests" ? image.manifest : undefined;
    if (bytes === undefined || (kind === "manifests" && name?.startsWith("sha256-"))) {
      response.writeHead(404).end("{}");
      return;
    }
    const type = kind === "blobs" ? "application/octet-stream" : mediaType.manifest;
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, {
      "content-type": type,
      "content-length": bytes.length - from,
      ...range,
    });
    response.end(request.method === "HEAD" ? undefined : bytes.subarray(from));
  };
}
