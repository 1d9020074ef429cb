// Blobs that are read, whole or in part. A blob whose content is not what its name says is not served.
import { statSync } from "node:fs";
import { open } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import type { Digest } from "../../formats/oci-reference.ts";
import { Digester } from "../digest.ts";
import type { ImageStore } from "../store.ts";
import { HttpError } from "./http-error.ts";

const maxKnown = 100_000;
const pieceSize = 1 << 20;

/** Which blobs were read and found right. A file that changes is read again. */
export class VerifiedBlobs {
  readonly #store: ImageStore;
  readonly #known = new Map<Digest, string>();
  readonly #checks = new Map<Digest, Promise<boolean>>();

  constructor(store: ImageStore) {
    this.#store = store;
  }

  /** Those who ask for the same one at once wait for one reading. */
  async check(digest: Digest): Promise<boolean> {
    const stat = statSync(this.#store.blobPath(digest), { throwIfNoEntry: false });
    if (stat === undefined) return false;
    const stamp = `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
    if (this.#known.get(digest) === stamp) return true;
    const check = this.#checks.get(digest) ?? this.#read(digest);
    this.#checks.set(digest, check);
    try {
      if (!(await check)) return false;
    } finally {
      this.#checks.delete(digest);
    }
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(digest, stamp);
    return true;
  }

  async #read(digest: Digest): Promise<boolean> {
    const digester = new Digester(digest);
    const file = await open(this.#store.blobPath(digest));
    try {
      // One buffer for all of it: those of a stream stay until a collection, which comes late where there is little other garbage.
      const buffer = Buffer.allocUnsafe(pieceSize);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) return digester.digest() === digest;
        digester.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
}

export async function serveBlob(
  store: ImageStore,
  digest: Digest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const size = store.blobSize(digest);
  if (size === undefined) throw new HttpError(404, "BLOB_UNKNOWN", "there is no such blob");
  const range = rangeOf(request.headers.range, size);
  const [start, end] = range ?? [0, size - 1];
  response.writeHead(range === undefined ? 200 : 206, {
    "content-type": "application/octet-stream",
    "content-length": end - start + 1,
    "docker-content-digest": digest,
    "accept-ranges": "bytes",
    etag: `"${digest}"`,
    ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end}/${size}` }),
  });
  if (request.method === "HEAD" || size === 0) {
    response.end();
    return;
  }
  try {
    await send(store.blobPath(digest), start, end, response);
  } catch (error) {
    response.destroy();
    throw error;
  }
}

/** By one buffer, which is filled again when the kernel has what was in it. */
async function send(path: string, start: number, end: number, response: ServerResponse): Promise<void> {
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(pieceSize, end - start + 1));
    for (let at = start; at <= end; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at + 1), at);
      if (bytesRead === 0) throw new Error(`${path} has become shorter while it was served`);
      at += bytesRead;
      await written(response, buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
  const ended = finished(response);
  response.end();
  await ended;
}

async function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const closed = (): void => reject(new Error("the client has gone"));
    response.once("close", closed);
    response.write(bytes, (error) => {
      response.off("close", closed);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** One range of bytes; what is not understood is as if it were not there. */
function rangeOf(header: string | undefined, size: number): [start: number, end: number] | undefined {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (found === null || (found[1] === "" && found[2] === "")) return undefined;
  const [, first = "", last = ""] = found;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (start > end || start >= size)
    throw new HttpError(416, "SIZE_INVALID", "there is no such range", {
      "content-range": `bytes */${size}`,
    });
  return [start, end];
}
