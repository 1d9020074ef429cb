// Tar streams of `cp`: what is copied as an archive, and an archive as what is to be made.
import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Extent } from "../../formats/entry.ts";
import { encodeTarHeader, tarEnd, tarHolds, tarPadding } from "../../formats/tar.ts";
import { decompress } from "../../image/decompress.ts";
import { type LayerEvent, readTarObjects } from "../../image/layer-reader.ts";

/** In order; the bytes of a piece are valid until the next one is asked for. */
export async function* encodeArchive(
  events: AsyncIterable<LayerEvent>,
): AsyncGenerator<Uint8Array, void, void> {
  let stored = 0;
  for await (const event of events) {
    if (event.type === "entry") {
      if (!tarHolds(event.entry.kind)) continue;
      const header = encodeTarHeader(event.entry, event.hardlinkTo);
      stored = sizeOf(header.extents);
      yield header.bytes;
    } else if (event.type === "data") {
      yield event.bytes;
    } else if (event.type === "end" && stored > 0) {
      yield new Uint8Array(tarPadding(stored));
      stored = 0;
    }
  }
  yield tarEnd;
}

function sizeOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, extent) => sum + extent.length, 0);
}

/** An archive, also one packed by gzip or zstd, below `directory`. E_USAGE for what is none. */
export async function* decodeArchive(
  source: AsyncIterable<Uint8Array>,
  directory: ByteString,
): AsyncGenerator<LayerEvent, void, void> {
  const place = (path: ByteString): ByteString =>
    directory === "/" ? path : path === "/" ? directory : `${directory}${path}`;
  try {
    for await (const events of readTarObjects(await unpacked(source))) {
      for (const event of events) {
        if (event.type === "entry") {
          // The directory itself stays as it is.
          if (event.entry.path === "/") continue;
          const hardlinkTo = event.hardlinkTo === undefined ? undefined : place(event.hardlinkTo);
          yield { ...event, entry: { ...event.entry, path: place(event.entry.path) }, hardlinkTo };
        } else if (event.type === "data" || event.type === "end") yield event;
      }
    }
  } catch (cause) {
    if (!(cause instanceof TranshipError) || !/^E_(IMAGE_CORRUPT|LAYER_HOSTILE)$/.test(cause.code))
      throw cause;
    throw new TranshipError(
      "E_USAGE",
      `the archive cannot be used: ${cause.message.replace(/^layer /, "")}`,
      {
        hint: "give a tar stream, plain or packed by gzip or zstd",
        exitStatus: 1,
        cause,
      },
    );
  }
}

const magics = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
] as const;

async function unpacked(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < 4) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const found = magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte));
  return decompress(found?.[0] ?? "none", rejoin(head, iterator));
}

async function* rejoin(
  head: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  if (head.length > 0) yield head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
