// Users and groups.
import { parseGroup, parsePasswd } from "../formats/passwd.ts";
import type { GroupFact, UserFact } from "./inventory.ts";
import type { Source } from "./source.ts";

const noLogin = /\/(nologin|false|sync|shutdown|halt|true)$/;

export async function readUsers(source: Source): Promise<{ users: UserFact[]; groups: GroupFact[] }> {
  const passwd = parsePasswd((await source.text("/etc/passwd", 16 << 20)) ?? "");
  const group = parseGroup((await source.text("/etc/group", 16 << 20)) ?? "");
  for (const problem of passwd.problems.slice(0, 20))
    source.note("/etc/passwd", `line ${problem.line} is no user`);
  for (const problem of group.problems.slice(0, 20))
    source.note("/etc/group", `line ${problem.line} is no group`);
  return {
    users: passwd.entries.map(({ name, uid, gid, home, shell }) => ({
      name,
      uid,
      gid,
      home,
      shell,
      login: !noLogin.test(shell),
    })),
    groups: group.entries,
  };
}
