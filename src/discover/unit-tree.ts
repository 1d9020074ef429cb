// The unit files of a machine as systemd would find them: search path, aliases, masks, drop-ins, wants links.
import type { ByteString, Entry } from "../formats/entry.ts";
import { parseUnitName, templateOf } from "../formats/unit-names.ts";
import { parseUnit, type UnitFile, UnitSettings } from "../formats/units.ts";
import { baseName, type Source } from "./source.ts";

const searchPath = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/run/systemd/generator",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
];
const unitSuffix = /\.(service|timer|socket|target|mount|automount|path|slice)$/;
const maxEntries = 50_000;

export interface LoadedUnit {
  name: ByteString;
  /** Fragment, then drop-ins. */
  from: ByteString[];
  settings: UnitSettings;
  hasInstall: boolean;
  problems: string[];
}

interface Found {
  path: ByteString;
  masked: boolean;
  /** Name of the unit that a link of another name leads to. */
  aliasOf: ByteString | undefined;
}

export class UnitTree {
  readonly #source: Source;
  readonly #found = new Map<ByteString, Found>();
  readonly #dropIns = new Map<ByteString, ByteString[]>();
  readonly #enabledBy = new Map<ByteString, ByteString[]>();

  private constructor(source: Source) {
    this.#source = source;
  }

  static async open(source: Source): Promise<UnitTree> {
    const tree = new UnitTree(source);
    const seen = new Set<ByteString>();
    for (const directory of searchPath) {
      const canonical = await source.canonical(directory);
      if (canonical === undefined || seen.has(canonical)) continue;
      seen.add(canonical);
      const entries = await source.list(directory);
      if (entries.length > maxEntries)
        source.note(directory, `more than ${maxEntries} entries, the rest is not read`);
      for (const entry of entries.slice(0, maxEntries)) await tree.#add(entry);
    }
    return tree;
  }

  async #add(entry: Entry): Promise<void> {
    const name = baseName(entry.path);
    if (entry.kind === "directory" || (entry.kind === "symlink" && name.endsWith(".d"))) {
      if (name.endsWith(".d")) append(this.#dropIns, name.slice(0, -2), entry.path);
      else if (/\.(wants|requires|upholds)$/.test(name)) await this.#addWants(entry.path);
      return;
    }
    if (!unitSuffix.test(name) || this.#found.has(name)) return;
    const found: Found = {
      path: entry.path,
      masked: entry.kind === "file" && entry.size === 0,
      aliasOf: undefined,
    };
    if (entry.kind === "symlink") {
      const target = entry.target === "/dev/null" ? entry.target : await this.#source.canonical(entry.path);
      const other = baseName(target ?? entry.target);
      found.masked = target === "/dev/null";
      if (!found.masked && other !== name && unitSuffix.test(other)) found.aliasOf = other;
    }
    this.#found.set(name, found);
  }

  async #addWants(directory: ByteString): Promise<void> {
    for (const link of await this.#source.list(directory))
      append(this.#enabledBy, baseName(link.path), link.path);
  }

  /** Names of all units of a type: files, and instances that links or `also` name. Aliases and masks are among them. */
  names(type: string, also: readonly ByteString[] = []): ByteString[] {
    const names = new Set<ByteString>([...this.#found.keys(), ...also]);
    for (const name of this.#enabledBy.keys()) {
      const template = templateOf(name);
      if (template !== undefined && this.#found.has(template)) names.add(name);
    }
    return [...names].filter((name) => parseUnitName(name)?.type === type).sort();
  }

  has(name: ByteString): boolean {
    return this.#find(name) !== undefined;
  }

  masked(name: ByteString): boolean {
    return this.#find(name)?.masked === true;
  }

  /** The unit that a name stands for, links followed by name; a loop ends at where it began. */
  realName(name: ByteString): ByteString {
    const seen = new Set<ByteString>();
    let current = name;
    while (!seen.has(current)) {
      seen.add(current);
      const next = this.#found.get(current)?.aliasOf;
      if (next === undefined || !this.#found.has(next)) return current;
      // an alias of a template names the template; the instance stays
      if (parseUnitName(next)?.instance === "" && parseUnitName(current)?.instance !== "") return current;
      current = next;
    }
    return name;
  }

  enabledBy(name: ByteString): ByteString[] {
    return this.#enabledBy.get(name) ?? [];
  }

  async load(name: ByteString): Promise<LoadedUnit | undefined> {
    const found = this.#find(name);
    if (found === undefined) return undefined;
    if (found.masked) return { ...(await loadUnit(this.#source, name, [])), from: [found.path] };
    return loadUnit(this.#source, name, [found.path, ...(await this.#dropInFiles(name))]);
  }

  #find(name: ByteString): Found | undefined {
    const template = templateOf(name);
    return this.#found.get(name) ?? (template === undefined ? undefined : this.#found.get(template));
  }

  /** Files of all drop-in directories of a unit in the order of their names; of the same name the first directory's counts. */
  async #dropInFiles(name: ByteString): Promise<ByteString[]> {
    const parsed = parseUnitName(name);
    const template = templateOf(name);
    const owners = [
      name,
      ...(template === undefined ? [] : [template]),
      ...prefixesOf(name),
      parsed?.type ?? "",
    ];
    const files = new Map<ByteString, ByteString>();
    for (const owner of owners) {
      for (const directory of this.#dropIns.get(owner) ?? []) {
        for (const path of await this.#source.filesIn(directory, /\.conf$/)) {
          if (!files.has(baseName(path))) files.set(baseName(path), path);
        }
      }
    }
    return [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  }
}

/** Reads the files of a unit, the fragment first. */
export async function loadUnit(
  source: Source,
  name: ByteString,
  from: readonly ByteString[],
): Promise<LoadedUnit> {
  const files: UnitFile[] = [];
  const problems: string[] = [];
  for (const path of from) {
    const text = await source.text(path);
    if (text === undefined) {
      problems.push(`${path} cannot be read`);
      continue;
    }
    const file = parseUnit(text);
    files.push(file);
    problems.push(...file.problems.map((problem) => `${path} ${problem}`));
  }
  return {
    name,
    from: [...from],
    settings: new UnitSettings(files),
    hasInstall: files.some((file) => file.settings.some((setting) => setting.section === "Install")),
    problems,
  };
}

/** "a-b-c.service" is also configured by a-b-.service.d and a-.service.d. */
function prefixesOf(name: ByteString): ByteString[] {
  const parsed = parseUnitName(name);
  if (parsed === undefined) return [];
  const parts = parsed.prefix.split("-").slice(0, 16);
  const prefixes: ByteString[] = [];
  for (let count = parts.length - 1; count > 0; count--) {
    prefixes.push(`${parts.slice(0, count).join("-")}-.${parsed.type}`);
  }
  return prefixes;
}

function append(map: Map<ByteString, ByteString[]>, key: ByteString, value: ByteString): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
