// What the scripts of machine/ssh/shell-scripts.ts print of files: MARK + "1", the name, MARK + "2", one line of stat or ls, and for a link
// MARK + "3" and its target, or MARK + "4" where the describing program did not run; MARK + "7" for a directory that the user cannot read.
// Around what one shell describes stand MARK + "5" and MARK + "6"; between those a find prints names, each with a newline.
// The mark is random, so names and targets of any bytes stay apart. Bounded; never evaluated.
import type { ByteString, Entry } from "./entry.ts";
import { type EntryKind, kindOfMode } from "./entry.ts";

export interface Listing {
  entries: Entry[];
  /** Directories whose content the user cannot see. */
  closed: Set<ByteString>;
  damaged: number;
  /** False where what describes files could not be started, or did not come to its end: then nothing is known of any. */
  ran: boolean;
  /** Shells that described. */
  shells: number;
  /** Whether what find found is what was described, name by name. */
  allDescribed: boolean;
}

/** Objects in the order told; what does not parse is left out and counted. */
export function parseListing(text: ByteString, mark: ByteString): Listing {
  const entries: Entry[] = [];
  const closed = new Set<ByteString>();
  const names: ByteString[] = [];
  let damaged = 0;
  const [before = "", ...blocks] = text.split(`${mark}5`);
  const parts = blocks.map((block) => block.split(`${mark}6`));
  const found = before + parts.map(([, after = ""]) => after).join("");
  const ran = !text.includes(`${mark}4`) && parts.every((part) => part.length === 2);
  if (!ran) return { entries, closed, damaged, ran, shells: blocks.length, allDescribed: false };
  for (const told of parts.flatMap(([block = ""]) => block.split(`${mark}1`).slice(1))) {
    const nameEnd = told.indexOf(`${mark}2`);
    const name = told.slice(0, Math.max(0, nameEnd));
    names.push(name);
    const [rest = "", mayNot] = (nameEnd < 0 ? "" : told.slice(nameEnd + mark.length + 1)).split(`${mark}7`);
    const [line = "", target] = rest.split(`${mark}3`);
    // Gone between its name and its line.
    if (line.trim() === "") continue;
    const entry = parseStatLine(line) ?? parseLsLine(line, name);
    if (entry === undefined || name === "") {
      damaged++;
      continue;
    }
    if (mayNot !== undefined) closed.add(name);
    entries.push({
      ...entry,
      path: name,
      ...(target === undefined ? {} : { target: target.replace(/\n$/, "") }),
    });
  }
  const allDescribed = found === names.map((name) => `${name}\n`).join("");
  return { entries, closed, damaged, ran, shells: blocks.length, allDescribed };
}

/** As `stat -c '%f %u %g %h %d %i %s %b %Y %Z %t %T'` prints it. */
export function parseStatLine(line: ByteString): Entry | undefined {
  const match =
    /^([0-9a-f]{1,8}) (\d{1,10}) (\d{1,10}) (\d{1,10}) (\d{1,20}) (\d{1,20}) (\d{1,15}) (\d{1,15}) (-?\d{1,12}) (-?\d{1,12}) ([0-9a-f]{1,8}) ([0-9a-f]{1,8})\n?$/.exec(
      line,
    );
  if (match === null) return undefined;
  const [
    ,
    mode = "",
    uid,
    gid,
    nlink,
    dev = "0",
    ino = "0",
    size,
    blocks,
    mtime = "0",
    ctime = "0",
    major = "0",
    minor = "0",
  ] = match;
  const bits = Number.parseInt(mode, 16);
  const kind = kindOfMode(bits);
  if (kind === undefined) return undefined;
  const device = kind === "character" || kind === "block";
  return {
    ...blank, kind, mode: bits & 0o7777, uid: Number(uid), gid: Number(gid), nlink: Number(nlink), dev: BigInt(dev), ino: BigInt(ino),
    size: kind === "file" || kind === "symlink" ? Number(size) : 0, blocks: Number(blocks), mtime: seconds(mtime), ctime: seconds(ctime),
    rdevMajor: device ? Number.parseInt(major, 16) : 0, rdevMinor: device ? Number.parseInt(minor, 16) : 0,
  }; // biome-ignore format: a table
}

const kinds: Readonly<Record<string, EntryKind>> = {
  "-": "file", d: "directory", l: "symlink", p: "fifo", s: "socket", c: "character", b: "block",
}; // biome-ignore format: a table

/** As `ls -lidn` prints it, with or without --full-time. ctime is not told: mtime stands for it. */
export function parseLsLine(line: ByteString, name: ByteString): Entry | undefined {
  const match =
    /^ *(\d{1,20}) +([-dlpscb])([-rwxsStT]{9})[.+@]? +(\d{1,10}) +(\d{1,10}) +(\d{1,10}) +(\d{1,15})(?:, *(\d{1,10}))? +/.exec(
      line,
    );
  if (match === null) return undefined;
  const [head, ino = "0", type = "", rights = "", nlink, uid, gid, size, minor] = match;
  const kind = kinds[type];
  const rest = line.slice(head.length).replace(/\n$/, "");
  const time = timeOf(rest);
  if (kind === undefined || time === undefined) return undefined;
  const arrow = `${name} -> `;
  const at = kind === "symlink" ? rest.indexOf(arrow) : -1;
  return {
    ...blank, kind, mode: modeOf(rights), uid: Number(uid), gid: Number(gid), nlink: Number(nlink), ino: BigInt(ino),
    size: kind === "file" || kind === "symlink" ? Number(size) : 0,
    blocks: kind === "file" ? Math.ceil(Number(size) / 512) : 0, mtime: time, ctime: time,
    rdevMajor: minor === undefined ? 0 : Number(size), rdevMinor: Number(minor ?? 0), target: at < 0 ? "" : rest.slice(at + arrow.length),
  }; // biome-ignore format: a table
}

const blank: Entry = {
  path: "", kind: "file", mode: 0, uid: 0, gid: 0, nlink: 1, dev: 0n, ino: 0n, size: 0, blocks: 0, mtime: 0n, ctime: 0n, rdevMajor: 0,
  rdevMinor: 0, target: "", xattrs: [], extents: undefined,
}; // biome-ignore format: a table

function seconds(text: string): bigint {
  return BigInt(text) * 1_000_000_000n;
}

function modeOf(rights: string): number {
  let mode = 0;
  for (const [i, char] of [...rights].entries()) if (!/[-ST]/.test(char)) mode |= 1 << (8 - i);
  if (/^..[sS]/.test(rights)) mode |= 0o4000;
  if (/^.{5}[sS]/.test(rights)) mode |= 0o2000;
  if (/[tT]$/.test(rights)) mode |= 0o1000;
  return mode;
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** "2020-01-31 10:11:12.5 +0100", or "Jan 31 2020"; "Jan 31 10:11" means the last twelve months, which cannot be told: the year 1970 stands for it. */
function timeOf(text: string): bigint | undefined {
  const full = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? ([+-])(\d\d)(\d\d) /.exec(text);
  if (full !== null) {
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = full.slice(1, 7).map(Number);
    const zone = (Number(full[8]) * 60 + Number(full[9])) * (full[7] === "-" ? -60 : 60);
    return BigInt(Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - zone) * 1_000_000_000n;
  }
  const short = /^([A-Z][a-z]{2}) +(\d{1,2}) +(?:(\d{4})|(\d\d):(\d\d)) /.exec(text);
  const month = months.indexOf(short?.[1] ?? "");
  if (short === null || month < 0) return undefined;
  const year = short[3] === undefined ? 1970 : Number(short[3]);
  return (
    BigInt(Date.UTC(year, month, Number(short[2]), Number(short[4] ?? 0), Number(short[5] ?? 0)) / 1000) *
    1_000_000_000n
  );
}
