// Files that an application wrote while it was tested: read from the upper directory of its overlay and from its volumes.
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../formats/entry.ts";
import { encodeText, escapeBytes } from "../formats/escape.ts";
import type { WrittenFile } from "./parity.ts";

/** Logs, locks, sockets and temporary files tell nothing about parity. */
const ignored =
  /^\/(\.tranship|proc|sys|dev|run|tmp|var\/(run|lock|tmp|log|cache)|root\/\.[^/]*|etc\/(resolv\.conf|hosts|hostname|mtab))(\/|$)|\.(pid|lock|sock|log)$/;
/** Data bases write times and identifiers into their files: that they wrote counts, the content is asked for by the exercise. */
const dataBase = /^\/var\/lib\/(mysql|mariadb|postgresql|redis|mongodb|ldap)(?=\/)/;
const largest = 64 << 20;
const most = 10_000;

/** since: only files whose content changed after this time (milliseconds); for volumes, which hold older content too. */
export function collectWritten(
  directory: string,
  inside: string,
  into: Map<string, WrittenFile>,
  since = 0,
): void {
  collect({ host: encodeText(directory), inside: inside === "/" ? "" : encodeText(inside) }, into, since);
}

/** Names are byte strings: what is not UTF-8 is a file all the same. */
function collect(
  at: { host: ByteString; inside: ByteString },
  into: Map<string, WrittenFile>,
  since: number,
): void {
  let names: ByteString[];
  try {
    names = readdirSync(bytes(at.host), "latin1");
  } catch {
    return;
  }
  for (const name of names) {
    const host = `${at.host}/${name}`;
    const inside = `${at.inside}/${name}`;
    if (ignored.test(inside) || into.size >= most) continue;
    const stat = lstatSync(bytes(host), { throwIfNoEntry: false });
    if (stat?.isDirectory()) collect({ host, inside }, into, since);
    else if (stat?.isFile() && stat.mtimeMs >= since) {
      const base = dataBase.exec(inside)?.[0];
      if (base === undefined) into.set(escapeBytes(inside), describeFile(bytes(host), stat.size));
      else into.set(`${base} (data base)`, { size: 0, digest: undefined });
    }
  }
}

function bytes(path: ByteString): Buffer {
  return Buffer.from(path, "latin1");
}

function describeFile(path: Buffer, size: number): WrittenFile {
  if (size > largest) return { size, digest: undefined };
  return { size, digest: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

/** What the exercise saved into its results directory, by name relative to it. */
export function readResults(
  directory: string,
  inside = "",
  into: Map<string, Uint8Array> = new Map(),
): Map<string, Uint8Array> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const name = inside === "" ? entry.name : `${inside}/${entry.name}`;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) readResults(path, name, into);
    else if (entry.isFile() && lstatSync(path).size <= largest && into.size < most)
      into.set(name, readFileSync(path));
  }
  return into;
}
