// A file system in memory over a directory of an instance, as docker's --tmpfs makes it. Pure.
import type { InstanceMount } from "../record.ts";

/** Words of mount(8) that it may have; set-user-id programs and devices are none of them. */
export function isTmpfsOption(word: string): boolean {
  return /^(rw|ro|noexec|exec|nosuid|nodev|noatime|relatime|strictatime|nodiratime|sync|dirsync|size=\d+[kmgKMG]?|size=\d+%|mode=[0-7]{3,4}|(uid|gid|nr_inodes)=\d+)$/.test(
    word,
  );
}

/** Nothing in it is run, unless that is asked for. */
export function tmpfsMount(target: string, words: readonly string[]): InstanceMount {
  const options = words.some((word) => word === "exec" || word === "noexec") ? words : ["noexec", ...words];
  return { kind: "tmpfs", source: options.join(","), target, readOnly: false, anonymous: true, seed: false };
}
