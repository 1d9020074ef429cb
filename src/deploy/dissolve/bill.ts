// What a package's bill of materials says of its files: which installed packages of its distribution they come from.
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { unescapeBytes } from "../../formats/escape.ts";
import { mediaType } from "../../formats/oci.ts";
import type { ImageStore, StoredImage } from "../../image/store.ts";

export interface Origins {
  /** Names of installed packages by path; empty for files that are of none. Regular files only. */
  owners: ReadonlyMap<ByteString, readonly string[]>;
  /** Version by name, of those that own something. */
  versions: ReadonlyMap<string, string>;
}

interface SpdxDocument {
  packages?: { SPDXID?: string; name?: string; versionInfo?: string }[];
  files?: { SPDXID?: string; fileName?: string }[];
  relationships?: { spdxElementId?: string; relationshipType?: string; relatedSpdxElement?: string }[];
}

const imageId = "SPDXRef-Image";

/** E_IMAGE_UNSUPPORTED where the package has no bill: nobody knows then what the distribution brings by itself. */
export function originsOf(store: ImageStore, image: StoredImage): Origins {
  const referrer = store.referrers(image.manifestDescriptor.digest, mediaType.sbom).at(-1);
  const layer = referrer === undefined ? undefined : store.readManifest(referrer).layers[0];
  if (layer === undefined) {
    throw new TranshipError(
      "E_IMAGE_UNSUPPORTED",
      `${image.name ?? image.target.digest} has no bill of materials`,
      {
        hint: "it is made at capture: what was imported from elsewhere cannot be dissolved",
      },
    );
  }
  const bill = JSON.parse(
    new TextDecoder().decode(store.readBlob(layer, "bill of materials")),
  ) as SpdxDocument;
  const names = new Map<string, string>();
  const versions = new Map<string, string>();
  for (const { SPDXID: id = "", name = "", versionInfo = "" } of bill.packages ?? []) {
    if (id === imageId) continue;
    const plain = name.replace(/:.*$/, "");
    names.set(id, plain);
    versions.set(plain, versionInfo);
  }
  const paths = new Map(
    (bill.files ?? []).map((file) => [file.SPDXID ?? "", unescapeBytes((file.fileName ?? "").slice(1))]),
  );
  const owners = new Map<ByteString, string[]>([...paths.values()].map((path) => [path, []]));
  for (const { spdxElementId = "", relationshipType, relatedSpdxElement = "" } of bill.relationships ?? []) {
    const name = names.get(spdxElementId);
    const path = paths.get(relatedSpdxElement);
    if (relationshipType === "CONTAINS" && name !== undefined && path !== undefined)
      owners.get(path)?.push(name);
  }
  return { owners, versions };
}
