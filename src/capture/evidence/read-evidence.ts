// The evidence document of a package in the store.
import { TranshipError } from "../../base/errors.ts";
import { mediaType } from "../../formats/oci.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { openStore } from "../../image/store.ts";
import { maxArtifact } from "../../image/store-blobs.ts";
import { type EvidenceDocument, readEvidenceDocument } from "./evidence-document.ts";

export function evidenceOf(root: StateRoot, reference: string): EvidenceDocument {
  const store = openStore(root);
  const image = store.image(reference);
  const referrer = store.referrers(image.manifestDescriptor.digest, mediaType.evidence)[0];
  const blob = referrer === undefined ? undefined : store.readManifest(referrer).layers[0];
  if (blob === undefined) {
    throw new TranshipError("E_IMAGE_UNSUPPORTED", `${reference} carries no evidence`, {
      hint: "only packages made by a capture of this store have it",
    });
  }
  return readEvidenceDocument(store.readBlob(blob, "evidence", maxArtifact), reference);
}
