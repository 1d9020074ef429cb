// The view of users: an ordinary user of this host stands for all of the package's. native/engine/users.h has the other side; decision 91 the reasons.
import { writeFileSync } from "node:fs";
import type { Entry } from "../../formats/entry.ts";
import type { Descriptor, Elements } from "../../package/descriptor.ts";
import type { InstancePaths } from "../instance-paths.ts";
import type { InstanceRecord } from "../record.ts";
import type { User } from "../user.ts";

/** As native/engine/users.c maps it. */
const pageSize = 65_536;
/** Also known to tools of rootless containers; native/engine/users-owner.c reads and writes it. */
const attribute = "user.containers.override_stat";
/** All that there are, as a system starts its first process. */
const allCapabilities = (1n << 41n) - 1n;

/** Root of this host has the package's users by the kernel. */
export function viewsUsers(
  asked: Elements["users"] | undefined,
  descriptor: Descriptor | undefined,
): boolean {
  return process.getuid?.() !== 0 && (asked ?? descriptor?.elements.users) === "view";
}

/** `lent`: as it is on the disk, by what the package says of it. The one user reads and writes everything, as root does. */
export function noted(entry: Entry, lent: Entry): Entry {
  const { uid, gid, kind } = entry;
  if (kind !== "file" && kind !== "directory") return lent;
  const mode = lent.mode | (kind === "directory" ? 0o700 : 0o600);
  const permissions = entry.mode & 0o7777;
  if (uid === 0 && gid === 0 && permissions === mode) return { ...lent, mode };
  const value = `${uid}:${gid}:0${permissions.toString(8)}`;
  const others = lent.xattrs.filter(([name]) => name !== attribute);
  return { ...lent, mode, xattrs: [...others, [attribute, value]] };
}

/** Of a start: nobody is there yet. */
export function giveUsersPage(path: string, { users }: InstanceRecord): void {
  if (users === "view") writeFileSync(path, new Uint8Array(pageSize), { mode: 0o600 });
}

/** For native/engine: that there is a view. */
export function usersWords({ users: page }: InstancePaths, { users }: InstanceRecord): string[] {
  return users === "view" ? [`--users=${page}`] : [];
}

/** For native/engine: who its first program is, where that is not root. As ids_write() of ids.c. */
export function idWords({ users }: InstanceRecord, { uid, gid, groups }: User): string[] {
  if (users !== "view" || (uid === 0 && gid === 0 && groups.length === 0)) return [];
  const capabilities = uid === 0 ? allCapabilities : 0n;
  const ids = [uid, uid, uid, uid, gid, gid, gid, gid];
  const sets = [capabilities, capabilities, 0n, allCapabilities, 0n];
  return [`--ids=${[...ids, ...sets, 0, ...groups.toSorted((a, b) => a - b)].join(",")}`];
}

/** For native/supervise: whom the kernel makes it. */
export function becomeWords({ users }: InstanceRecord, { uid, gid, groups }: User): string[] {
  return users === "view" || uid === 0 ? [] : ["--user", [uid, gid, ...groups].join(":")];
}
