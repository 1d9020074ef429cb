/**
 * Home directories of people.
 *
 * Why: a server that acts for a user (delivers mail, lets in, runs a job) goes to the user's home first and fails where it
 * is absent. All homes are kept with their owner and mode. What is in them is the data of those servers that
 * hand out or read users' files, and of nobody else; a huge directory in one becomes a candidate.
 */
import type { ByteString } from "../../formats/entry.ts";
import { parsePasswd } from "../../formats/passwd.ts";
import { type Emit, isUse, type Rule, type Scene } from "../rule.ts";
import { basename } from "../tree.ts";

/** Servers whose clients read or write in homes, and mail servers, which look there for forwards and filters. */
const serversOfHomes =
  /^(vsftpd|proftpd|pure-ftpd|in\.ftpd|smbd|sshd|sftp-server|exim4?|sendmail|local|dovecot|imapd?|qmail-local|maildrop|courier.*)$/;

/** Ids of people by all distributions' rules: system users end below 500 or 1000, and nobody is 65534. */
const isPerson = (uid: number): boolean => uid >= 500 && uid < 60_000;

export function homeDirectories(): Rule {
  let swept = false;
  return {
    name: "homes",
    async start(scene, emit) {
      for (const home of await homes(scene)) emit.add(home, { kind: "base", detail: "home directories" });
    },
    async reason(scene, entry, reason, emit) {
      const serves = entry.kind === "file" && (entry.mode & 0o111) !== 0 && isUse(reason);
      if (swept || !serves || !serversOfHomes.test(basename(entry.path))) return;
      swept = true;
      await sweep(scene, entry.path, emit);
    },
  };
}

async function sweep(scene: Scene, from: ByteString, emit: Emit): Promise<void> {
  const reason = { kind: "data", from } as const;
  for (const home of await homes(scene)) {
    for (const one of (await scene.files.list(home)) ?? []) {
      if (one.kind === "directory") emit.tree(one.path, reason, "unless huge");
      else emit.add(one.path, reason);
    }
  }
}

/** Homes of people that exist; a home that is a directory of the system (/, /srv, /var) is no home. */
async function homes(scene: Scene): Promise<ByteString[]> {
  const text = (await scene.tree.text("/etc/passwd")) ?? "";
  const found = new Set<ByteString>();
  for (const user of parsePasswd(text).entries) {
    if (!isPerson(user.uid) || !/^\/[^/]+\/./.test(user.home)) continue;
    const { entry } = await scene.tree.resolve(user.home.replace(/\/+$/, ""));
    if (entry?.kind === "directory" && /^\/[^/]+\/./.test(entry.path)) found.add(entry.path);
  }
  return [...found].sort();
}
