// A manifest with a subject; where the registry does not list referrers itself, the fallback tag of the specification does.
import { type Descriptor, type ImageIndex, mediaType } from "../../formats/oci.ts";
import { digestOf } from "../digest.ts";
import type { OutwardDocument } from "../outward.ts";
import { fallbackTag, type RegistryClient } from "./registry-client.ts";

/** Another pusher may write the tag at the same moment: it is read again, and written again where ours is missing. */
const tries = 5;

export async function putReferrer(client: RegistryClient, document: OutwardDocument): Promise<void> {
  if (await client.putManifest(document.descriptor.digest, document)) return;
  const manifest = JSON.parse(new TextDecoder().decode(document.bytes)) as {
    subject?: Descriptor;
    artifactType?: string;
    config: Descriptor;
    annotations?: Record<string, string>;
  };
  const subject = manifest.subject?.digest;
  if (subject === undefined) return;
  const { mediaType: type, digest, size } = document.descriptor;
  const entry: Descriptor = {
    mediaType: type,
    digest,
    size,
    artifactType: manifest.artifactType ?? manifest.config.mediaType,
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
  };
  for (let count = 0; count < tries; count++) {
    const before = (await client.fallbackIndex(subject))?.manifests ?? [];
    if (before.some((one) => one.digest === digest)) return;
    const index: ImageIndex = { schemaVersion: 2, mediaType: mediaType.index, manifests: [...before, entry] };
    const bytes = new TextEncoder().encode(JSON.stringify(index));
    const descriptor = { mediaType: mediaType.index, digest: digestOf(bytes), size: bytes.length };
    await client.putManifest(fallbackTag(subject), { descriptor, bytes });
  }
}
