// What is wrong with a blob.
import { createReadStream } from "node:fs";
import type { Progress } from "../../base/log.ts";
import type { Descriptor } from "../../formats/oci.ts";
import { Digester } from "../digest.ts";
import type { BlobStore } from "../store-blobs.ts";

/** "is missing", "has the digest ..."; undefined where nothing is wrong. Reads the blob whole. */
export async function damageOf(
  store: BlobStore,
  descriptor: Descriptor,
  options: { progress?: Progress; signal?: AbortSignal | undefined } = {},
): Promise<string | undefined> {
  const { digest, size } = descriptor;
  const seen = store.blobSize(digest);
  if (seen === undefined) return "is missing";
  if (seen !== size) return `has ${seen} bytes instead of ${size}`;
  const task = options.progress?.begin(`checking ${digest.slice(0, 19)}`, size, "bytes");
  const digester = new Digester(digest);
  for await (const chunk of createReadStream(store.blobPath(digest), { highWaterMark: 1 << 20 })) {
    options.signal?.throwIfAborted();
    digester.update(chunk as Uint8Array);
    task?.advance((chunk as Uint8Array).length);
  }
  task?.end();
  const found = digester.digest();
  return found === digest ? undefined : `has the digest ${found}`;
}
