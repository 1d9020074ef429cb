import type { Digest } from "../../formats/oci-reference.ts";

/** What an import has made. */
export interface Imported {
  name: string;
  /** Of what the name means. */
  digest: Digest;
  imageDigest: Digest;
  layers: number;
}
