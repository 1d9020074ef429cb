// A machine seen through a directory of recovered files: where a path is among them, they are what is there.
import { isBelow } from "../../closure/tree.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import type { Machine, MachineFiles, Unreadable, WalkOptions } from "../../machine/machine.ts";
import { isUnreadable } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import { contentBelow, LaidOverFiles, placeBelow } from "../sandbox/laid-over.ts";

/** `directory` holds the files under their own paths. Closing it leaves the machine below open. */
export function withRecovered(machine: Machine, directory: string, paths: readonly ByteString[]): Machine {
  if (paths.length === 0) return { ...machine, close: async () => {} };
  const upper = new TreeFiles(directory);
  const recovered = new Set(paths);
  return {
    ...machine,
    files: new RecoveredFiles(machine.files, upper, recovered),
    placeOf: (path) => (recovered.has(path) ? encodeText(directory) + path : placeBelow(machine, path)),
    ...contentBelow(machine, (path) => recovered.has(path)),
    close: () => upper.close(),
  };
}

class RecoveredFiles extends LaidOverFiles {
  readonly #paths: ReadonlySet<ByteString>;
  /** Directories above recovered files: they may have gone with them. */
  readonly #parents = new Set<ByteString>();

  constructor(lower: MachineFiles, upper: MachineFiles, paths: ReadonlySet<ByteString>) {
    super(lower, upper);
    this.#paths = paths;
    for (const path of paths)
      for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1))
        this.#parents.add(path.slice(0, at));
  }

  protected above(path: ByteString): ByteString | undefined {
    return this.#paths.has(path) ? path : undefined;
  }

  protected async lstat(path: ByteString): Promise<Entry | undefined> {
    if (this.#paths.has(path)) return await this.upper.stat(path);
    const there = await this.lower.stat(path);
    return there === undefined && this.#parents.has(path) ? await this.upper.stat(path) : there;
  }

  async list(path: ByteString): Promise<Entry[] | undefined> {
    const there = await this.lower.list(path);
    const added = this.#parents.has(path) || path === "/" ? ((await this.upper.list(path)) ?? []) : [];
    if (added.length === 0) return there;
    const names = new Map((there ?? []).map((entry) => [entry.path, entry]));
    for (const entry of added)
      if (this.#paths.has(entry.path) || !names.has(entry.path)) names.set(entry.path, entry);
    return [...names.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** What has no name on the machine comes last. */
  async *walk(path: ByteString, options: WalkOptions = {}): AsyncGenerator<Entry | Unreadable, void, void> {
    const met = new Set<ByteString>();
    for await (const one of this.lower.walk(path, options)) {
      if (!isUnreadable(one) && this.#paths.has(one.path)) {
        met.add(one.path);
        yield (await this.upper.stat(one.path)) ?? one;
      } else yield one;
    }
    const left = (at: ByteString): boolean =>
      !met.has(at) && isBelow(at, path) && !(options.exclude ?? []).some((prefix) => isBelow(at, prefix));
    for (const at of [...this.#paths].filter(left).sort()) {
      const entry = await this.upper.stat(at);
      if (entry !== undefined) yield entry;
    }
  }
}
