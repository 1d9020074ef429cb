// Small bodies of answers, read whole within a bound.
import type { Readable } from "node:stream";
import { TranshipError } from "../../base/errors.ts";

/** E_LIMIT where there is more; the rest is not read. */
export async function readDocument(body: Readable, most: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > most) {
      body.destroy();
      throw new TranshipError(
        "E_LIMIT",
        `${what} has more than ${most} bytes, which is all that is accepted`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
