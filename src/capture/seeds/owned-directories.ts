// Directories that belong to users of the application: made by installation scripts, so no list of files names them, and
// without a run no trace does. A service without its log directory often does not start.
import type { Seed } from "../../closure/expand.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import type { ByteString } from "../../formats/entry.ts";
import { parsePasswd } from "../../formats/passwd.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";

const places = ["/var/log", "/var/lib", "/var/cache", "/var/spool"];

/** Users that every Debian, RHEL or SUSE has from the beginning: that a script has such a word says nothing. */
const everywhere: ReadonlySet<string> = new Set([
  "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "backup", "list", "irc", "gnats",
  "nobody", "adm", "shutdown", "halt", "operator", "ftp", "_apt", "dbus", "messagebus",
]); // biome-ignore format: a table

/** Above this a directory of /var/lib joins empty, and has to be asked for. */
const hugeEntries = 20_000;
const hugeBytes = 512 << 20;

/**
 * The directories themselves and, below /var/lib, what is in them: that is the application's state. `names`: installed packages that
 * were asked for; `users`: words of start scripts that may be users; `running`: numbers of users that run the application.
 */
export async function ownedDirectories(
  machine: Machine,
  descriptor: Descriptor,
  installed: InstalledPackages,
  {
    names,
    users,
    running,
  }: { names: readonly string[]; users: ReadonlySet<string>; running: ReadonlySet<number> },
): Promise<Seed[]> {
  const why = new Map<string, string>();
  // Distributions often make a server's users in a package beside it.
  for (const name of new Set(names.flatMap((one) => [one, ...installed.depends(one)])))
    for (const word of await scriptWords(installed, name))
      why.set(word, `is named by the scripts of ${name}`);
  for (const user of users) why.set(user, "is named by what starts the package");
  for (const user of everywhere) why.delete(user);
  for (const { user } of descriptor.programs)
    why.set(user?.split(":")[0] ?? "root", "runs a service of the package");
  const passwd = (await machine.files.read("/etc/passwd")) ?? new Uint8Array();
  const { entries } = parsePasswd(new TextDecoder("latin1").decode(passwd));
  for (const { uid, name } of entries)
    if (running.has(uid) && !everywhere.has(name)) why.set(name, "runs the application");
  why.delete("root");
  const ids = new Map(
    entries.filter((entry) => why.has(entry.name) && entry.uid !== 0).map((entry) => [entry.uid, entry.name]),
  );
  const seeds: Seed[] = [];
  for (const place of ids.size === 0 ? [] : places) {
    for (const entry of (await machine.files.list(place)) ?? []) {
      const user = ids.get(entry.uid);
      if (entry.kind !== "directory" || user === undefined) continue;
      seeds.push({
        path: entry.path,
        reason: { kind: "rule", detail: `belongs to ${user}, who ${why.get(user)}` },
      });
      if (place === "/var/lib" && !everywhere.has(user))
        seeds.push(...(await contentOf(machine, entry.path)));
    }
  }
  return seeds;
}

async function contentOf(machine: Machine, directory: ByteString): Promise<Seed[]> {
  const seeds: Seed[] = [];
  let bytes = 0;
  for await (const one of machine.files.walk(directory)) {
    if (isUnreadable(one) || one.path === directory) continue;
    seeds.push({ path: one.path, reason: { kind: "data", from: directory } });
    bytes += one.size;
    if (seeds.length > hugeEntries || bytes > hugeBytes) return [];
  }
  return seeds;
}

/** Words of scripts that make or use accounts; which of them are users, passwd says. */
async function scriptWords(installed: InstalledPackages, name: string): Promise<Set<string>> {
  const text = await installed.scripts(name);
  if (!/\b(adduser|useradd|sysusers|chown|install\s+.*-o)\b/.test(text)) return new Set();
  return new Set(text.slice(0, 1 << 20).match(/[A-Za-z_][A-Za-z0-9_-]{0,31}/g) ?? []);
}
