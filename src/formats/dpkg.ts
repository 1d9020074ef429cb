// The database of dpkg: status stanzas, file lists, conffiles, md5sums, diversions, alternatives.
// A damaged file gives problems with line numbers and what is still readable, never an exception.
import type { ByteString } from "./entry.ts";

export interface LineProblem {
  /** 1 is the first line. */
  line: number;
  message: string;
}

export interface DpkgRelation {
  name: string;
  /** "libc6:any" -> "any". */
  architecture: string | undefined;
  operator: "<<" | "<=" | "=" | ">=" | ">>" | undefined;
  version: string | undefined;
}

/** Any one of them will do. */
export type DpkgAlternatives = DpkgRelation[];

export interface DpkgPackage {
  name: string;
  architecture: string;
  version: string;
  /** Third word of Status: "installed", "config-files", "half-installed" ... */
  state: string;
  section: string;
  priority: string;
  essential: boolean;
  multiArch: string;
  source: string;
  /** Bytes, as the package says. */
  installedSize: number;
  summary: string;
  preDepends: DpkgAlternatives[];
  depends: DpkgAlternatives[];
  recommends: DpkgAlternatives[];
  provides: DpkgRelation[];
  conffiles: Array<{ path: ByteString; md5: string; obsolete: boolean }>;
}

export interface DpkgStatus {
  packages: DpkgPackage[];
  problems: LineProblem[];
}

interface Stanza {
  line: number;
  fields: Map<string, string>;
}

export function parseDpkgStatus(text: ByteString): DpkgStatus {
  const status: DpkgStatus = { packages: [], problems: [] };
  for (const stanza of parseStanzas(text, status.problems)) {
    const name = stanza.fields.get("package") ?? "";
    if (!/^[A-Za-z0-9][A-Za-z0-9+._-]*$/.test(name)) {
      status.problems.push({
        line: stanza.line,
        message: `a stanza has no valid package name: ${quote(name)}`,
      });
      continue;
    }
    const words = (stanza.fields.get("status") ?? "install ok installed").trim().split(/\s+/);
    if (words.length !== 3) {
      status.problems.push({
        line: stanza.line,
        message: `${name} has no valid Status: ${quote(words.join(" "))}`,
      });
      continue;
    }
    status.packages.push(packageOf(name, words[2] ?? "", stanza.fields));
  }
  status.problems.sort((a, b) => a.line - b.line);
  return status;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

/** Deb822 paragraphs; field names in lower case, continuation lines joined by a newline. */
function parseStanzas(text: ByteString, problems: LineProblem[]): Stanza[] {
  const stanzas: Stanza[] = [];
  let current: Stanza | undefined;
  let field = "";
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") {
      current = undefined;
      continue;
    }
    if (current === undefined) {
      current = { line: index + 1, fields: new Map() };
      stanzas.push(current);
      field = "";
    }
    const match = /^([A-Za-z0-9][\w-]*):[ \t]*(.*)$/.exec(line);
    if (/^[ \t]/.test(line) && field !== "") {
      current.fields.set(field, `${current.fields.get(field) ?? ""}\n${line.trim()}`);
    } else if (match !== null) {
      field = (match[1] ?? "").toLowerCase();
      current.fields.set(field, match[2] ?? "");
    } else {
      problems.push({ line: index + 1, message: `neither a field nor its continuation: ${quote(line)}` });
    }
  }
  if (text !== "" && !text.endsWith("\n")) {
    problems.push({ line: lines.length, message: "the file ends in the middle of a line" });
  }
  return stanzas;
}

function packageOf(name: string, state: string, fields: ReadonlyMap<string, string>): DpkgPackage {
  const get = (key: string): string => fields.get(key) ?? "";
  return {
    name,
    state,
    architecture: get("architecture"),
    version: get("version"),
    section: get("section"),
    priority: get("priority"),
    essential: get("essential") === "yes",
    multiArch: get("multi-arch"),
    source: get("source").replace(/\s.*$/, "") || name,
    installedSize: (Number.parseInt(get("installed-size"), 10) || 0) * 1024,
    summary: get("description").split("\n")[0] ?? "",
    preDepends: parseRelations(get("pre-depends")),
    depends: parseRelations(get("depends")),
    recommends: parseRelations(get("recommends")),
    provides: parseRelations(get("provides")).flat(),
    conffiles: parseConffiles(get("conffiles")),
  };
}

/** "a (>= 1) | b:any, c" -> [[a, b], [c]]. What is not a relation is left out. */
export function parseRelations(text: string): DpkgAlternatives[] {
  const groups: DpkgAlternatives[] = [];
  for (const part of text.split(",")) {
    const group: DpkgAlternatives = [];
    for (const word of part.split("|")) {
      const match =
        /^\s*([A-Za-z0-9][A-Za-z0-9+._-]*)(?::([a-z0-9-]+))?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^\s)]+)\s*\))?/.exec(
          word,
        );
      if (match === null) continue;
      const operator = match[3] as DpkgRelation["operator"];
      group.push({ name: match[1] ?? "", architecture: match[2], operator, version: match[4] });
    }
    if (group.length > 0) groups.push(group);
  }
  return groups;
}

const maxConffile = 8192;

function parseConffiles(text: string): DpkgPackage["conffiles"] {
  const conffiles: DpkgPackage["conffiles"] = [];
  for (const line of text.split("\n")) {
    if (line.length > maxConffile) continue;
    const match = /^(\/.*) ([0-9a-f]{32}|newconffile)((?: [a-z-]+)*)$/.exec(line);
    if (match === null) continue;
    conffiles.push({
      path: match[1] ?? "",
      md5: match[2] ?? "",
      obsolete: (match[3] ?? "").includes("obsolete"),
    });
  }
  return conffiles;
}

/** info/NAME.list: one absolute path a line; "/." is the root directory and left out. */
export function parseDpkgList(text: ByteString): ByteString[] {
  return text.split("\n").filter((line) => line.startsWith("/") && line !== "/." && line !== "/");
}

/** info/NAME.conffiles: a path a line, dpkg 1.20 may put a flag before it. */
export function parseDpkgConffiles(text: ByteString): ByteString[] {
  return text
    .split("\n")
    .map((line) => line.replace(/^remove-on-upgrade\s+/, "").trim())
    .filter((line) => line.startsWith("/"));
}

/** info/NAME.md5sums: absolute path -> md5 in hexadecimal. */
export function parseDpkgMd5sums(text: ByteString): Map<ByteString, string> {
  const sums = new Map<ByteString, string>();
  for (const line of text.split("\n")) {
    const match = /^([0-9a-f]{32}) [ *](.+)$/.exec(line);
    if (match !== null) sums.set(`/${(match[2] ?? "").replace(/^\/+/, "")}`, match[1] ?? "");
  }
  return sums;
}

export interface DpkgDiversion {
  from: ByteString;
  to: ByteString;
  /** The package whose own file stays at `from`; ":" where the administrator diverted it. */
  by: string;
}

export function parseDpkgDiversions(text: ByteString): DpkgDiversion[] {
  const lines = text.split("\n");
  const diversions: DpkgDiversion[] = [];
  for (let index = 0; index + 2 < lines.length; index += 3) {
    const [from = "", to = "", by = ""] = lines.slice(index, index + 3);
    if (from.startsWith("/") && to.startsWith("/") && by !== "") diversions.push({ from, to, by });
  }
  return diversions;
}

export interface DpkgAlternative {
  mode: "auto" | "manual";
  /** First the master, then the slaves: /etc/alternatives/NAME and the link that points to it. */
  links: Array<{ name: string; link: ByteString }>;
  /** Each choice: the paths of master and slaves in the order of `links` ("" where it has none). */
  choices: Array<{ priority: number; paths: ByteString[] }>;
}

/** A file of /var/lib/dpkg/alternatives; `name` is its name. undefined where it is none. */
export function parseDpkgAlternative(name: string, text: ByteString): DpkgAlternative | undefined {
  const lines = text.split("\n");
  const mode = lines[0];
  const link = lines[1];
  if ((mode !== "auto" && mode !== "manual") || link === undefined || !link.startsWith("/")) return undefined;
  const alternative: DpkgAlternative = { mode, links: [{ name, link }], choices: [] };
  let at = 2;
  for (; at + 1 < lines.length && lines[at] !== ""; at += 2) {
    alternative.links.push({ name: lines[at] ?? "", link: lines[at + 1] ?? "" });
  }
  const size = alternative.links.length;
  for (at++; at + size < lines.length && (lines[at] ?? "").startsWith("/"); at += size + 1) {
    const paths = [lines[at] ?? "", ...lines.slice(at + 2, at + 1 + size)];
    alternative.choices.push({ priority: Number(lines[at + 1]) || 0, paths });
  }
  return alternative;
}
