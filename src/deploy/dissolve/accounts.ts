// Users and groups of a package on another system of its distribution: those that it lacks are added, by their numbers where these are free;
// who is there by name keeps the numbers that he has there. Pure.
import type { ByteString } from "../../formats/entry.ts";
import { parseGroup, parsePasswd } from "../../formats/passwd.ts";

export interface AccountFiles {
  passwd: ByteString;
  group: ByteString;
}

export interface Accounts {
  /** Lines to be added. */
  passwd: ByteString[];
  group: ByteString[];
  /** Numbers of the package that are others on the target. */
  uids: ReadonlyMap<number, number>;
  gids: ReadonlyMap<number, number>;
}

const lastSystemId = 999;

export function mergeAccounts(from: AccountFiles, to: AccountFiles): Accounts {
  const ours = { users: parsePasswd(from.passwd).entries, groups: parseGroup(from.group).entries };
  const theirs = { users: parsePasswd(to.passwd).entries, groups: parseGroup(to.group).entries };
  const groups = assign(
    ours.groups.map((one) => [one.name, one.gid]),
    theirs.groups.map((one) => [one.name, one.gid]),
  );
  const users = assign(
    ours.users.map((one) => [one.name, one.uid]),
    theirs.users.map((one) => [one.name, one.uid]),
  );
  const known = new Set(theirs.users.map((one) => one.name));
  const knownGroups = new Set(theirs.groups.map((one) => one.name));
  return {
    passwd: ours.users
      .filter((one) => !known.has(one.name))
      .map((one) => {
        const [uid, gid] = [users.get(one.uid) ?? one.uid, groups.get(one.gid) ?? one.gid];
        return [one.name, "x", uid, gid, one.gecos, one.home, one.shell].join(":");
      }),
    group: ours.groups
      .filter((one) => !knownGroups.has(one.name))
      .map((one) => [one.name, "x", groups.get(one.gid) ?? one.gid, one.members.join(",")].join(":")),
    uids: users,
    gids: groups,
  };
}

/** Numbers of the target by those of the package, where they differ. */
function assign(ours: readonly [string, number][], theirs: readonly [string, number][]): Map<number, number> {
  const byName = new Map(theirs);
  const taken = new Set(theirs.map(([, id]) => id));
  const assigned = new Map<number, number>();
  for (const [name, id] of ours) {
    const there = byName.get(name);
    if (there !== undefined) {
      if (there !== id) assigned.set(id, there);
      continue;
    }
    let free = id;
    if (taken.has(id)) for (free = lastSystemId; taken.has(free); ) free--;
    taken.add(free);
    if (free !== id) assigned.set(id, free);
  }
  return assigned;
}
