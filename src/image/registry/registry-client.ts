// The distribution specification 1.1, from the client's side, for one repository.
import type { Readable } from "node:stream";
import { TranshipError } from "../../base/errors.ts";
import {
  type Descriptor,
  decodeIndex,
  type ImageIndex,
  maxDocument,
  mediaType,
  parseDocument,
} from "../../formats/oci.ts";
import { type Digest, isDigest } from "../../formats/oci-reference.ts";
import { digestOf } from "../digest.ts";
import { readDocument } from "./document.ts";
import type { RemoteRepository } from "./endpoint.ts";
import { badAnswer } from "./registry-errors.ts";
import { type Answer, RegistryHttp } from "./registry-http.ts";
import type { RegistrySettings } from "./settings.ts";

/** A manifest or an index as it came, checked against its digest. */
export interface RemoteDocument {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

const documentTypes = [
  mediaType.index,
  mediaType.manifest,
  mediaType.dockerIndex,
  mediaType.dockerManifest,
].join(", ");

export class RegistryClient {
  readonly remote: RemoteRepository;
  readonly http: RegistryHttp;

  constructor(remote: RemoteRepository, settings: RegistrySettings) {
    this.remote = remote;
    this.http = new RegistryHttp(remote, settings);
  }

  async close(): Promise<void> {
    await this.http.close();
  }

  path(rest: string): string {
    return `/v2/${this.remote.repository}/${rest}`;
  }

  scopes(actions: "pull" | "pull,push", from?: string): string[] {
    const own = `repository:${this.remote.repository}:${actions}`;
    return from === undefined ? [own] : [own, `repository:${from}:pull`];
  }

  /** Asks for nothing: whether the registry is one and lets us in. */
  async ping(): Promise<void> {
    const answer = await this.http.ask({ method: "GET", url: "/v2/", expect: [200], what: "a registry" });
    await answer.body.dump();
  }

  /** `reference`: a tag or a digest. */
  async manifest(reference: string): Promise<RemoteDocument> {
    const what = `manifest ${this.remote.repository}${isDigest(reference) ? "@" : ":"}${reference}`;
    const answer = await this.http.ask({
      method: "GET",
      url: this.path(`manifests/${reference}`),
      headers: { accept: documentTypes },
      scopes: this.scopes("pull"),
      expect: [200],
      what,
    });
    const bytes = await readDocument(answer.body, maxDocument, what);
    return checkDocument(answer, bytes, reference, what);
  }

  /** Digest of what a tag means; undefined where there is none, or where the registry does not say. */
  async digestOfTag(reference: string): Promise<Digest | undefined> {
    const answer = await this.http.ask({
      method: "HEAD",
      url: this.path(`manifests/${reference}`),
      headers: { accept: documentTypes },
      scopes: this.scopes("pull,push"),
      expect: [200, 404],
      what: `manifest ${reference}`,
    });
    await answer.body.dump();
    const digest = answer.headers["docker-content-digest"];
    return answer.status === 200 && isDigest(digest) ? digest : undefined;
  }

  /** True where the registry has taken a subject into account itself. */
  async putManifest(reference: string, document: RemoteDocument): Promise<boolean> {
    const answer = await this.http.ask({
      method: "PUT",
      url: this.path(`manifests/${reference}`),
      headers: { "content-type": document.descriptor.mediaType },
      body: () => document.bytes,
      scopes: this.scopes("pull,push"),
      expect: [201],
      what: `manifest ${this.remote.repository}:${reference}`,
    });
    await answer.body.dump();
    const said = answer.headers["docker-content-digest"];
    if (typeof said === "string" && isDigest(said) && said !== document.descriptor.digest)
      throw badAnswer(`${answer.url.host} stored ${document.descriptor.digest} as ${said}`);
    return answer.headers["oci-subject"] !== undefined;
  }

  async hasBlob(digest: Digest, actions: "pull" | "pull,push" = "pull,push"): Promise<boolean> {
    const answer = await this.http.ask({
      method: "HEAD",
      url: this.path(`blobs/${digest}`),
      scopes: this.scopes(actions),
      expect: [200, 404],
      what: `blob ${digest}`,
    });
    await answer.body.dump();
    return answer.status === 200;
  }

  /** The blob from byte `from` on. The second value is where the body really begins: 0 where ranges are not known there. */
  async blob(digest: Digest, from: number): Promise<{ body: Readable; from: number; answer: Answer }> {
    const answer = await this.http.ask({
      method: "GET",
      url: this.path(`blobs/${digest}`),
      // What is compressed on the way could not be gone on with.
      headers: { "accept-encoding": "identity", ...(from === 0 ? {} : { range: `bytes=${from}-` }) },
      scopes: this.scopes("pull"),
      expect: from === 0 ? [200] : [200, 206, 416],
      what: `blob ${digest}`,
    });
    if (answer.status === 416) {
      await answer.body.dump();
      return await this.blob(digest, 0);
    }
    if (answer.status === 200) return { body: answer.body, from: 0, answer };
    const start = /^bytes (\d+)-/.exec(String(answer.headers["content-range"] ?? ""))?.[1];
    if (start !== undefined && Number(start) === from) return { body: answer.body, from, answer };
    await answer.body.dump();
    throw badAnswer(`${answer.url.host} sends another part of ${digest} than was asked for`);
  }

  /** What refers to a manifest: by the referrers API, else by the fallback tag. */
  async referrers(subject: Digest): Promise<Descriptor[]> {
    const what = `referrers of ${subject}`;
    const answer = await this.http.ask({
      method: "GET",
      url: this.path(`referrers/${subject}`),
      headers: { accept: mediaType.index },
      scopes: this.scopes("pull"),
      expect: [200, 400, 404, 405, 415],
      what,
    });
    const type = String(answer.headers["content-type"] ?? "").split(";")[0];
    if (answer.status === 200 && type === mediaType.index)
      return decodeIndexBytes(await readDocument(answer.body, maxDocument, what), what).manifests;
    await answer.body.dump();
    return (await this.fallbackIndex(subject))?.manifests ?? [];
  }

  /** The index that stands in for the referrers API where a registry has none. */
  async fallbackIndex(subject: Digest): Promise<ImageIndex | undefined> {
    const tag = fallbackTag(subject);
    if (!(await this.hasManifest(tag))) return undefined;
    const { bytes } = await this.manifest(tag);
    return decodeIndexBytes(bytes, `referrers of ${subject}`);
  }

  /** `reference`: a tag or a digest. */
  async hasManifest(reference: string): Promise<boolean> {
    const answer = await this.http.ask({
      method: "HEAD",
      url: this.path(`manifests/${reference}`),
      headers: { accept: documentTypes },
      scopes: this.scopes("pull"),
      expect: [200, 404],
      what: `manifest ${reference}`,
    });
    await answer.body.dump();
    return answer.status === 200;
  }
}

export function fallbackTag(subject: Digest): string {
  return subject.replace(":", "-").slice(0, 128);
}

export function decodeIndexBytes(bytes: Uint8Array, what: string): ImageIndex {
  const text = new TextDecoder().decode(bytes);
  return decodeIndex(text, what);
}

function checkDocument(answer: Answer, bytes: Uint8Array, reference: string, what: string): RemoteDocument {
  const asked = isDigest(reference) ? reference : undefined;
  const header = answer.headers["docker-content-digest"];
  const said = isDigest(header) ? header : undefined;
  const digest = digestOf(bytes, asked ?? said ?? "sha256:");
  const wanted = asked ?? said;
  if (wanted !== undefined && digest !== wanted) {
    throw new TranshipError(
      "E_IMAGE_CORRUPT",
      `${what} from ${answer.url.host} has the digest ${digest}, expected ${wanted}`,
      {
        hint: "what came is not what was asked for; nothing of it was kept",
      },
    );
  }
  const type =
    String(answer.headers["content-type"] ?? "")
      .split(";")[0]
      ?.trim() ?? "";
  return { descriptor: { mediaType: typeOf(bytes, type, what), digest, size: bytes.length }, bytes };
}

/** The document's own word counts; registries that keep plain files do not know the type. */
function typeOf(bytes: Uint8Array, header: string, what: string): string {
  const value = parseDocument(new TextDecoder().decode(bytes), what) as {
    mediaType?: unknown;
    schemaVersion?: unknown;
    manifests?: unknown;
    layers?: unknown;
  } | null;
  if (value?.schemaVersion === 1) {
    throw new TranshipError(
      "E_IMAGE_UNSUPPORTED",
      `${what} has the form of 2014 (schema 1), which no tool of today takes`,
      {
        hint: "push the image anew with a docker of 2017 or later",
      },
    );
  }
  if (typeof value?.mediaType === "string") return value.mediaType;
  if (documentTypes.includes(header) && header !== "") return header;
  if (Array.isArray(value?.manifests)) return mediaType.index;
  return mediaType.manifest;
}
