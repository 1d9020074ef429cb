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
  /** In the order in which they are told; asked more than once. */
  files: Iterable<BillFile>;
  refs: LicenceRefs;
}

/** SHA-1 of ASCII text, in hexadecimal: the rooms of formats have no digests of their own. */
export type Sha1 = (text: string) => string;

/**
 * The document as JSON, in pieces: files and relations of a whole machine are a hundred megabytes. Files of no installed package belong
 * to the whole alone.
 */
export function* spdxPieces(bill: Bill, sha1: Sha1): Generator<string> {
  const ids = new Map(bill.packages.map((one, i) => [one.name, `SPDXRef-Package-${i}-${idText(one.name)}`]));
  const ownersOf = (file: BillFile): string[] => {
    const owners = file.owners.flatMap((name) => ids.get(name) ?? []);
    return owners.length > 0 ? owners : [root];
  };
  const contained = new Map<string, string[]>();
  for (const file of bill.files) {
    for (const owner of ownersOf(file)) {
      const list = contained.get(owner);
      if (list === undefined) contained.set(owner, [file.sha1]);
      else list.push(file.sha1);
    }
  }
  const analyzed = (id: string): object => {
    const digests = contained.get(id);
    if (digests === undefined) return { filesAnalyzed: false };
    const code = sha1(digests.sort().join(""));
    return { filesAnalyzed: true, packageVerificationCode: { packageVerificationCodeValue: code } };
  };
  const hex = bill.imageDigest.replace(/^sha256:/, "");
  const packages = [
    { ...imagePackage(bill, root, hex), ...analyzed(root) },
    ...bill.packages.map((one) => {
      const id = ids.get(one.name) ?? "";
      return { ...packageOf(one, id, bill), ...analyzed(id) };
    }),
  ];
  contained.clear();
  yield `${JSON.stringify({ ...headOf(bill, hex), packages }).slice(0, -1)},"files":[`;
  yield* joined(filesOf(bill.files));
  yield '],"relationships":[';
  yield* joined(relationsOf(bill.files, [...ids.values()], ownersOf));
  yield bill.refs.size === 0
    ? "]}"
    : `],"hasExtractedLicensingInfos":${JSON.stringify(extracted(bill.refs))}}`;
}

const root = "SPDXRef-Image";

function headOf(bill: Bill, hex: string): object {
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
  };
}

function* filesOf(files: Iterable<BillFile>): Generator<object> {
  let number = 0;
  for (const file of files)
    yield {
      SPDXID: `SPDXRef-File-${number++}`,
      fileName: `.${file.path}`,
      checksums: [
        { algorithm: "SHA1", checksumValue: file.sha1 },
        { algorithm: "SHA256", checksumValue: file.sha256 },
      ],
      licenseConcluded: "NOASSERTION",
      licenseInfoInFiles: ["NOASSERTION"],
      copyrightText: "NOASSERTION",
    };
}

function* relationsOf(
  files: Iterable<BillFile>,
  ids: readonly string[],
  ownersOf: (file: BillFile) => readonly string[],
): Generator<object> {
  const of = (from: string, relationshipType: string, to: string) => {
    return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
  };
  yield of("SPDXRef-DOCUMENT", "DESCRIBES", root);
  for (const id of ids) yield of(root, "CONTAINS", id);
  let number = 0;
  for (const file of files) {
    for (const owner of ownersOf(file)) yield of(owner, "CONTAINS", `SPDXRef-File-${number}`);
    number++;
  }
}

const atOnce = 1000;

function* joined(values: Iterable<object>): Generator<string> {
  let some: string[] = [];
  let first = true;
  for (const value of values) {
    some.push(JSON.stringify(value));
    if (some.length < atOnce) continue;
    yield `${first ? "" : ","}${some.join()}`;
    first = false;
    some = [];
  }
  if (some.length > 0) yield `${first ? "" : ","}${some.join()}`;
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
