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
  const sizes = new Map<ByteString, number>();
  const sums = new Map<ByteString, Sum>();
  for (const path of groups.flatMap((group) => group.files)) {
    const entry = entries.get(path);
    if (entry?.kind !== "file") continue;
    sizes.set(path, entry.size);
    for (let at = above(path); at !== ""; at = above(at)) add(sums, at, entry.size);
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
  sayMostOf(directories, groups, sizes);
  const files = [...sizes]
    .filter(([, bytes]) => bytes > 0)
    .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
    .slice(0, told)
    .map(([path, bytes]) => ({ path, bytes, why: why(path) }));
  return { files, directories };
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
  sizes: ReadonlyMap<ByteString, number>,
): void {
  const most = new Map(directories.map((directory) => [directory.path, 0]));
  for (const group of groups) {
    const within = new Map<ByteString, number>();
    for (const path of group.files) {
      for (let at = above(path); at !== ""; at = above(at))
        if (most.has(at)) within.set(at, (within.get(at) ?? 0) + (sizes.get(path) ?? 0));
    }
    for (const directory of directories) {
      const bytes = within.get(directory.path) ?? 0;
      if (bytes <= (most.get(directory.path) ?? 0)) continue;
      most.set(directory.path, bytes);
      directory.why = `mostly ${group.name}`;
    }
  }
}
