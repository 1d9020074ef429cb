// Secrets that tasks are given: files of the state root, one each, which only its owner can read. Names are as in the vendor's stores of secrets and parameters.
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { makeDirectory, readInput, writeFileAtomic } from "../host/files.ts";
import { clusterDirectory } from "./keys.ts";

export interface KnownSecret {
  name: string;
  /** ISO 8601. */
  changedAt: string;
}

/** As the vendor's stores bound them. */
const largest = 64 * 1024;
const named = /^\/?[A-Za-z0-9_+=.@-]+(?:\/[A-Za-z0-9_+=.@-]+)*$/;

export class SecretStore {
  readonly #directory: string;

  constructor(root: string) {
    this.#directory = join(clusterDirectory(root), "secrets");
  }

  /** Replaces what is there. E_USAGE for a name or a value that cannot be. */
  put(name: string, value: Uint8Array): void {
    const path = this.#path(name);
    if (path === undefined)
      throw new TranshipError(
        "E_USAGE",
        `${JSON.stringify(name.slice(0, 100))} cannot be the name of a secret`,
        {
          hint: "use letters, digits, and _ + = . @ - in parts with / between them",
        },
      );
    if (value.length === 0 || value.length > largest)
      throw new TranshipError("E_USAGE", `a secret has 1 to ${largest} bytes, not ${value.length}`);
    makeDirectory(this.#directory);
    writeFileAtomic(path, value, { mode: 0o600 });
  }

  get(name: string): string | undefined {
    const path = this.#path(name);
    if (path === undefined || statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
    return readInput(path, "the secret", largest)?.toString("utf8");
  }

  /** Sorted by name. */
  list(): KnownSecret[] {
    makeDirectory(this.#directory);
    return readdirSync(this.#directory)
      .map((file) => ({
        name: decodeURIComponent(file),
        changedAt: statSync(join(this.#directory, file)).mtime.toISOString(),
      }))
      .filter(({ name }) => named.test(name))
      .sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** False where there was none. */
  remove(name: string): boolean {
    const path = this.#path(name);
    if (path === undefined || statSync(path, { throwIfNoEntry: false }) === undefined) return false;
    rmSync(path, { force: true });
    return true;
  }

  /** A name is one file, whatever is in it. */
  #path(name: string): string | undefined {
    if (!named.test(name) || name.length > 200) return undefined;
    const file = encodeURIComponent(name.replace(/^\//, ""));
    // These are directories, wherever they are looked for.
    return file === "." || file === ".." ? undefined : join(this.#directory, file);
  }
}
