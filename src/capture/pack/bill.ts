// The bill of materials of a package that is being packed, or of an image: which installed packages its files come from, with version and
// licence, and the digests of the files.

import { mapLimit } from "../../base/map-limit.ts";
import { type InstalledPackage, loadInstalled } from "../../closure/installed.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { debianLicences, type LicenceRefs, licenceExpression } from "../../formats/licences.ts";
import { splitDigest } from "../../formats/oci-reference.ts";
import { type BillFile, spdxPieces } from "../../formats/spdx.ts";
import { digestOf } from "../../image/digest.ts";
import type { ContentsByName } from "../../image/packed-object.ts";
import type { MachineFiles } from "../../machine/machine.ts";

export interface BillRequest {
  /** The machine that the files come from, or the image itself. */
  files: MachineFiles;
  /** Regular files with their content; names of one file each by itself. */
  packed: ContentsByName;
  name: string;
  /** RFC 3339. */
  created: string;
  tool: string;
  system: { id: string; version: string };
}

/** Made when the digest of the image is known: JSON, in pieces. */
export type MakeBill = (imageDigest: string) => Iterable<string>;

/** Reads the database of installed packages and the copyright files of those that own something. */
export async function makeBill(request: BillRequest): Promise<MakeBill> {
  const { files, packed, name, created, tool, system } = request;
  const installed = await loadInstalled(files);
  const paths = [...packed.keys()].sort();
  const owning = new Set(paths.flatMap((path) => installed.owner(path)));
  const billed = { [Symbol.iterator]: () => billFiles(paths, packed, (path) => installed.owner(path)) };
  const refs: LicenceRefs = new Map();
  const found = [...owning].sort().flatMap((owner) => installed.get(owner) ?? []);
  const licences = await mapLimit(found, 16, (one) => licenceOf(files, one));
  const packages = found.map((one, i) => ({
    manager: one.manager,
    name: one.name,
    version: one.version,
    architecture: one.architecture,
    licence: licenceText(licences[i] ?? [], refs),
  }));
  const sha1 = (text: string): string => splitDigest(digestOf(text, "sha1:"))[1];
  return (imageDigest) => {
    const bill = { name, imageDigest, created, tool, system, packages, files: billed, refs };
    return spdxPieces(bill, sha1);
  };
}

function* billFiles(
  paths: readonly ByteString[],
  packed: ContentsByName,
  ownersOf: (path: ByteString) => readonly string[],
): Generator<BillFile> {
  for (const path of paths) {
    const digests = packed.get(path);
    if (digests !== undefined) yield { path: escapeBytes(path), ...digests, owners: ownersOf(path) };
  }
}

const maxCopyright = 1 << 20;

/** What a package says of its licences: the header of an rpm, the machine-readable copyright file of a Debian package. */
async function licenceOf(files: MachineFiles, one: InstalledPackage): Promise<string[]> {
  if (one.licence !== undefined && one.licence !== "") return [one.licence];
  if (one.manager !== "dpkg") return [];
  // Listed names keep to this form on every Debian; with several architectures the name goes without.
  const path = encodeText(`/usr/share/doc/${one.name.replace(/:.*$/, "")}/copyright`);
  const bytes = await files.read(path, { maxBytes: maxCopyright }).catch(() => undefined);
  if (bytes === undefined) return [];
  return debianLicences(Buffer.from(bytes).toString("utf8")) ?? [];
}

function licenceText(texts: readonly string[], refs: LicenceRefs): string | undefined {
  const parts = [...new Set(texts.flatMap((text) => licenceExpression(text, refs) ?? []))].sort();
  const [only] = parts;
  if (parts.length <= 1) return only;
  return parts.map((part) => (/ (OR|AND) /.test(part) ? `(${part})` : part)).join(" AND ");
}
