// Evidence, SBOM and signatures of an image come along with it. They are additions: what cannot be had is told and left.
import { isTranshipError } from "../../base/errors.ts";
import { type Log, silentProgress } from "../../base/log.ts";
import { type Descriptor, decodeManifest, isManifestType, mediaType } from "../../formats/oci.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import { maxArtifact } from "../store-blobs.ts";
import type { StoreSession } from "../store-session.ts";
import { downloadBlob } from "./blob-download.ts";
import type { RegistryClient } from "./registry-client.ts";

const maxReferrers = 64;

/** Entries for index.json, whose blobs are in the store. */
export async function pullReferrers(
  client: RegistryClient,
  session: StoreSession,
  subject: Digest,
  log: Log | undefined,
): Promise<Descriptor[]> {
  const pulled: Descriptor[] = [];
  try {
    const all = await client.referrers(subject);
    // The package descriptor stands in the index.
    const wanted = all.filter(
      (entry) => isManifestType(entry.mediaType) && entry.artifactType !== mediaType.descriptor,
    );
    if (wanted.length > maxReferrers)
      log?.warn(`${wanted.length} documents refer to the image; ${maxReferrers} are taken`);
    for (const entry of wanted.slice(0, maxReferrers)) {
      const made = await pullReferrer(client, session, entry, subject);
      if (made === undefined)
        log?.warn(`left out what refers to the image: ${entry.digest}, ${entry.artifactType ?? ""}`);
      else pulled.push(made);
    }
  } catch (error) {
    if (isTranshipError(error, "E_INTERRUPTED") || isTranshipError(error, "E_NO_SPACE")) throw error;
    log?.warn(`what refers to the image could not be read: ${(error as Error).message}`);
  }
  return pulled;
}

/** undefined where it does not refer to the image, or is larger than any document. */
async function pullReferrer(
  client: RegistryClient,
  session: StoreSession,
  entry: Descriptor,
  subject: Digest,
): Promise<Descriptor | undefined> {
  const { descriptor, bytes } = await client.manifest(entry.digest);
  const text = new TextDecoder().decode(bytes);
  const manifest = decodeManifest(text, `manifest ${entry.digest}`);
  const parts = [manifest.config, ...manifest.layers];
  if (manifest.subject?.digest !== subject || parts.some((part) => part.size > maxArtifact)) return undefined;
  for (const part of parts) await downloadBlob(client, session, part, silentProgress.begin(""));
  await session.put(descriptor.mediaType, bytes);
  const { annotations } = manifest;
  return {
    ...descriptor,
    artifactType: manifest.artifactType ?? manifest.config.mediaType,
    ...(annotations === undefined ? {} : { annotations: withoutName(annotations) }),
  };
}

/** An annotation of a stranger's may not become a name in our index. */
function withoutName(annotations: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter(([name]) => !name.startsWith("org.opencontainers.image.ref.")),
  );
}
