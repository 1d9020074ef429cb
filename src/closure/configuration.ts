// The text of configuration files as their servers understand it, as far as servers have that in common: variables put in, and the
// directories from which relative names start.
//
// Theory. A file that is included is read in the surroundings of the one that includes it: ServerRoot, a chroot and Define count in all of
// them. So surroundings are handed on, and a file is looked at again where it gets to know more than when it was looked at first.

import { baseDirectories, expandReferences, rootDirectories } from "../formats/configuration-text.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { readShellAssignments } from "../formats/shell-assignments.ts";
import type { ProgramStart } from "./program-start.ts";
import { rootsOf } from "./program-start.ts";
import type { Tree } from "./tree.ts";
import { dirname } from "./tree.ts";

/** Larger files are no configuration that people write. */
export const maxConfiguration = 1 << 20;
const maxDirectories = 16;

export interface Surroundings {
  /** Directories that relative names may start from, nearest first. */
  bases: readonly ByteString[];
  /** Directories that the server makes its root. */
  roots: readonly ByteString[];
  variables: ReadonlyMap<string, ByteString>;
}

export interface ConfigurationFile {
  text: string;
  surroundings: Surroundings;
}

const nothing: Surroundings = { bases: [], roots: [], variables: new Map() };

export class Configurations {
  readonly #tree: Tree;
  readonly #started: Surroundings;
  readonly #handed = new Map<ByteString, Surroundings>();
  /** Of the directory that has a file of variables for its server. */
  readonly #variables = new Map<ByteString, Promise<ReadonlyMap<string, ByteString>>>();

  constructor(tree: Tree, starts: readonly ProgramStart[]) {
    this.#tree = tree;
    this.#started = {
      bases: [...new Set(starts.map((one) => one.workingDirectory))].filter(
        (path) => path.startsWith("/") && path !== "/",
      ),
      roots: starts.flatMap(rootsOf),
      variables: new Map(starts.flatMap((one) => Object.entries(one.variables))),
    };
  }

  /** undefined where it is no text. */
  async read(entry: Entry): Promise<ConfigurationFile | undefined> {
    const raw = await this.#tree.text(entry.path, maxConfiguration);
    if (raw === undefined || raw.includes("\0")) return undefined;
    const handed = this.#handed.get(entry.path) ?? nothing;
    const home = topDirectory(entry.path);
    const variables = new Map([
      ...this.#started.variables,
      ...(await this.#serverVariables(home)),
      ...handed.variables,
      ["here", dirname(entry.path)] as const,
    ]);
    const text = expandReferences(raw, (name) => variables.get(name) ?? variables.get(asVariable(name)));
    for (const match of text.matchAll(/^\s*Define\s+(\w+)\s+"?([^"\s]+)"?/gm))
      variables.set(match[1] ?? "", match[2] ?? "");
    return {
      text,
      surroundings: {
        bases: unique([
          ...baseDirectories(text),
          ...handed.bases,
          dirname(entry.path),
          home,
          ...this.#started.bases,
        ]),
        roots: unique([...rootDirectories(text), ...handed.roots, ...this.#started.roots]),
        variables,
      },
    };
  }

  /** Hands the surroundings on to a file that is included. Tells whether it knew less before. */
  hand(path: ByteString, surroundings: Surroundings): boolean {
    const known = this.#handed.get(path);
    const more =
      known === undefined ||
      surroundings.bases.some((one) => !known.bases.includes(one)) ||
      surroundings.roots.some((one) => !known.roots.includes(one)) ||
      surroundings.variables.size > known.variables.size;
    if (!more) return false;
    this.#handed.set(path, {
      bases: unique([...(known?.bases ?? []), ...surroundings.bases]),
      roots: unique([...(known?.roots ?? []), ...surroundings.roots]),
      variables: new Map([...(known?.variables ?? []), ...surroundings.variables]),
    });
    return true;
  }

  /** Debian's apache2 reads envvars before it starts; others have files of their own kind beside their configuration. */
  #serverVariables(home: ByteString): Promise<ReadonlyMap<string, ByteString>> {
    let variables = this.#variables.get(home);
    if (variables === undefined) {
      variables = this.#readVariables(home);
      this.#variables.set(home, variables);
    }
    return variables;
  }

  async #readVariables(home: ByteString): Promise<ReadonlyMap<string, ByteString>> {
    const found = new Map<string, ByteString>();
    for (const name of ["envvars", "environment"]) {
      const path = `${home}/${name}`;
      const text = home === "/etc" ? undefined : await this.#tree.text(path, maxConfiguration);
      // Only of one instance: the suffix of further ones is empty.
      for (const one of readShellAssignments(text ?? "", path, { SUFFIX: "", APACHE_CONFDIR: home }))
        if (!one.value.includes("\0")) found.set(one.name, one.value);
    }
    return found;
  }
}

/** catalina.base is given as CATALINA_BASE. */
function asVariable(name: string): string {
  return name.toUpperCase().replaceAll(".", "_");
}

/** /etc/apache2 of all that is below it; elsewhere the file's own directory. */
function topDirectory(path: ByteString): ByteString {
  return /^(?:\/usr\/local)?\/etc\/[^/]+(?=\/)/.exec(path)?.[0] ?? dirname(path);
}

function unique(paths: readonly ByteString[]): ByteString[] {
  return [...new Set(paths)].slice(0, maxDirectories);
}
