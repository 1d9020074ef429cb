// Uploads under way: each is a file of the store's session, and ends by its digest, by being given up, or by nobody's asking for an hour.
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isTranshipError } from "../../base/errors.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import type { BlobFile, StoreSession } from "../store-session.ts";
import { HttpError } from "./http-error.ts";

/** Milliseconds. */
const idle = 3_600_000;
const maxUploads = 256;
/** A body that comes more slowly than this many bytes a second is ended, after a time of grace (milliseconds). */
const slowest = 1024;
const grace = 30_000;

export interface Upload {
  id: string;
  repository: string;
  file: BlobFile;
  used: number;
  /** Whose body is being written, and when that ends. */
  writer: { request: IncomingMessage; ended: Promise<void> } | undefined;
}

export class Uploads {
  readonly #uploads = new Map<string, Upload>();
  readonly #maxBlob: number;
  readonly #timer: NodeJS.Timeout;

  constructor(maxBlob: number) {
    this.#maxBlob = maxBlob;
    this.#timer = setInterval(() => void this.#expire(), 60_000);
    this.#timer.unref();
  }

  async open(repository: string, session: StoreSession): Promise<Upload> {
    await this.#expire();
    if (this.#uploads.size >= maxUploads)
      throw new HttpError(429, "TOOMANYREQUESTS", `there are ${maxUploads} uploads already`, {
        "retry-after": "30",
      });
    const id = randomBytes(16).toString("hex");
    const upload = { id, repository, file: await session.create(), used: Date.now(), writer: undefined };
    this.#uploads.set(id, upload);
    return upload;
  }

  /** Under way. */
  get count(): number {
    return this.#uploads.size;
  }

  get(repository: string, id: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.repository !== repository)
      throw new HttpError(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload");
    return upload;
  }

  /** Ends a body that is being written: who asks anew for the same upload has lost the connection that it came by. */
  async free(upload: Upload): Promise<void> {
    upload.writer?.request.destroy();
    await upload.writer?.ended;
  }

  /** Takes a body, which has to begin where the last ended. */
  async append(upload: Upload, request: IncomingMessage): Promise<void> {
    await this.free(upload);
    checkRange(upload, request);
    const written = this.#write(upload, request);
    const writer = { request, ended: written.catch(() => {}) };
    upload.writer = writer;
    try {
      await written;
    } finally {
      if (upload.writer === writer) upload.writer = undefined;
      upload.used = Date.now();
    }
  }

  async #write({ file }: Upload, request: IncomingMessage): Promise<void> {
    const began = Date.now();
    let size = 0;
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (file.size + chunk.length > this.#maxBlob)
        throw new HttpError(413, "SIZE_INVALID", `a blob has at most ${this.#maxBlob} bytes here`);
      await file.append(chunk);
      const elapsed = Date.now() - began;
      if (elapsed > grace && size < (elapsed / 1000) * slowest)
        throw new HttpError(408, "BLOB_UPLOAD_INVALID", "the body comes too slowly");
    }
  }

  /** Puts the blob in place; wrong content ends the upload. */
  async finish(upload: Upload, digest: Digest): Promise<void> {
    this.#uploads.delete(upload.id);
    try {
      await upload.file.commit("application/octet-stream", { digest, size: upload.file.size });
    } catch (error) {
      if (isTranshipError(error, "E_IMAGE_CORRUPT"))
        throw new HttpError(400, "DIGEST_INVALID", error.message);
      throw error;
    } finally {
      await upload.file.giveUp();
    }
  }

  async cancel(upload: Upload): Promise<void> {
    this.#uploads.delete(upload.id);
    await upload.file.giveUp();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const upload of [...this.#uploads.values()]) await this.cancel(upload);
  }

  async #expire(): Promise<void> {
    for (const upload of [...this.#uploads.values()])
      if (upload.writer === undefined && Date.now() - upload.used > idle) await this.cancel(upload);
  }
}

function checkRange(upload: Upload, request: IncomingMessage): void {
  const range = request.headers["content-range"];
  if (range === undefined) return;
  const [, from, to] = /^(?:bytes )?(\d+)-(\d+)(?:\/.*)?$/.exec(range) ?? [];
  const length = Number(request.headers["content-length"] ?? Number.NaN);
  const fits = !Number.isNaN(length) && Number(to) - Number(from) + 1 !== length ? false : from !== undefined;
  if (fits && Number(from) === upload.file.size) return;
  throw new HttpError(
    416,
    "BLOB_UPLOAD_INVALID",
    `the next byte is ${upload.file.size}`,
    uploadHeaders(upload),
  );
}

/** Where the upload is and how much it has. */
export function uploadHeaders({ id, repository, file }: Upload): Record<string, string> {
  return {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    range: `0-${Math.max(0, file.size - 1)}`,
    "docker-upload-uuid": id,
  };
}
