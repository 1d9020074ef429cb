// Digests and references as the OCI specifications write them.
import { TranshipError } from "../base/errors.ts";

/** "sha256:" and 64 lower-case hex digits, or "sha512:" and 128. */
export type Digest = string;

export interface Reference {
  /** Host and port; undefined where none is named. */
  registry: string | undefined;
  /** Path below the registry, as it stands. */
  repository: string;
  tag: string | undefined;
  digest: Digest | undefined;
}

const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;

/** On disk the bare image manifest of a package has its tag with this behind it (design: some tools take no index). */
export const imageTagSuffix = "-image";

export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && digestPattern.test(text);
}

/** "sha256:ab..." -> ["sha256", "ab..."]. */
export function splitDigest(digest: Digest): [algorithm: string, hex: string] {
  const colon = digest.indexOf(":");
  return [digest.slice(0, colon), digest.slice(colon + 1)];
}

/** "[registry/]name[:tag][@digest]". E_REFERENCE_INVALID names what is wrong. */
export function parseReference(text: string): Reference {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest))
    throw invalid(text, `${JSON.stringify(digest)} is not a digest`);
  let name = at < 0 ? text : text.slice(0, at);
  let tag: string | undefined;
  const colon = name.lastIndexOf(":");
  if (colon > name.lastIndexOf("/")) {
    tag = name.slice(colon + 1);
    name = name.slice(0, colon);
    if (!tagPattern.test(tag)) throw invalid(text, `${JSON.stringify(tag)} is not a tag`);
  }
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const registry = first === "localhost" || /[.:A-Z]/.test(first) ? first : undefined;
  const repository = registry === undefined ? name : name.slice(slash + 1);
  if (registry !== undefined && !hostPattern.test(registry))
    throw invalid(text, `${JSON.stringify(registry)} is not a host`);
  checkRepository(text, repository);
  return { registry, repository, tag, digest };
}

function checkRepository(text: string, repository: string): void {
  if (repository === "") throw invalid(text, "it has no name");
  if (repository.length > 255) throw invalid(text.slice(0, 80), "the name is longer than 255 characters");
  for (const part of repository.split("/")) {
    if (!component.test(part))
      throw invalid(
        text,
        `${JSON.stringify(part)} may hold only lower-case letters, digits and single separators . _ -`,
      );
  }
}

function invalid(text: string, why: string): TranshipError {
  return new TranshipError(
    "E_REFERENCE_INVALID",
    `not a reference: ${JSON.stringify(text.slice(0, 300))}: ${why}`,
    {
      hint: "write [registry/]name[:tag][@digest], for example billing:1",
    },
  );
}

/** Registry and repository. */
export function repositoryName(reference: Reference): string {
  return reference.registry === undefined
    ? reference.repository
    : `${reference.registry}/${reference.repository}`;
}

/** The name that an image layout's index uses: repository and tag, "latest" where none is given. */
export function tagName(reference: Reference): string {
  return `${repositoryName(reference)}:${reference.tag ?? "latest"}`;
}

export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}
