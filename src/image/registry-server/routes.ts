// Paths of the distribution specification into what is asked for. Repository names hold slashes, so the words behind them decide.
import { type Digest, isDigest } from "../../formats/oci-reference.ts";
import { HttpError } from "./http-error.ts";

export type Route =
  | { kind: "base" }
  | { kind: "catalog" }
  | { kind: "manifest"; repository: string; reference: string }
  | { kind: "blob"; repository: string; digest: Digest }
  | { kind: "uploads"; repository: string }
  | { kind: "upload"; repository: string; id: string }
  | { kind: "tags"; repository: string }
  | { kind: "referrers"; repository: string; digest: Digest };

const repositoryPattern =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const patterns =
  /^\/v2\/(?<name>.+?)\/(?:manifests\/(?<reference>[^/]+)|blobs\/uploads\/(?<id>[^/]*)|blobs\/(?<digest>[^/]+)|(?<tags>tags\/list)|referrers\/(?<subject>[^/]+))$/;

/** `path` as it stands in the request; undefined where it is none of them. */
export function routeOf(path: string): Route | undefined {
  if (path === "/v2/" || path === "/v2") return { kind: "base" };
  if (path === "/v2/_catalog") return { kind: "catalog" };
  if (path.length > 1024) return undefined;
  const found = patterns.exec(path.endsWith("/blobs/uploads") ? `${path}/` : path)?.groups;
  if (found?.name === undefined) return undefined;
  const repository = found.name;
  if (repository.length > 255 || !repositoryPattern.test(repository))
    throw new HttpError(400, "NAME_INVALID", "not a repository name");
  if (found.tags !== undefined) return { kind: "tags", repository };
  if (found.id !== undefined)
    return found.id === "" ? { kind: "uploads", repository } : { kind: "upload", repository, id: found.id };
  if (found.reference !== undefined)
    return { kind: "manifest", repository, reference: checkedReference(found.reference) };
  const digest = checkedDigest(found.digest ?? found.subject);
  return found.digest === undefined
    ? { kind: "referrers", repository, digest }
    : { kind: "blob", repository, digest };
}

export function isRepository(text: string): boolean {
  return text.length <= 255 && repositoryPattern.test(text);
}

function checkedReference(text: string): string {
  if (tagPattern.test(text)) return text;
  if (isDigest(text)) return text;
  if (/:/.test(text)) throw new HttpError(400, "DIGEST_INVALID", "not a digest");
  throw new HttpError(404, "MANIFEST_UNKNOWN", "not a tag");
}

export function checkedDigest(text: string | null | undefined): Digest {
  const plain = decodeURIComponent(text ?? "");
  if (!isDigest(plain)) throw new HttpError(400, "DIGEST_INVALID", "not a digest");
  return plain;
}
