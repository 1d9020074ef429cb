// What an instance changed of its package: its root beside that of the package, looked at where its own directory has something.
import { lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { launchCall } from "../../host/enter.ts";
import { startEnter } from "../../host/enter-process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { mountPoint } from "../bundle.ts";
import { findAny, type Instance } from "../find.ts";
import { diskMounts, hasDisk, writtenIn } from "../limits/disk.ts";
import { instanceLayers, isMount, overlaysToLookAt } from "../redirect/mounts.ts";
import { emptyLower } from "../volumes/volumes.ts";

export interface FileChange {
  kind: "A" | "C" | "D";
  path: string;
}

/** Sorted by path. Mounts, and what the OCI runtime makes for them, are none of its changes. */
export async function changesOf(root: StateRoot, text: string): Promise<FileChange[]> {
  const instance = findAny(root, text);
  const { paths, record } = instance;
  if (record.engine === "inprocess") {
    const { changesInProcess } = await import("../inprocess/diff.ts");
    return (await changesInProcess(root, instance, hiddenPaths(instance))).sort(byPath);
  }
  const layers = await instanceLayers(root, instance);
  const top = mountPoint(root);
  const written = writtenIn(paths, record).upper;
  const [before, after] = [join(top, "package"), join(top, "instance")];
  const whole = layers.length > 0 ? layers : emptyLower(root, layers);
  const more = { root, paths, record, layers, rootfs: top, nodev: true, bytes: true };
  const target = (index: number, which: string): string => join(top, `${which}-${index}`);
  const { first, overlays } = overlaysToLookAt(more, target);
  const held = startEnter(
    launchCall({
      mounts: [
        ...diskMounts(paths, record),
        { kind: "tmpfs", target: top, mode: 0o700 },
        { kind: "dir", target: before, mode: 0o700 },
        { kind: "dir", target: after, mode: 0o700 },
        { kind: "overlay", target: before, lowers: [...whole, ...emptyLower(root, whole)], readOnly: true },
        // Its own directory as one more lower layer: removed files are gone, and moved directories are where they were moved to.
        { kind: "overlay", target: after, lowers: [written, ...whole], readOnly: true, renames: true },
        ...first,
        ...overlays.flatMap((one) =>
          [one.before, one.after].flatMap((mount) => [
            { kind: "dir", target: mount.target, mode: 0o700 } as const,
            mount,
          ]),
        ),
      ],
      command: { argv: ["true"] },
    }),
    { hold: true },
  );
  try {
    const { pid } = await held.ready;
    const view = (path: string): string => `/proc/${pid}/root${path}`;
    const hidden = hiddenPaths(instance);
    const own = (path: string): string => (hasDisk(record.limits) ? view(path) : path);
    const walk = new Walk({ upper: own(written), before: view(before), after: view(after) }, hidden);
    walk.directory("");
    const redirected = overlays.flatMap((one) => {
      const views = { upper: own(one.upper), before: view(one.before.target), after: view(one.after.target) };
      return changesIn(one.at, views, hidden);
    });
    return [...walk.changes, ...redirected].sort(byPath);
  } finally {
    held.release();
    await held.exit;
  }
}

/** Of an overlay that is mounted at `at`. */
function changesIn(at: string, views: Views, hidden: ReadonlySet<string>): FileChange[] {
  const below = [...hidden].filter((path) => path.startsWith(`${at}/`)).map((path) => path.slice(at.length));
  const walk = new Walk(views, new Set(below));
  const changed = walk.directory("");
  const changes = walk.changes.map(({ kind, path }) => ({ kind, path: `${at}${path}` }));
  return changed ? [{ kind: "C", path: at }, ...changes] : [];
}

function byPath(a: FileChange, b: FileChange): number {
  return a.path < b.path ? -1 : 1;
}

function hiddenPaths({ record }: Instance): Set<string> {
  const targets = [
    ...(record.redirections?.rules ?? []).map(({ made }) => (isMount(made) ? made.at : "")),
    ...record.mounts.map((mount) => mount.target),
    ...record.secrets.map((secret) => secret.target),
  ];
  return new Set(["/.tranship", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", ...targets]);
}

interface Views {
  upper: string;
  before: string;
  after: string;
}

class Walk {
  readonly changes: FileChange[] = [];
  readonly #views: Views;
  readonly #hidden: ReadonlySet<string>;

  constructor(views: Views, hidden: ReadonlySet<string>) {
    this.#views = views;
    this.#hidden = hidden;
  }

  /** A directory that both have; whether something below it changed. */
  directory(path: string): boolean {
    const before = namesIn(this.#views.before + path);
    const after = namesIn(this.#views.after + path);
    let changed = false;
    for (const name of new Set([...before, ...after])) {
      const below = `${path}/${name}`;
      if (this.#hidden.has(below)) continue;
      if (!after.has(name)) this.#add("D", below);
      else if (!before.has(name)) this.#added(below);
      else if (!this.#both(below)) continue;
      changed = true;
    }
    return changed;
  }

  #both(path: string): boolean {
    const before = look(this.#views.before + path);
    const after = look(this.#views.after + path);
    if (before === undefined || after === undefined) return false;
    if (before.isDirectory() && after.isDirectory()) {
      // Nothing below what its own directory lacks can have changed.
      if (look(this.#views.upper + path) === undefined) return false;
      const at = this.changes.length;
      if (!this.directory(path) && sameRights(before, after)) return false;
      this.changes.splice(at, 0, { kind: "C", path });
      return true;
    }
    if (look(this.#views.upper + path) === undefined && sameFile(before, after)) return false;
    this.#add("C", path);
    if (after.isDirectory()) this.#below(path);
    return true;
  }

  #added(path: string): void {
    this.#add("A", path);
    if (look(this.#views.after + path)?.isDirectory() === true) this.#below(path);
  }

  #below(path: string): void {
    for (const name of namesIn(this.#views.after + path)) this.#added(`${path}/${name}`);
  }

  #add(kind: FileChange["kind"], path: string): void {
    this.changes.push({ kind, path });
  }
}

function sameRights(a: Stats, b: Stats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function sameFile(a: Stats, b: Stats): boolean {
  return sameRights(a, b) && a.size === b.size && a.mtimeMs === b.mtimeMs && a.rdev === b.rdev;
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function namesIn(path: string): Set<string> {
  try {
    return new Set(readdirSync(path));
  } catch {
    return new Set(); // gone meanwhile
  }
}
