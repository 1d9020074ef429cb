// Manifests and indexes that are put, and names that are removed.
import { isTranshipError } from "../../base/errors.ts";
import {
  type Descriptor,
  decodeIndex,
  decodeManifest,
  type ImageIndex,
  type ImageManifest,
  isIndexType,
  isManifestType,
  parseDocument,
  refNameAnnotation,
} from "../../formats/oci.ts";
import { type Digest, isDigest } from "../../formats/oci-reference.ts";
import { step } from "../../host/steps.ts";
import { digestOf } from "../digest.ts";
import type { ImageStore } from "../store.ts";
import type { StoreSession } from "../store-session.ts";
import { HttpError } from "./http-error.ts";
import { repositoryAnnotation, splitName } from "./repositories.ts";

export interface PutManifest {
  repository: string;
  reference: string;
  contentType: string;
  bytes: Uint8Array;
}

export interface StoredManifest {
  digest: Digest;
  subject: Digest | undefined;
}

type Document = Pick<ImageIndex & ImageManifest, "subject" | "artifactType" | "annotations"> & {
  parts: readonly Descriptor[];
  artifact: string | undefined;
};

/** All that the document names has to be there; then it has its name in one step. */
export async function putManifest(
  store: ImageStore,
  session: StoreSession,
  put: PutManifest,
): Promise<StoredManifest> {
  const { repository, reference, bytes } = put;
  const digest = digestOf(bytes, isDigest(reference) ? reference : "sha256:");
  if (isDigest(reference) && digest !== reference)
    throw new HttpError(400, "DIGEST_INVALID", `the content has the digest ${digest}`);
  const type = checkedType(put);
  const document = decode(type, bytes, digest);
  for (const part of document.parts) {
    if (part.urls !== undefined && part.urls.length > 0) continue;
    if (!(await session.retain(part.digest)) || store.blobSize(part.digest) !== part.size)
      throw new HttpError(404, "MANIFEST_BLOB_UNKNOWN", `${part.digest} of ${part.size} bytes is not here`);
  }
  const stored = await putBytes(store, session, type, bytes, digest);
  await store.updateIndex(`put ${repository}`, (manifests) => {
    step("name what was pushed");
    return isDigest(reference)
      ? withNameless(manifests, stored, document, repository)
      : withTag(store, manifests, stored, `${repository}:${reference}`);
  });
  return { digest, subject: document.subject?.digest };
}

async function putBytes(
  store: ImageStore,
  session: StoreSession,
  type: string,
  bytes: Uint8Array,
  digest: Digest,
): Promise<Descriptor> {
  const descriptor = { mediaType: type, digest, size: bytes.length };
  if ((await session.has(descriptor)) && store.holds(descriptor, bytes)) return descriptor;
  const file = await session.create();
  try {
    await file.append(bytes);
    return await file.commit(type, { digest, size: bytes.length });
  } finally {
    await file.discard();
  }
}

function checkedType({ contentType, bytes }: PutManifest): string {
  const type = contentType.split(";")[0]?.trim() ?? "";
  if (!isIndexType(type) && !isManifestType(type))
    throw new HttpError(
      415,
      "MANIFEST_INVALID",
      `the media type ${JSON.stringify(type.slice(0, 100))} is not taken`,
    );
  const text = new TextDecoder().decode(bytes);
  const said = (strict(text) as { mediaType?: unknown } | null)?.mediaType;
  if (said !== undefined && said !== type)
    throw new HttpError(400, "MANIFEST_INVALID", "the document says another media type than the request");
  return type;
}

function strict(text: string): unknown {
  try {
    return parseDocument(text, "the document");
  } catch (error) {
    throw invalid(error);
  }
}

function invalid(error: unknown): unknown {
  return isTranshipError(error) ? new HttpError(400, "MANIFEST_INVALID", error.message) : error;
}

function decode(type: string, bytes: Uint8Array, digest: Digest): Document {
  const text = new TextDecoder().decode(bytes);
  try {
    if (isIndexType(type)) {
      const index = decodeIndex(text, `index ${digest}`);
      return { ...index, parts: index.manifests, artifact: index.artifactType };
    }
    const manifest = decodeManifest(text, `manifest ${digest}`);
    const parts = [manifest.config, ...manifest.layers];
    return { ...manifest, parts, artifact: manifest.artifactType ?? manifest.config.mediaType };
  } catch (error) {
    throw invalid(error);
  }
}

function withTag(
  store: ImageStore,
  manifests: readonly Descriptor[],
  entry: Descriptor,
  name: string,
): Descriptor[] {
  try {
    return store.named(name, store.imageOf(entry));
  } catch (error) {
    // An artifact, or an index of what is only partly here: it has its name and no more.
    if (!isTranshipError(error)) throw error;
  }
  const others = manifests.filter(({ annotations }) => annotations?.[refNameAnnotation] !== name);
  return [...others, { ...entry, annotations: { [refNameAnnotation]: name } }];
}

function withNameless(
  manifests: readonly Descriptor[],
  entry: Descriptor,
  { subject, artifact, annotations }: Document,
  repository: string,
): Descriptor[] {
  const same = ({ digest, annotations: has }: Descriptor): boolean =>
    digest === entry.digest &&
    has?.[refNameAnnotation] === undefined &&
    has?.[repositoryAnnotation] === repository;
  // A stranger's annotation may not become a name.
  const own = Object.entries(annotations ?? {}).filter(
    ([name]) => !name.startsWith("org.opencontainers.image.ref."),
  );
  return [
    ...manifests.filter((one) => !same(one)),
    {
      ...entry,
      ...(subject === undefined || artifact === undefined ? {} : { artifactType: artifact }),
      annotations: { ...Object.fromEntries(own), [repositoryAnnotation]: repository },
    },
  ];
}

/** A tag alone, or by digest everything of the repository that means it. False where there was nothing. */
export async function deleteManifest(
  store: ImageStore,
  repository: string,
  reference: string,
): Promise<boolean> {
  let found = false;
  await store.updateIndex(`delete from ${repository}`, (manifests) => {
    const gone = manifests.filter((entry) => {
      const name = entry.annotations?.[refNameAnnotation];
      if (!isDigest(reference)) return name === `${repository}:${reference}`;
      const own =
        name === undefined ? entry.annotations?.[repositoryAnnotation] : splitName(name)?.repository;
      return entry.digest === reference && own === repository;
    });
    found = gone.length > 0;
    const names = gone.flatMap(({ annotations }) => annotations?.[refNameAnnotation] ?? []);
    const beside = new Set(names.map((name) => `${name}-image`));
    return manifests.filter(
      (entry) => !gone.includes(entry) && !beside.has(entry.annotations?.[refNameAnnotation] ?? ""),
    );
  });
  return found;
}
