// Blobs that are read, whole or in part. A blob whose content is not what its name says is not served.
import { createReadStream, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Digest } from "../../formats/oci-reference.ts";
import { Digester } from "../digest.ts";
import type { ImageStore } from "../store.ts";
import { HttpError } from "./http-error.ts";

const maxKnown = 100_000;

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
    for await (const chunk of createReadStream(this.#store.blobPath(digest), { highWaterMark: 1 << 20 }))
      digester.update(chunk as Uint8Array);
    return digester.digest() === digest;
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
  await pipeline(createReadStream(store.blobPath(digest), { start, end, highWaterMark: 1 << 20 }), response);
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
