// What an instance of the in-process engine changed: its own copy beside the package, and what it wrote by the mode write-copy beside the layers below.
import type { Stats } from "node:fs";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { isUnreadable } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import { hostAllows } from "../../redirect/host-paths.ts";
import type { FileChange } from "../files/diff.ts";
import type { Instance } from "../find.ts";
import type { InstanceRedirection } from "../record.ts";
import { lowersOf } from "./copies.ts";
import { packageEntries } from "./tree.ts";
import { onHost } from "./volumes.ts";

/** `hidden`: paths whose changes are none of the instance's. In no order. */
export async function changesInProcess(
  root: StateRoot,
  instance: Instance,
  hidden: ReadonlySet<string>,
): Promise<FileChange[]> {
  const { paths, record } = instance;
  const skip = new Set([...hidden].filter((path) => path.startsWith("/")).map(encodeText));
  const { digest, linked = [] } = record.image;
  const whole = { reference: digest, below: linked.map((one) => one.digest) };
  const before = await packageEntries(root, whole, record.users === "view");
  const after = new Map<ByteString, Entry>();
  const files = new TreeFiles(paths.tree);
  try {
    for await (const found of files.walk("/", { exclude: [...skip] }))
      if (!isUnreadable(found)) after.set(found.path, found);
  } finally {
    await files.close();
  }
  const located = { paths, record: onHost(root, record) };
  const rules = record.redirections?.rules ?? [];
  for (const path of waysTo([...hidden, ...rules.map(({ made }) => made.at)]))
    if (!before.has(path)) after.delete(path);
  return [
    ...compare(before, after, skip),
    ...rules.flatMap((rule, index) => (rule.mode === "write-copy" ? written(located, rule, index) : [])),
  ];
}

/** Directories that were made for what lies below them. */
function waysTo(places: readonly string[]): Set<ByteString> {
  const ways = new Set<ByteString>();
  for (const place of places)
    for (let at = above(encodeText(place)); at !== "/"; at = above(at)) ways.add(at);
  return ways;
}

/** A directory counts as changed where something in it did; `/` never, which layers need not have an entry for. */
function compare(
  before: ReadonlyMap<ByteString, Entry>,
  after: ReadonlyMap<ByteString, Entry>,
  skip: ReadonlySet<ByteString>,
): FileChange[] {
  const kinds = new Map<ByteString, FileChange["kind"]>();
  const note = (path: ByteString, kind: FileChange["kind"]): void => {
    if (skipped(path, skip)) return;
    kinds.set(path, kind);
    for (let at = above(path); at !== "/" && !kinds.has(at); at = above(at)) kinds.set(at, "C");
  };
  for (const [path, entry] of [...after].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const was = before.get(path);
    if (path === "/") continue;
    if (was === undefined) note(path, "A");
    else if (!isSame(was, entry)) note(path, "C");
  }
  // Of what was removed as a whole only the top.
  for (const path of before.keys())
    if (!after.has(path) && after.get(above(path))?.kind === "directory") note(path, "D");
  return [...kinds].map(([path, kind]) => ({ kind, path: Buffer.from(path, "latin1").toString() }));
}

function above(path: ByteString): ByteString {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function skipped(path: ByteString, skip: ReadonlySet<ByteString>): boolean {
  for (let at = path; at !== "/"; at = above(at)) if (skip.has(at)) return true;
  return false;
}

function isSame(a: Entry, b: Entry): boolean {
  if (a.kind !== b.kind || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.kind === "symlink") return a.target === b.target;
  return a.mode === b.mode && (a.kind === "directory" || (a.size === b.size && a.mtime === b.mtime));
}

/** Everything in the own layer of a rule is a change: of the host's, secrets were hidden before. */
function written({ paths, record }: Instance, rule: InstanceRedirection, index: number): FileChange[] {
  const { packaged, host } = lowersOf(paths.tree, record, rule);
  const allowed = record.redirections?.host ?? [];
  const changes: FileChange[] = [];
  const from = rule.made.at;
  const isBelow = (path: string): boolean => {
    const rest = path.slice(from.length);
    const shown = host !== undefined && hostAllows(path, allowed);
    return [packaged, shown ? host : undefined].some((one) => one !== undefined && look(`${one}${rest}`));
  };
  const walk = (directory: string, at: string): boolean => {
    let changed = false;
    for (const name of namesIn(directory)) {
      const [path, stat] = [`${at === "/" ? "" : at}/${name}`, look(join(directory, name))];
      if (stat === undefined || (rule.match === "exact" && path !== from)) continue;
      const gone = stat.isCharacterDevice() && stat.rdev === 0;
      const was = isBelow(path);
      if (gone && !was) continue;
      const place = changes.length;
      const inside = stat.isDirectory() && walk(join(directory, name), path);
      if (stat.isDirectory() && was && !inside) continue;
      changes.splice(place, 0, { kind: gone ? "D" : was ? "C" : "A", path });
      changed = true;
    }
    return changed;
  };
  const top = rule.match === "exact" ? above(from) : from;
  const changed = walk(join(paths.redirect, String(index), "upper"), top);
  return changed && rule.match === "folder" ? [{ kind: "C", path: from }, ...changes] : changes;
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // nothing was written
  }
}
