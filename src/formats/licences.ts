// Names of licences, as Debian's copyright files and rpm's headers write them, as SPDX expressions. Pure.
//
// A name that SPDX does not have becomes a LicenseRef, which keeps what was said; nothing is guessed from running text.

/** What packages call licences, in lower case -> SPDX. Versions of the GNU licences are made by rule, below. */
const names: Readonly<Record<string, string>> = {
  expat: "MIT", mit: "MIT", x11: "X11", isc: "ISC", zlib: "Zlib", artistic: "Artistic-1.0-Perl", "artistic-1": "Artistic-1.0-Perl",
  "artistic-2": "Artistic-2.0", "artistic-2.0": "Artistic-2.0", "artistic 2.0": "Artistic-2.0", "bsd-2-clause": "BSD-2-Clause",
  "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause", "bsd-2": "BSD-2-Clause", "bsd-3": "BSD-3-Clause",
  "bsd-4-clause-uc": "BSD-4-Clause-UC", "apache-2": "Apache-2.0", "apache-2.0": "Apache-2.0", "asl 2.0": "Apache-2.0",
  "mpl-1.1": "MPL-1.1", "mpl-2.0": "MPL-2.0", "mpl-2": "MPL-2.0", "mplv1.1": "MPL-1.1", "mplv2.0": "MPL-2.0", openssl: "OpenSSL",
  python: "Python-2.0", "python-2.0": "Python-2.0", "psf-2": "PSF-2.0", php: "PHP-3.01", "php-3.01": "PHP-3.01", cc0: "CC0-1.0",
  "cc0-1.0": "CC0-1.0", "cc-by-3.0": "CC-BY-3.0", "cc-by-sa-3.0": "CC-BY-SA-3.0", "cc-by-4.0": "CC-BY-4.0", curl: "curl",
  ruby: "Ruby", postgresql: "PostgreSQL", unlicense: "Unlicense", "bsl-1.0": "BSL-1.0", boost: "BSL-1.0", ftl: "FTL", libpng: "Libpng",
  "openldap-2.8": "OLDAP-2.8", sleepycat: "Sleepycat", unicode: "Unicode-TOU", "0bsd": "0BSD", vim: "Vim", wtfpl: "WTFPL",
}; // biome-ignore format: a table

const gnu: Readonly<Record<string, string>> = { gpl: "GPL", lgpl: "LGPL", agpl: "AGPL", gfdl: "GFDL" };
/** Those that SPDX has, by licence. */
const gnuVersions: Readonly<Record<string, readonly string[]>> = {
  GPL: ["1.0", "2.0", "3.0"], LGPL: ["2.0", "2.1", "3.0"], AGPL: ["1.0", "3.0"], GFDL: ["1.1", "1.2", "1.3"],
}; // biome-ignore format: a table

/** The SPDX identifier of one licence; undefined where SPDX has none of that name. */
export function spdxIdentifier(name: string): string | undefined {
  const word = name.trim().toLowerCase();
  if (Object.hasOwn(names, word)) return names[word];
  const match = /^(a?gpl|lgpl|gfdl)[- ]?v?(\d+(?:\.\d+)?)(\+| or later|-or-later|-only)?$/.exec(word);
  if (match === null) return undefined;
  const [, kind = "", number = "", more = ""] = match;
  const family = gnu[kind] ?? "";
  const version = number.includes(".") ? number : `${number}.0`;
  if (!gnuVersions[family]?.includes(version)) return undefined;
  return `${family}-${version}-${more === "" || more === "-only" ? "only" : "or-later"}`;
}

/** Licences whose names SPDX does not have, by their LicenseRef; the text is what the package says. */
export type LicenceRefs = Map<string, string>;

/**
 * "GPL-2+ or Artistic, and Expat" -> "(GPL-2.0-or-later OR Artistic-1.0-Perl) AND MIT". Adds to `refs` what SPDX has no name for. undefined
 * where nothing is said.
 */
export function licenceExpression(text: string, refs: LicenceRefs): string | undefined {
  const groups = text
    .split(/\s*,\s*(?:and\s+)?|\s+and\s+(?=\()/i)
    .map((group) => group.replace(/^\(|\)$/g, "").trim())
    .filter((group) => group !== "")
    .map((group) => oneGroup(group, refs));
  const unique = [...new Set(groups)].sort();
  if (unique.length === 0) return undefined;
  const [only] = unique;
  if (unique.length === 1) return only;
  return unique.map((group) => (/ OR /.test(group) ? `(${group})` : group)).join(" AND ");
}

function oneGroup(group: string, refs: LicenceRefs): string {
  const choices = group.split(/\s+or\s+(?!later)/i).map((choice) => {
    const all = choice.split(/\s+and\s+/i).map((one) => oneLicence(one.replace(/[()]/g, ""), refs));
    return [...new Set(all)].join(" AND ");
  });
  const unique = [...new Set(choices)];
  return unique.length === 1
    ? (unique[0] ?? "")
    : unique.map((choice) => (/ AND /.test(choice) ? `(${choice})` : choice)).join(" OR ");
}

function oneLicence(name: string, refs: LicenceRefs): string {
  const known = spdxIdentifier(name);
  if (known !== undefined) return known;
  // An expression of SPDX itself, as newer rpms have them, names its licences as they are.
  if (/^[A-Z][A-Za-z0-9.-]*(-only|-or-later|-Clause|-\d+\.\d+)$/.test(name.trim())) return name.trim();
  const id = `LicenseRef-${name
    .trim()
    .replace(/\+/g, "plus")
    .replace(/[^A-Za-z0-9.-]+/g, "-")
    .slice(0, 80)}`;
  refs.set(id, name.trim());
  return id;
}

/** Short names of the licences of a copyright file of Debian's machine-readable form; undefined of any other form. */
export function debianLicences(text: string): string[] | undefined {
  if (!/^format:.*copyright-format/im.test(text.slice(0, 2000))) return undefined;
  const found = new Set<string>();
  for (const stanza of text.split(/\n[ \t]*\n/)) {
    if (!/^(files|format):/im.test(stanza)) continue;
    const name = /^license:[ \t]*(\S.*)$/im.exec(stanza)?.[1]?.trim();
    if (name !== undefined) found.add(name);
  }
  return [...found];
}
