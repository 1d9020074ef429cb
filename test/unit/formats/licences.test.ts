import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  debianLicences,
  type LicenceRefs,
  licenceExpression,
  spdxIdentifier,
} from "../../../src/formats/licences.ts";
import { spdxPieces } from "../../../src/formats/spdx.ts";

test("names of licences are those of SPDX where it has them", () => {
  const known: [string, string][] = [
    ["GPL-2+", "GPL-2.0-or-later"],
    ["GPL-2", "GPL-2.0-only"],
    ["GPLv3+", "GPL-3.0-or-later"],
    ["LGPL-2.1+", "LGPL-2.1-or-later"],
    ["GPL-2.0-or-later", "GPL-2.0-or-later"],
    ["Expat", "MIT"],
    ["BSD-3-clause", "BSD-3-Clause"],
    ["ASL 2.0", "Apache-2.0"],
  ];
  for (const [name, wanted] of known) assert.equal(spdxIdentifier(name), wanted, name);
  for (const name of ["GPL-7", "public-domain", "constructor", ""])
    assert.equal(spdxIdentifier(name), undefined, name);
});

test("what packages write becomes an expression, and what SPDX cannot name is kept", () => {
  const refs: LicenceRefs = new Map();
  const cases: [string, string | undefined][] = [
    ["GPL-2+ or Artistic, and Expat", "(GPL-2.0-or-later OR Artistic-1.0-Perl) AND MIT"],
    ["GPLv2+ and LGPLv2+", "GPL-2.0-or-later AND LGPL-2.0-or-later"],
    ["MIT and MIT", "MIT"],
    ["GPL-2+ or GPL-2+", "GPL-2.0-or-later"],
    ["Apache-2.0 AND Zlib", "Apache-2.0 AND Zlib"],
    ["public-domain", "LicenseRef-public-domain"],
    ["", undefined],
  ];
  for (const [text, wanted] of cases) assert.equal(licenceExpression(text, refs), wanted, text);
  assert.deepEqual([...refs], [["LicenseRef-public-domain", "public-domain"]]);
});

test("a copyright file of the machine-readable form tells its licences, running text none", () => {
  const file =
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n text\n\nFiles: debian/*\nLicense: Expat\n\nLicense: GPL-2+\n long text\n";
  assert.deepEqual(debianLicences(file), ["GPL-2+", "Expat"]);
  assert.equal(debianLicences("This is free software; see /usr/share/common-licenses/GPL-2"), undefined);
});

test("an SPDX document names packages, files and who has which", () => {
  const bill = {
    name: "shop:1",
    imageDigest: `sha256:${"a".repeat(64)}`,
    created: "2026-01-02T03:04:05.678Z",
    tool: "tranship 0.1.0",
    system: { id: "debian", version: "11" },
    packages: [
      {
        manager: "dpkg" as const,
        name: "libc6",
        version: "2.31-13+deb11u5",
        architecture: "amd64",
        licence: "LGPL-2.1-or-later",
      },
      {
        manager: "rpm" as const,
        name: "gtk+",
        version: "1:2.0-3.el9",
        architecture: "x86_64",
        licence: undefined,
      },
    ],
    files: [
      { path: "/lib/libc.so.6", sha1: "1".repeat(40), sha256: "2".repeat(64), owners: ["libc6"] },
      { path: "/etc/site", sha1: "3".repeat(40), sha256: "4".repeat(64), owners: [] },
    ],
    refs: new Map(),
  };
  const document = JSON.parse(
    [...spdxPieces(bill, (text) => createHash("sha1").update(text).digest("hex"))].join(""),
  );
  assert.equal(document.creationInfo.created, "2026-01-02T03:04:05Z");
  assert.deepEqual(
    document.packages
      .slice(1)
      .map((one: { externalRefs: { referenceLocator: string }[] }) => one.externalRefs[0]?.referenceLocator),
    [
      "pkg:deb/debian/libc6@2.31-13%2Bdeb11u5?arch=amd64&distro=debian-11",
      "pkg:rpm/debian/gtk%2B@2.0-3.el9?arch=x86_64&distro=debian-11&epoch=1",
    ],
  );
  assert.equal(document.packages[1].filesAnalyzed, true);
  assert.equal(document.packages[2].filesAnalyzed, false);
  const code = createHash("sha1").update("1".repeat(40)).digest("hex");
  assert.equal(document.packages[1].packageVerificationCode.packageVerificationCodeValue, code);
  const contains = document.relationships.map(
    (one: Record<string, string>) => `${one.spdxElementId} ${one.relationshipType} ${one.relatedSpdxElement}`,
  );
  assert.ok(contains.includes("SPDXRef-Package-0-libc6 CONTAINS SPDXRef-File-0"));
  assert.ok(contains.includes("SPDXRef-Image CONTAINS SPDXRef-File-1"));
  const ids = [...document.packages, ...document.files].map((one: { SPDXID: string }) => one.SPDXID);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
});
