// What an installer changed: a machine before and after, compared entry by entry.
//
// Theory. What the installer touched lies in the upper directories of the overlays and was made there after a known moment, so its
// time of change, which no program can set back, is not earlier; and with a file all directories above it are there. All else
// shows through with the time that it has on the machine. So only directories changed since that moment are entered, and the cost is that
// of what was changed. For each path found so, kind, owner, mode, attributes, link and content decide against the machine itself:
// whiteouts, opaque directories and directories that were moved (which an overlay copies) need no rules, and what somebody else
// changes on a live machine meanwhile is the same on both sides.
import type { ByteString, Entry } from "../../formats/entry.ts";
import { isUnreadable, type Machine, type MachineFiles } from "../../machine/machine.ts";

export type Change = "added" | "content" | "attributes" | "kind";

export interface Difference {
  /** Added and changed, in byte order of the paths; as they are after. */
  changed: { entry: Entry; change: Change }[];
  /** Gone, topmost only; as they were before. */
  removed: Entry[];
  /** Written anew with the same content and attributes. */
  same: ByteString[];
}

export interface CompareOptions {
  before: Machine;
  after: Machine;
  /** Nanoseconds since the epoch, in the clock of the file systems: before anything was changed. */
  since: bigint;
  /** Where to begin: the targets of the overlays. */
  roots: readonly ByteString[];
  /** Directories that are not looked at. */
  exclude: ReadonlySet<ByteString>;
}

const directoriesAtOnce = 16;
const piece = 4 << 20;
const attempts = 3;

export async function compareMachines(options: CompareOptions): Promise<Difference> {
  const comparison = new Comparison(options);
  await comparison.run();
  const { changed, removed, same } = comparison.difference;
  changed.sort((a, b) => byPath(a.entry, b.entry));
  removed.sort(byPath);
  return { changed, removed, same: same.sort() };
}

function byPath(a: Entry, b: Entry): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

class Comparison {
  readonly difference: Difference = { changed: [], removed: [], same: [] };
  readonly #options: CompareOptions;
  readonly #seen = new Set<ByteString>();
  #waiting: ByteString[];

  constructor(options: CompareOptions) {
    this.#options = options;
    this.#waiting = [...options.roots];
  }

  async run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const part = this.#waiting.splice(0, directoriesAtOnce).filter((path) => !this.#seen.has(path));
      for (const path of part) this.#seen.add(path);
      await Promise.all(part.map((path) => this.#directory(path)));
    }
  }

  async #directory(path: ByteString): Promise<void> {
    const { before, after, since, exclude } = this.#options;
    // First after, then before: what somebody else makes in between is not taken for the installer's.
    const now = ((await after.files.list(path)) ?? []).filter((entry) => !exclude.has(entry.path));
    const old = new Map(((await before.files.list(path)) ?? []).map((entry) => [entry.path, entry]));
    for (const entry of now) {
      const was = old.get(entry.path);
      old.delete(entry.path);
      if (entry.ctime < since && was !== undefined) continue;
      if (was === undefined) await this.#added(entry);
      else {
        await this.#compare(was, entry);
        if (entry.kind === "directory" && was.kind === "directory") this.#waiting.push(entry.path);
      }
    }
    for (const entry of old.values())
      if (!exclude.has(entry.path) && (await after.files.stat(entry.path)) === undefined)
        this.difference.removed.push(entry);
  }

  async #added(entry: Entry): Promise<void> {
    const { after, exclude } = this.#options;
    if ((await after.files.stat(entry.path)) === undefined) return;
    this.difference.changed.push({ entry, change: "added" });
    if (entry.kind !== "directory") return;
    for await (const one of after.files.walk(entry.path, { exclude: [...exclude] })) {
      if (!isUnreadable(one) && one.path !== entry.path)
        this.difference.changed.push({ entry: one, change: "added" });
    }
  }

  async #compare(was: Entry, is: Entry): Promise<void> {
    const { before, after } = this.#options;
    let [old, now]: (Entry | undefined)[] = [was, is];
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (old === undefined || now === undefined || old.ctime === now.ctime) return;
      now = await after.files.stat(is.path);
      old = await before.files.stat(is.path);
    }
    if (old === undefined || now === undefined) return;
    const change = changeOf(old, now);
    const different =
      change === "maybe"
        ? !(await sameContent(before.files, after.files, is.path, now.size))
        : change !== undefined;
    if (different)
      this.difference.changed.push({
        entry: now,
        change: change === "maybe" || change === undefined ? "content" : change,
      });
    else if (now.kind !== "directory") this.difference.same.push(is.path);
  }
}

/** undefined: as it was; "maybe": its content decides. Times alone are no change. */
export function changeOf(was: Entry, is: Entry): Change | "maybe" | undefined {
  if (was.kind !== is.kind) return "kind";
  if (is.kind === "symlink" && was.target !== is.target) return "content";
  if (was.mode !== is.mode || was.uid !== is.uid || was.gid !== is.gid) return "attributes";
  if (was.rdevMajor !== is.rdevMajor || was.rdevMinor !== is.rdevMinor) return "kind";
  if (JSON.stringify(was.xattrs) !== JSON.stringify(is.xattrs)) return "attributes";
  if (is.kind !== "file") return undefined;
  return was.size === is.size ? "maybe" : "content";
}

async function sameContent(
  before: MachineFiles,
  after: MachineFiles,
  path: ByteString,
  size: number,
): Promise<boolean> {
  try {
    for (let at = 0; at < size; at += piece) {
      const [old, now] = await Promise.all([
        before.readRange(path, at, piece),
        after.readRange(path, at, piece),
      ]);
      if (old === undefined || now === undefined || Buffer.compare(old, now) !== 0) return false;
    }
    return true;
  } catch {
    return false;
  }
}
