// A package as a plain tree in a tar, with a script that starts it: for machines that have neither Tranship nor an OCI runtime.
import { open } from "node:fs/promises";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../formats/tar.ts";
import { type Compression, Compressor } from "../../image/compress.ts";
import { inPlace } from "../../image/export-files.ts";
import { ExtentCursor } from "../../image/extent-cursor.ts";
import { flattenImage } from "../../image/flatten.ts";
import type { LayerEvent } from "../../image/layer-reader.ts";
import { ownDirectory, ownFile } from "../../image/own-item.ts";
import type { ImageStore, StoredImage } from "../../image/store.ts";
import { compileDescriptor } from "../../package/compiled.ts";
import { startPage, startScript } from "./start-script.ts";

const zeros = new Uint8Array(1024);

export interface PlainExport {
  store: ImageStore;
  image: StoredImage;
  /** YAML of the descriptor that counts. */
  descriptor: string;
  /** Of the whole archive. */
  compression: Compression;
}

/** Writes DIRECTORY/start, DIRECTORY/README and DIRECTORY/rootfs into a tar, beside the destination and renamed when whole. Returns its size. */
export async function exportPlain(destination: string, request: PlainExport): Promise<number> {
  const { store, image, compression } = request;
  const { descriptor, plan } = compileDescriptor(request.descriptor, image.name ?? "the package");
  const top = `/${directoryName(descriptor.metadata.name)}`;
  const { events } = await flattenImage(store, image);
  return await inPlace(destination, async (temporary) => {
    const file = await open(temporary, "wx", 0o644);
    const write = async (bytes: Uint8Array): Promise<void> => {
      for (let done = 0; done < bytes.length; )
        done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
    };
    const compressor = new Compressor(compression, write);
    try {
      const tar = new PlainTar((bytes) => compressor.append(bytes));
      await tar.own(ownDirectory(top).entry);
      await tar.own(
        ownFile(`${top}/start`, new Uint8Array(), 0o755).entry,
        Buffer.from(startScript(descriptor)),
      );
      await tar.own(
        ownFile(`${top}/README`, new Uint8Array(), 0o644).entry,
        Buffer.from(startPage(descriptor)),
      );
      await tar.tree(events(), `${top}/rootfs`);
      // Where the plan of the descriptor that counts lies when a tool has given one: init takes it before that of the image.
      await tar.own(ownFile(`${top}/rootfs/.tranship/run/init.bin`, new Uint8Array(), 0o644).entry, plan);
      await compressor.append(tarEnd);
      await compressor.finish();
      await file.sync();
      return (await file.stat()).size;
    } catch (error) {
      await compressor.abandon();
      throw error;
    } finally {
      await file.close();
    }
  });
}

/** One part of a path, in ASCII. */
function directoryName(name: string): ByteString {
  const plain = encodeText(name).replace(/[^A-Za-z0-9_.-]+/g, "-");
  return /^\.*$/.test(plain) ? "package" : plain.replace(/^[.-]+/, "");
}

type Append = (bytes: Uint8Array) => Promise<void> | undefined;

class PlainTar {
  readonly #append: Append;

  constructor(append: Append) {
    this.#append = append;
  }

  async own(entry: Entry, content?: Uint8Array): Promise<void> {
    const size = content?.length ?? 0;
    await this.#append(encodeTarHeader({ ...entry, size }).bytes);
    if (content === undefined) return;
    await this.#append(content);
    await this.#append(zeros.subarray(0, tarPadding(size)));
  }

  async tree(events: AsyncIterable<LayerEvent>, below: ByteString): Promise<void> {
    const place = (path: ByteString): ByteString => (path === "/" ? below : below + path);
    let current: { cursor: ExtentCursor; path: ByteString } | undefined;
    for await (const event of events) {
      if (event.type === "entry") {
        const { entry, hardlinkTo } = event;
        const header = encodeTarHeader(
          { ...entry, path: place(entry.path) },
          hardlinkTo === undefined ? undefined : place(hardlinkTo),
        );
        await this.#append(header.bytes);
        current = { cursor: new ExtentCursor(header.extents, this.#append), path: entry.path };
      } else if (event.type === "data" && current !== undefined) {
        const { path } = current;
        await current.cursor.data(event.offset, event.bytes, () => misplaced(path));
      } else if (event.type === "end" && current !== undefined) {
        await current.cursor.finish();
        await this.#append(zeros.subarray(0, tarPadding(current.cursor.written)));
        current = undefined;
      }
    }
  }
}

function misplaced(path: ByteString): TranshipError {
  return new TranshipError(
    "E_IMAGE_CORRUPT",
    `${escapeBytes(path)} has data where its layer says that there is none`,
  );
}
