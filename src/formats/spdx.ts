// A bill of materials as an SPDX 2.3 document in JSON. Pure: the same input gives the same document.
import type { LicenceRefs } from "./licences.ts";

export interface BillPackage {
  manager: "dpkg" | "rpm";
  name: string;
  version: string;
  architecture: string;
  /** SPDX expression; undefined where nothing is said. */
  licence: string | undefined;
}

export interface BillFile {
  /** Printable. */
  path: string;
  sha1: string;
  sha256: string;
  /** Names of the installed packages that own it. */
  owners: readonly string[];
}

export interface Bill {
  /** "shop:1". */
  name: string;
  /** Of the image manifest. */
  imageDigest: string;
  /** RFC 3339. */
  created: string;
  /** "tranship 0.1.0". */
  tool: string;
  /** Of the source: "debian", "11"; for package URLs. */
  system: { id: string; version: string };
  packages: readonly BillPackage[];
  files: readonly BillFile[];
  refs: LicenceRefs;
}

/** SHA-1 of ASCII text, in hexadecimal: the rooms of formats have no digests of their own. */
export type Sha1 = (text: string) => string;

/** A value for JSON.stringify. Files of no installed package belong to the whole alone. */
export function spdxDocument(bill: Bill, sha1: Sha1): object {
  const ids = new Map(bill.packages.map((one, i) => [one.name, `SPDXRef-Package-${i}-${idText(one.name)}`]));
  const root = "SPDXRef-Image";
  const relationships = [
    { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: root },
  ];
  for (const id of ids.values())
    relationships.push({ spdxElementId: root, relationshipType: "CONTAINS", relatedSpdxElement: id });
  /** SHA-1 of the files of each package. */
  const contained = new Map<string, string[]>();
  const files = bill.files.map((file, i) => {
    const id = `SPDXRef-File-${i}`;
    const owners = file.owners.flatMap((name) => ids.get(name) ?? []);
    for (const owner of owners.length > 0 ? owners : [root]) {
      const list = contained.get(owner);
      if (list === undefined) contained.set(owner, [file.sha1]);
      else list.push(file.sha1);
      relationships.push({ spdxElementId: owner, relationshipType: "CONTAINS", relatedSpdxElement: id });
    }
    return {
      SPDXID: id,
      fileName: `.${file.path}`,
      checksums: [
        { algorithm: "SHA1", checksumValue: file.sha1 },
        { algorithm: "SHA256", checksumValue: file.sha256 },
      ],
      licenseConcluded: "NOASSERTION",
      licenseInfoInFiles: ["NOASSERTION"],
      copyrightText: "NOASSERTION",
    };
  });
  const analyzed = (id: string): object => {
    const digests = contained.get(id);
    if (digests === undefined) return { filesAnalyzed: false };
    const code = sha1(digests.sort().join(""));
    return { filesAnalyzed: true, packageVerificationCode: { packageVerificationCodeValue: code } };
  };
  const hex = bill.imageDigest.replace(/^sha256:/, "");
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: bill.name,
    documentNamespace: `urn:tranship:sbom:${hex}:${bill.created.replace(/[^0-9TZ]/g, "")}`,
    creationInfo: {
      created: bill.created.replace(/\.\d+Z$/, "Z"),
      creators: [`Tool: ${bill.tool.replace(" ", "-")}`],
    },
    packages: [
      { ...imagePackage(bill, root, hex), ...analyzed(root) },
      ...bill.packages.map((one) => {
        const id = ids.get(one.name) ?? "";
        return { ...packageOf(one, id, bill), ...analyzed(id) };
      }),
    ],
    files,
    relationships,
    ...(bill.refs.size === 0 ? {} : { hasExtractedLicensingInfos: extracted(bill.refs) }),
  };
}

function imagePackage(bill: Bill, id: string, hex: string): object {
  return {
    SPDXID: id,
    name: bill.name,
    versionInfo: bill.imageDigest,
    downloadLocation: "NOASSERTION",
    checksums: [{ algorithm: "SHA256", checksumValue: hex }],
    licenseConcluded: "NOASSERTION",
    licenseDeclared: "NOASSERTION",
    copyrightText: "NOASSERTION",
    primaryPackagePurpose: "CONTAINER",
  };
}

function packageOf(one: BillPackage, id: string, { system }: Bill): object {
  return {
    SPDXID: id,
    name: one.name,
    versionInfo: one.version,
    downloadLocation: "NOASSERTION",
    licenseConcluded: "NOASSERTION",
    licenseDeclared: one.licence ?? "NOASSERTION",
    copyrightText: "NOASSERTION",
    externalRefs: [
      {
        referenceCategory: "PACKAGE-MANAGER",
        referenceType: "purl",
        referenceLocator: packageUrl(one, system),
      },
    ],
  };
}

/** pkg:deb/debian/libc6@2.31-13?arch=amd64&distro=debian-11 */
function packageUrl({ manager, name, version, architecture }: BillPackage, system: Bill["system"]): string {
  const type = manager === "dpkg" ? "deb" : "rpm";
  const epoch = type === "rpm" ? /^(\d+):/.exec(version)?.[1] : undefined;
  const plain = epoch === undefined ? version : version.slice(epoch.length + 1);
  const qualifiers = [
    ...(architecture === "" ? [] : [`arch=${encodeURIComponent(architecture)}`]),
    ...(system.id === "" ? [] : [`distro=${encodeURIComponent(`${system.id}-${system.version}`)}`]),
    ...(epoch === undefined ? [] : [`epoch=${epoch}`]),
  ];
  const place = `${type}/${encodeURIComponent(system.id || "unknown")}/${encodeURIComponent(name)}`;
  return `pkg:${place}@${encodeURIComponent(plain)}${qualifiers.length === 0 ? "" : `?${qualifiers.join("&")}`}`;
}

function extracted(refs: LicenceRefs): object[] {
  return [...refs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([licenseId, name]) => ({
      licenseId,
      name,
      extractedText: `The package calls its licence ${JSON.stringify(name)}; its text is in the package's own documentation.`,
    }));
}

function idText(text: string): string {
  return text.replace(/[^A-Za-z0-9.-]+/g, "-").slice(0, 60);
}
