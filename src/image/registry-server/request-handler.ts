// What each request of the distribution specification does.
import type { IncomingMessage, ServerResponse } from "node:http";
import { maxDocument, mediaType } from "../../formats/oci.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import type { ImageStore } from "../store.ts";
import { serveBlob, VerifiedBlobs } from "./blobs.ts";
import { HttpError } from "./http-error.ts";
import { deleteManifest, putManifest } from "./manifests.ts";
import { Repositories } from "./repositories.ts";
import { checkedDigest, type Route } from "./routes.ts";
import type { ServerOptions } from "./server.ts";
import type { SessionHolder } from "./session-holder.ts";
import { Uploads, uploadHeaders } from "./uploads.ts";

export interface Request {
  method: string;
  route: Route;
  query: URLSearchParams;
}

const reading = new Set(["GET", "HEAD"]);
const maxPage = 1000;

export class RequestHandler {
  readonly #store: ImageStore;
  readonly #sessions: SessionHolder;
  readonly #readOnly: boolean;
  readonly #repositories: Repositories;
  readonly #uploads: Uploads;
  readonly #verified: VerifiedBlobs;

  constructor(store: ImageStore, sessions: SessionHolder, options: ServerOptions) {
    this.#store = store;
    this.#sessions = sessions;
    this.#readOnly = options.readOnly === true;
    this.#repositories = new Repositories(store);
    this.#uploads = new Uploads(options.maxBlob ?? 64 * 2 ** 30);
    this.#verified = new VerifiedBlobs(store);
  }

  async close(): Promise<void> {
    await this.#uploads.close();
  }

  async answer(asked: Request, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { route, method } = asked;
    if (!reading.has(method) && this.#readOnly)
      throw new HttpError(405, "UNSUPPORTED", "this registry is only read");
    switch (route.kind) {
      case "base":
        return json(response, method, {});
      case "catalog":
        return this.#page(asked, response, this.#repositories.names(), "repositories", "/v2/_catalog");
      case "tags":
        return this.#tags(asked, route.repository, response);
      case "referrers":
        return this.#referrers(asked, route, response);
      case "manifest":
        return await this.#manifest(asked, route, request, response);
      case "blob":
        return await this.#blob(asked, route.digest, request, response);
      case "uploads":
        return await this.#open(asked, route.repository, request, response);
      case "upload":
        return await this.#upload(asked, route, request, response);
    }
  }

  #tags(asked: Request, repository: string, response: ServerResponse): void {
    const tags = this.#repositories.tags(repository);
    if (tags === undefined) throw new HttpError(404, "NAME_UNKNOWN", "there is no such repository");
    this.#page(asked, response, tags, "tags", `/v2/${repository}/tags/list`, { name: repository });
  }

  /** A page of a sorted list: `n` of them behind `last`. */
  #page(
    asked: Request,
    response: ServerResponse,
    all: readonly string[],
    key: string,
    path: string,
    more: object = {},
  ): void {
    only(asked.method, "GET", "HEAD");
    const wanted = asked.query.get("n");
    if (wanted !== null && !/^\d{1,9}$/.test(wanted))
      throw new HttpError(400, "UNSUPPORTED", "n is no number");
    const last = asked.query.get("last") ?? "";
    const behind = last === "" ? all : all.filter((name) => name > last);
    const count = Math.min(wanted === null ? behind.length : Number(wanted), Math.max(maxPage, 0));
    const page = behind.slice(0, count);
    const end = page.at(-1);
    if (page.length < behind.length && end !== undefined) {
      const next = new URLSearchParams({ last: end, n: String(count) });
      response.setHeader("link", `<${path}?${next.toString()}>; rel="next"`);
    }
    json(response, asked.method, { ...more, [key]: page });
  }

  #referrers(
    asked: Request,
    { repository, digest }: { repository: string; digest: Digest },
    response: ServerResponse,
  ): void {
    only(asked.method, "GET", "HEAD");
    const type = asked.query.get("artifactType");
    const all = this.#repositories.referrers(repository, digest);
    if (type !== null) response.setHeader("oci-filters-applied", "artifactType");
    const manifests = type === null ? all : all.filter(({ artifactType }) => artifactType === type);
    json(
      response,
      asked.method,
      { schemaVersion: 2, mediaType: mediaType.index, manifests },
      mediaType.index,
    );
  }

  async #manifest(
    { method }: Request,
    { repository, reference }: { repository: string; reference: string },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    only(method, "GET", "HEAD", "PUT", "DELETE");
    if (method === "DELETE") {
      if (!(await deleteManifest(this.#store, repository, reference)))
        throw new HttpError(404, "MANIFEST_UNKNOWN", "there is no such manifest");
      response.writeHead(202).end();
      return;
    }
    if (method === "PUT") {
      const bytes = await readBody(request, maxDocument);
      const contentType = request.headers["content-type"] ?? "";
      const { digest, subject } = await putManifest(this.#store, this.#session(), {
        repository,
        reference,
        contentType,
        bytes,
      });
      response.writeHead(201, {
        location: `/v2/${repository}/manifests/${digest}`,
        "docker-content-digest": digest,
        "content-length": 0,
        ...(subject === undefined ? {} : { "oci-subject": subject }),
      });
      response.end();
      return;
    }
    const found = this.#repositories.manifest(repository, reference);
    if (found === undefined || !this.#store.hasBlob(found.digest))
      throw new HttpError(404, "MANIFEST_UNKNOWN", "there is no such manifest");
    const bytes = this.#store.readBlob(found, "manifest");
    response.writeHead(200, {
      "content-type": found.mediaType,
      "content-length": bytes.length,
      "docker-content-digest": found.digest,
      etag: `"${found.digest}"`,
    });
    response.end(method === "HEAD" ? undefined : bytes);
  }

  async #blob(
    { method }: Request,
    digest: Digest,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    // Blobs are shared by all repositories: they go when no name leads to them.
    only(method, "GET", "HEAD");
    const here = this.#readOnly ? this.#store.hasBlob(digest) : await this.#session().retain(digest);
    if (!here) throw new HttpError(404, "BLOB_UNKNOWN", "there is no such blob");
    if (!(await this.#verified.check(digest)))
      throw new HttpError(404, "BLOB_UNKNOWN", "the blob is damaged here", { "cache-control": "no-store" });
    await serveBlob(this.#store, digest, request, response);
  }

  async #open(
    { method, query }: Request,
    repository: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    only(method, "POST");
    const mount = query.get("mount");
    if (mount !== null && query.get("from") !== "") {
      const digest = checkedDigest(mount);
      if ((await this.#session().retain(digest)) && (await this.#verified.check(digest)))
        return created(response, repository, digest);
    }
    const upload = await this.#uploads.open(repository, this.#session());
    const digest = query.get("digest");
    if (digest === null || mount !== null) {
      response.writeHead(202, { ...uploadHeaders(upload), "content-length": 0 }).end();
      return;
    }
    try {
      const wanted = checkedDigest(digest);
      await this.#uploads.append(upload, request);
      await this.#uploads.finish(upload, wanted);
      created(response, repository, wanted);
    } catch (error) {
      await this.#uploads.cancel(upload);
      throw error;
    }
  }

  async #upload(
    { method, query }: Request,
    { repository, id }: { repository: string; id: string },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    only(method, "GET", "HEAD", "PATCH", "PUT", "DELETE");
    const upload = this.#uploads.get(repository, id);
    if (method === "DELETE") {
      await this.#uploads.cancel(upload);
      response.writeHead(204).end();
      return;
    }
    if (method === "PUT") {
      const digest = checkedDigest(query.get("digest"));
      await this.#uploads.append(upload, request);
      await this.#uploads.finish(upload, digest);
      return created(response, repository, digest);
    }
    if (method === "PATCH") await this.#uploads.append(upload, request);
    else await this.#uploads.free(upload);
    response.writeHead(method === "PATCH" ? 202 : 204, {
      ...uploadHeaders(upload),
      ...(method === "PATCH" ? { "content-length": 0 } : {}),
    });
    response.end();
  }

  #session() {
    return this.#sessions.session(this.#uploads.count > 0);
  }
}

function only(method: string, ...allowed: string[]): void {
  if (!allowed.includes(method))
    throw new HttpError(405, "UNSUPPORTED", `${method} is not done here`, { allow: allowed.join(", ") });
}

function created(response: ServerResponse, repository: string, digest: Digest): void {
  response.writeHead(201, {
    location: `/v2/${repository}/blobs/${digest}`,
    "docker-content-digest": digest,
    "content-length": 0,
  });
  response.end();
}

function json(response: ServerResponse, method: string, value: object, type = "application/json"): void {
  only(method, "GET", "HEAD");
  const body = JSON.stringify(value);
  response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(method === "HEAD" ? undefined : body);
}

async function readBody(request: IncomingMessage, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > most) throw new HttpError(413, "SIZE_INVALID", `a manifest has at most ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
