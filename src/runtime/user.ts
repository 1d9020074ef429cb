// Users and groups of the package's own /etc/passwd and /etc/group.
import { TranshipError } from "../base/errors.ts";
import { parseGroup, parsePasswd } from "../formats/passwd.ts";
import { readLayerFile } from "./layers.ts";

export interface User {
  uid: number;
  gid: number;
  groups: number[];
  home: string;
}

/** "" = root; name, name:group, uid or uid:gid. */
export function lookUpUser(layers: readonly string[], text: string): User {
  if (text === "") return { uid: 0, gid: 0, groups: [], home: "/root" };
  const [who = "", group] = text.split(":");
  const users = parsePasswd(readLayerFile(layers, "etc/passwd")?.toString("latin1") ?? "").entries;
  const groups = parseGroup(readLayerFile(layers, "etc/group")?.toString("latin1") ?? "").entries;
  const found = users.find((entry) => entry.name === who || String(entry.uid) === who);
  const uid = found?.uid ?? numberOf(who);
  if (uid === undefined) {
    throw new TranshipError("E_USAGE", `the package has no user ${JSON.stringify(who)}`, {
      hint: `give a number, or one of: ${
        users
          .slice(0, 20)
          .map((entry) => entry.name)
          .join(", ") || "(no users)"
      }`,
    });
  }
  const home = found?.home || "/";
  if (group === undefined) {
    const more = groups.filter((entry) => found !== undefined && entry.members.includes(found.name));
    return { uid, gid: found?.gid ?? 0, groups: more.map((entry) => entry.gid), home };
  }
  const gid = groups.find((entry) => entry.name === group)?.gid ?? numberOf(group);
  if (gid === undefined) {
    throw new TranshipError("E_USAGE", `the package has no group ${JSON.stringify(group)}`, {
      hint: "give a number",
    });
  }
  return { uid, gid, groups: [], home };
}

/** With further groups: names of the package, or numbers. */
export function withGroups(layers: readonly string[], user: User, names: readonly string[] = []): User {
  if (names.length === 0) return user;
  const known = parseGroup(readLayerFile(layers, "etc/group")?.toString("latin1") ?? "").entries;
  const more = names.map((name) => {
    const gid = known.find((entry) => entry.name === name)?.gid ?? numberOf(name);
    if (gid !== undefined) return gid;
    throw new TranshipError("E_USAGE", `--group-add: the package has no group ${JSON.stringify(name)}`, {
      hint: "give a number, or a name of its /etc/group",
    });
  });
  return { ...user, groups: [...new Set([...user.groups, ...more])] };
}

function numberOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff ? Number(text) : undefined;
}
