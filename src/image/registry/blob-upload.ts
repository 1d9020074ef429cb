// One blob to a registry, in chunks: while one travels the next is filled. A chunk is kept until the registry has it, so that a broken
// connection is gone on with from what the registry says it has; where it has forgotten the upload, all is sent again.

import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { ProgressTask } from "../../base/log.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import { step } from "../../host/steps.ts";
import { Digester } from "../digest.ts";
import type { RegistryClient } from "./registry-client.ts";
import { badAnswer, connectionError, interrupted, isTransient } from "./registry-errors.ts";
import type { Answer } from "./registry-http.ts";
import type { UploadRecord } from "./upload-record.ts";

/** What is sent: the same bytes each time it is asked. `write` is awaited. */
export type Produce = (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>;

export interface Uploaded {
  digest: Digest;
  size: number;
}

const chunkSize = 6 << 20;
/** Of a chunk that a registry may ask for. */
const largestChunk = 64 << 20;
/** Times that a blob is begun anew. */
const maxBegins = 3;

/** The registry no longer knows the upload. */
class UploadLost extends Error {}

/** Sends what `produce` gives; `start` is an upload that the registry has opened for it already. */
export async function uploadBlob(
  client: RegistryClient,
  produce: Produce,
  record: UploadRecord,
  task: ProgressTask,
  start?: Answer,
): Promise<Uploaded> {
  let opened = start;
  for (let begins = 1; ; begins++) {
    const upload = new Upload(client, record, task);
    try {
      await upload.begin(opened, begins === 1);
      await produce((bytes) => upload.write(bytes));
      return await upload.finish();
    } catch (error) {
      await upload.settle();
      if (!(error instanceof UploadLost)) throw error;
      record.remove();
      task.advance(-upload.advanced);
      opened = undefined;
      if (begins >= maxBegins)
        throw badAnswer(`${client.http.base.host} forgets uploads before they are whole: ${error.message}`);
    }
  }
}

class Upload {
  readonly #client: RegistryClient;
  readonly #record: UploadRecord;
  readonly #task: ProgressTask;
  readonly #digester = new Digester();
  #location: URL | undefined;
  #limit = chunkSize;
  #buffer: Buffer = Buffer.alloc(0);
  #used = 0;
  #spare: Buffer | undefined;
  /** Of the content, where the buffer begins. */
  #offset = 0;
  /** Bytes that the registry has from an earlier command, which are not sent. */
  #skip = 0;
  #travelling: Promise<void> = Promise.resolve();
  /** Told to the task so far. */
  advanced = 0;

  constructor(client: RegistryClient, record: UploadRecord, task: ProgressTask) {
    this.#client = client;
    this.#record = record;
    this.#task = task;
  }

  async begin(opened: Answer | undefined, mayContinue: boolean): Promise<void> {
    const left = mayContinue && opened === undefined ? this.#record.read() : undefined;
    if (left !== undefined) this.#skip = (await this.#statusOf(left)) ?? 0;
    if (this.#location === undefined) {
      const answer = opened ?? (await openUpload(this.#client));
      this.#locate(answer);
      const least = Number(answer.headers["oci-chunk-min-length"] ?? 0);
      if (least > largestChunk) throw badAnswer(`${answer.url.host} wants chunks of ${least} bytes`);
      if (least > this.#limit) this.#limit = least;
    }
    this.#buffer = Buffer.allocUnsafeSlow(this.#limit);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#client.http.settings.signal?.aborted === true) throw interrupted(undefined);
    this.#digester.update(bytes);
    let at = Math.min(this.#skip, bytes.length);
    this.#skip -= at;
    this.#offset += at;
    this.#advance(at);
    while (at < bytes.length) {
      // A full buffer goes when more follows: the last chunk closes the upload.
      if (this.#used === this.#buffer.length) await this.#sendBuffer();
      const count = Math.min(bytes.length - at, this.#buffer.length - this.#used);
      this.#buffer.set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
    }
  }

  async finish(): Promise<Uploaded> {
    await this.#travelling;
    if (this.#skip > 0) throw new UploadLost("the registry has more than there is");
    const digest = this.#digester.digest();
    const size = this.#offset + this.#used;
    await this.#close(digest);
    this.#record.remove();
    return { digest, size };
  }

  /** Waits for what is under way and forgets its errors. */
  async settle(): Promise<void> {
    await this.#travelling.catch(() => {});
  }

  async #sendBuffer(): Promise<void> {
    await this.#travelling;
    const chunk = this.#buffer;
    const offset = this.#offset;
    const next = this.#spare ?? Buffer.allocUnsafeSlow(this.#limit);
    this.#spare = chunk;
    this.#buffer = next;
    this.#offset += this.#used;
    this.#used = 0;
    this.#travelling = this.#sendChunk(chunk, offset);
    this.#travelling.catch(() => {}); // it is awaited before the next, or by settle()
  }

  /** Until the registry has all of the chunk. */
  async #sendChunk(chunk: Buffer, offset: number): Promise<void> {
    step("send a chunk of a blob");
    await this.#retried(async (again) => {
      const has = again ? await this.#has() : offset;
      if (has < offset || has > offset + chunk.length) throw new UploadLost(`it has ${has} bytes`);
      const rest = chunk.subarray(has - offset);
      if (rest.length === 0) return;
      const answer = await this.#ask("PATCH", this.#url(), rest, has, [202]);
      await answer.body.dump();
      this.#locate(answer);
    });
    this.#advance(chunk.length);
    if (this.#location !== undefined) this.#record.write(this.#location);
  }

  async #close(digest: Digest): Promise<void> {
    step("close the upload of a blob");
    const chunk = this.#buffer.subarray(0, this.#used);
    await this.#retried(async (again) => {
      if (again && (await this.#client.hasBlob(digest))) return;
      const has = again ? await this.#has() : this.#offset;
      if (has < this.#offset || has > this.#offset + chunk.length)
        throw new UploadLost(`it has ${has} bytes`);
      const url = new URL(this.#url());
      url.searchParams.set("digest", digest);
      const rest = chunk.subarray(has - this.#offset);
      // An empty body has no range.
      const answer = await this.#ask("PUT", url, rest, rest.length === 0 ? undefined : has, [201, 204]);
      await answer.body.dump();
    });
    this.#advance(chunk.length);
  }

  #ask(
    method: "PATCH" | "PUT",
    url: URL,
    body: Uint8Array,
    from: number | undefined,
    expect: number[],
  ): Promise<Answer> {
    const range = from === undefined ? {} : { "content-range": `${from}-${from + body.length - 1}` };
    return this.#client.http.ask({
      method,
      url,
      headers: { "content-type": "application/octet-stream", ...range },
      body: () => body,
      scopes: this.#client.scopes("pull,push"),
      expect,
      what: "the upload of a blob",
      repeat: false,
    });
  }

  /** Runs `send` until it is done; from the second try on it is told so. */
  async #retried(send: (again: boolean) => Promise<void>): Promise<void> {
    const { http } = this.#client;
    const tries = http.settings.retries ?? 5;
    for (let attempt = 0; ; attempt++) {
      try {
        await send(attempt > 0);
        return;
      } catch (error) {
        if (http.settings.signal?.aborted === true) throw interrupted(error);
        const lost = lostBy(error);
        if (lost !== undefined) throw lost;
        if (!worthAgain(error) || attempt >= tries) throw connectionError(http.base, error);
        http.settings.log?.debug(`an upload broke off: ${(error as Error).message}; going on`);
        await http.pause(attempt);
      }
    }
  }

  /** How many bytes the registry has. */
  async #has(): Promise<number> {
    const has = await this.#statusOf(this.#url());
    if (has === undefined) throw new UploadLost("it knows it no more");
    return has;
  }

  async #statusOf(location: URL): Promise<number | undefined> {
    const answer = await this.#client.http.ask({
      method: "GET",
      url: location,
      scopes: this.#client.scopes("pull,push"),
      expect: [204, 400, 404, 405, 416],
      what: "the state of an upload",
    });
    await answer.body.dump();
    if (answer.status !== 204) return undefined;
    this.#locate(answer, location);
    const last = /^(?:bytes=)?0-(\d+)$/.exec(String(answer.headers.range ?? ""))?.[1];
    // "0-0" is how registries say that there is nothing yet; a chunk of one byte is never sent.
    return last === undefined || last === "0" ? 0 : Number(last) + 1;
  }

  #locate(answer: Answer, otherwise?: URL): void {
    const { location } = answer.headers;
    if (typeof location === "string" && URL.canParse(location, answer.url.href))
      this.#location = new URL(location, answer.url.href);
    else if (otherwise !== undefined) this.#location = otherwise;
    else if (this.#location === undefined)
      throw badAnswer(`${answer.url.host} opens an upload and does not say where`);
  }

  #url(): URL {
    if (this.#location === undefined) throw new TranshipError("E_INTERNAL", "an upload has not been opened");
    return this.#location;
  }

  #advance(count: number): void {
    this.advanced += count;
    this.#task.advance(count);
  }
}

/** Asks for an upload. */
export async function openUpload(client: RegistryClient, query = "", from?: string): Promise<Answer> {
  const answer = await client.http.ask({
    method: "POST",
    url: client.path(`blobs/uploads/${query}`),
    headers: { "content-length": "0" },
    scopes: client.scopes("pull,push", from),
    expect: query === "" ? [202] : [201, 202],
    what: "the upload of a blob",
  });
  await answer.body.dump();
  return answer;
}

function statusIn(error: unknown): number {
  return isTranshipError(error) && typeof error.details.status === "number" ? error.details.status : 0;
}

function lostBy(error: unknown): UploadLost | undefined {
  if (error instanceof UploadLost) return error;
  const status = statusIn(error);
  return status === 404 ||
    status === 416 ||
    (status === 400 && /BLOB_UPLOAD|RANGE|SIZE/.test((error as Error).message))
    ? new UploadLost((error as Error).message)
    : undefined;
}

function worthAgain(error: unknown): boolean {
  const broke = isTranshipError(error, "E_REGISTRY_UNREACHABLE") && isTransient(error.cause);
  return broke || isTransient(error) || [408, 425, 429, 500, 502, 503, 504].includes(statusIn(error));
}
