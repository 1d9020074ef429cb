// /etc/passwd and /etc/group. Lines that are none are reported with their number, NIS lines (+, -) are skipped.
import type { ByteString } from "./entry.ts";

export interface PasswdEntry {
  name: ByteString;
  uid: number;
  gid: number;
  gecos: ByteString;
  home: ByteString;
  shell: ByteString;
}

export interface GroupEntry {
  name: ByteString;
  gid: number;
  members: ByteString[];
}

export interface Lines<T> {
  entries: T[];
  problems: Array<{ line: number; text: string }>;
}

export function parsePasswd(text: ByteString): Lines<PasswdEntry> {
  return parseLines(text, 7, (fields) => {
    const [name = "", , uid = "", gid = "", gecos = "", home = "", shell = ""] = fields;
    if (!isId(uid) || !isId(gid)) return undefined;
    return { name, uid: Number(uid), gid: Number(gid), gecos, home, shell };
  });
}

export function parseGroup(text: ByteString): Lines<GroupEntry> {
  return parseLines(text, 4, (fields) => {
    const [name = "", , gid = "", members = ""] = fields;
    if (!isId(gid)) return undefined;
    return { name, gid: Number(gid), members: members.split(",").filter((member) => member !== "") };
  });
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffffffff;
}

function parseLines<T>(
  text: ByteString,
  count: number,
  parse: (fields: string[]) => T | undefined,
): Lines<T> {
  const result: Lines<T> = { entries: [], problems: [] };
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "" || /^[#+-]/.test(line)) return;
    const fields = line.split(":");
    const entry = fields.length === count && fields[0] !== "" ? parse(fields) : undefined;
    if (entry === undefined) result.problems.push({ line: index + 1, text: line.slice(0, 200) });
    else result.entries.push(entry);
  });
  return result;
}
