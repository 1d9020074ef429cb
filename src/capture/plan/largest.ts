// What is largest in a plan: the files, and the directories that hold most and are not merely above one that does.
import type { ByteString, Entry } from "../../formats/entry.ts";
import type { Largest, PlanGroup } from "./plan.ts";

const told = 20;
/** A directory that owes more than this part of its size to one below it says nothing of its own. */
const ownPart = 0.8;

interface Sum {
  bytes: number;
  files: number;
  /** Of the largest directory right below. */
  largestChild: number;
}

/** why: the sentence for one file. Of two equal ones the first in byte order comes first. */
export function largestOf(
  groups: readonly PlanGroup[],
  entries: ReadonlyMap<ByteString, Entry>,
  why: (path: ByteString) => string,
): Largest {
  const sizeOf = (path: ByteString): number | undefined => {
    const entry = entries.get(path);
    return entry?.kind === "file" ? entry.size : undefined;
  };
  const largest = new LargestFiles();
  const sums = new Map<ByteString, Sum>();
  for (const { files } of groups) {
    for (const path of files) {
      const bytes = sizeOf(path);
      if (bytes === undefined) continue;
      largest.add(path, bytes);
      for (let at = above(path); at !== ""; at = above(at)) add(sums, at, bytes);
    }
  }
  for (const [path, sum] of sums) {
    const parent = sums.get(above(path));
    if (parent !== undefined) parent.largestChild = Math.max(parent.largestChild, sum.bytes);
  }
  // /usr itself is no finding.
  const telling = [...sums].filter(
    ([path, sum]) => sum.bytes > 0 && sum.largestChild <= sum.bytes * ownPart && path.indexOf("/", 1) > 0,
  );
  const directories = telling
    .sort(([a, one], [b, other]) => other.bytes - one.bytes || (a < b ? -1 : 1))
    .slice(0, told)
    .map(([path, { bytes, files }]) => ({ path, bytes, files, why: "" }));
  sayMostOf(directories, groups, sizeOf);
  const files = largest.list().map(({ path, bytes }) => ({ path, bytes, why: why(path) }));
  return { files, directories };
}

/** Of hundreds of thousands only those that are told are kept. */
class LargestFiles {
  #files: { path: ByteString; bytes: number }[] = [];
  /** What is smaller is none of them. */
  #least = 1;

  add(path: ByteString, bytes: number): void {
    if (bytes < this.#least) return;
    this.#files.push({ path, bytes });
    if (this.#files.length <= told * 4) return;
    this.#files = this.list();
    this.#least = this.#files[told - 1]?.bytes ?? 1;
  }

  list(): { path: ByteString; bytes: number }[] {
    const sorted = this.#files.sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1));
    return sorted.filter((one, i) => one.path !== sorted[i - 1]?.path).slice(0, told);
  }
}

function above(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function add(sums: Map<ByteString, Sum>, path: ByteString, bytes: number): void {
  const sum = sums.get(path);
  if (sum === undefined) sums.set(path, { bytes, files: 1, largestChild: 0 });
  else {
    sum.bytes += bytes;
    sum.files++;
  }
}

/** A directory is in for the reason of the group that has most of its bytes. */
function sayMostOf(
  directories: Largest["directories"],
  groups: readonly PlanGroup[],
  sizeOf: (path: ByteString) => number | undefined,
): void {
  const most = new Map(directories.map((directory) => [directory.path, 0]));
  for (const group of groups) {
    const within = new Map<ByteString, number>();
    for (const path of group.files) {
      let bytes: number | undefined;
      for (let at = above(path); at !== ""; at = above(at)) {
        if (!most.has(at)) continue;
        bytes ??= sizeOf(path) ?? 0;
        within.set(at, (within.get(at) ?? 0) + bytes);
      }
    }
    for (const directory of directories) {
      const bytes = within.get(directory.path) ?? 0;
      if (bytes <= (most.get(directory.path) ?? 0)) continue;
      most.set(directory.path, bytes);
      directory.why = `mostly ${group.name}`;
    }
  }
}
