// POSIX access lists: the text of PAX records (SCHILY.acl.*, as star, libarchive and GNU tar write them) into the value that the kernel keeps in an
// extended attribute (version 2: tag and permissions in 16 bits each, id in 32, little end first).
import type { ByteString } from "./entry.ts";

const tags: Record<string, { own: number; named: number }> = {
  user: { own: 0x01, named: 0x02 },
  group: { own: 0x04, named: 0x08 },
  mask: { own: 0x10, named: 0x10 },
  other: { own: 0x20, named: 0x20 },
};
const noId = 0xffffffff;
const maskTag = 0x10;

interface AclEntry {
  tag: number;
  permissions: number;
  id: number;
}

export interface Acl {
  /** Of the attribute system.posix_acl_access or system.posix_acl_default. */
  value: ByteString;
  /** The nine bits of a mode that say the same: those of the group are the mask's. */
  mode: number;
}

/** undefined for what is no list, or names somebody without a number: whoever made the archive knew them, we do not. */
export function aclOfText(text: string): Acl | undefined {
  const entries: AclEntry[] = [];
  for (const line of text.split(/[,\n]/)) {
    const word = line.replace(/#.*/, "").trim();
    if (word === "") continue;
    const entry = entryOf(word);
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const known = new Set(entries.map(({ tag, id }) => `${tag} ${id}`));
  const bits = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.permissions;
  const [user, group, other] = [bits(0x01), bits(0x04), bits(0x20)];
  if (known.size !== entries.length || user === undefined || group === undefined || other === undefined)
    return undefined;
  const value = entries.map(
    ({ tag, permissions, id }) => little(tag, 2) + little(permissions, 2) + little(id, 4),
  );
  return {
    value: little(2, 4) + value.join(""),
    mode: (user << 6) | ((bits(maskTag) ?? group) << 3) | other,
  };
}

/** "user:NAME:rwx:ID", "user:ID:rwx", "group::r-x". */
function entryOf(word: string): AclEntry | undefined {
  const [kind = "", who = "", permissions = "", number] = word.split(":");
  // Solaris and some writers leave the empty field of mask and other out.
  const short = (kind === "mask" || kind === "other") && /^[-rwx]{3}$/.test(who);
  const letters = /^([-r])([-w])([-x])$/.exec(short ? who : permissions);
  const tag = tags[kind];
  if (tag === undefined || letters === null) return undefined;
  const bits = letters.slice(1).reduce((sum, letter) => sum * 2 + (letter === "-" ? 0 : 1), 0);
  if (short || who === "") return { tag: tag.own, permissions: bits, id: noId };
  const id = number ?? who;
  if (!/^\d{1,10}$/.test(id) || Number(id) >= noId) return undefined;
  return { tag: tag.named, permissions: bits, id: Number(id) };
}

function little(value: number, bytes: number): ByteString {
  let text = "";
  for (let i = 0; i < bytes; i++) text += String.fromCharCode((value >>> (8 * i)) & 0xff);
  return text;
}
