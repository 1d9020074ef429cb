// Scripts for a far machine without the collector: sh, and of stat, ls, find, cat, dd, head, tail and readlink what is there. They reach
// the far sh on its input, not through a login shell. Paths are quoted for sh; whatever they are, they stay one word.
import type { ByteString } from "../../formats/entry.ts";

export interface ShellWays {
  /** How an object is described: all of stat, or ls with or without exact times. */
  describe: "stat" | "ls-full" | "ls";
  find: boolean;
  readlink: boolean;
  dd: boolean;
  head: boolean;
}

/** One word of sh, of any bytes but NUL. */
export function quote(path: ByteString): ByteString {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

/** Absent; no shell ends with it by itself, as some do with 2 where they cannot fork. */
export const absent = 44;
/** Of a shell (dash, busybox) that cannot fork: it stops there. */
export const cannotFork = 2;

/**
 * Prints each of the arguments (formats/shell-listing.ts). `follow`: what a link leads to. A stat that could not be started, or was killed,
 * is told, and so are beginning and end, as a shell that cannot fork ends in between: what was not described must not look like a file
 * that is not there. Directories whose content this user does not get to see are told too.
 */
function describer(ways: ShellWays, mark: string, follow = false): ByteString {
  const l = follow ? "-L " : "";
  const line =
    ways.describe === "stat"
      ? `stat ${l}-c "%f %u %g %h %d %i %s %b %Y %Z %t %T" -- "$f"`
      : `ls ${l}-lidn ${ways.describe === "ls-full" ? "--full-time " : ""}-- "$f"`;
  const link = ways.readlink && !follow ? ` [ ! -h "$f" ] || { printf ${mark}3; readlink -- "$f"; };` : "";
  const closed = ` [ -h "$f" ] || [ ! -d "$f" ] || { [ -r "$f" ] && [ -x "$f" ]; } || printf ${mark}7;`;
  return `printf ${mark}5; for f; do printf "${mark}1%s${mark}2" "$f"; ${line} || [ $? -lt 126 ] || printf ${mark}4;${link}${closed} done; printf ${mark}6`;
}

/**
 * What find does with what it finds. It prints the names itself too, for which it starts nothing: where it could start no shell for some of
 * them it goes on or ends, and says no more than it says of a directory that it may not read.
 */
function tellAll(ways: ShellWays, mark: string): ByteString {
  return `-print -exec sh -c ${quote(describer(ways, mark))} sh {} +; exit 0`;
}

/** Describes the paths as they stand; what is not there prints no line. */
export function statScript(
  ways: ShellWays,
  mark: string,
  paths: readonly ByteString[],
  follow: boolean,
): ByteString {
  return `set -- ${paths.map(quote).join(" ")}; ${describer(ways, mark, follow)}`;
}

/** Describes what is in a directory, by name; status 20 where it is none, 13 where it cannot be read. */
export function listScript(ways: ShellWays, mark: string, path: ByteString): ByteString {
  const enter = `[ -d ${quote(path)} ] || exit 20; cd ${quote(path)} && [ -r . ] || exit 13`;
  return ways.find
    ? `${enter}; find . ! -name . -prune ${tellAll(ways, mark)}`
    : `${enter}; set -- * .[!.]* ..?*; for n; do shift; [ -e "$n" ] || [ -h "$n" ] && set -- "$@" "$n"; done; ${describer(ways, mark)}`;
}

/** Describes all below a path, in no order. */
export function walkScript(
  ways: ShellWays,
  mark: string,
  path: ByteString,
  exclude: readonly ByteString[],
  oneFileSystem: boolean,
): ByteString {
  const left = exclude.map((one) => `-path ${quote(one.replace(/[[\]*?\\]/g, "\\$&"))}`).join(" -o ");
  const prune = left === "" ? "" : `\\( ${left} \\) -prune -o `;
  return `find ${quote(path)}${oneFileSystem ? " -xdev" : ""} ${prune}${tellAll(ways, mark)}`;
}

/** Content from `offset`, at least `length` bytes where there are as many; status 44 absent, 13 unreadable, 22 no regular file. */
export function readScript(
  ways: ShellWays,
  path: ByteString,
  range: { offset: number; length: number },
  follow: boolean,
): ByteString {
  const p = quote(path);
  const link = follow ? "" : `[ ! -h ${p} ] || exit 22; `;
  return `${link}[ -e ${p} ] || exit ${absent}; [ -f ${p} ] || exit 22; [ -r ${p} ] || exit 13; ${reader(ways, p, range)}`;
}

/** dd skips whole blocks. */
export const blockSize = 65_536;

function reader(
  ways: ShellWays,
  p: ByteString,
  { offset, length }: { offset: number; length: number },
): ByteString {
  const start = Math.floor(offset / blockSize);
  const count = Math.ceil((offset + length) / blockSize) - start;
  if (offset > 0 && ways.dd) return `dd if=${p} bs=${blockSize} skip=${start} count=${count}`;
  if (offset > 0) return `tail -c +${start * blockSize + 1} <${p} | head -c ${count * blockSize}`;
  // What is read from /proc comes in small pieces, which dd would count as whole ones.
  return ways.head ? `cat <${p} | head -c ${length}` : `cat <${p}`;
}
