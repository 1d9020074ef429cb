// Directories that belong to the users of the services: made by installation scripts, so no list of files names them, and
// without a run no trace does. A service without its log directory often does not start.
import type { Seed } from "../closure/expand.ts";
import { parsePasswd } from "../formats/passwd.ts";
import type { Machine } from "../machine/machine.ts";
import type { Descriptor } from "../package/descriptor.ts";

const places = ["/var/log", "/var/lib", "/var/cache", "/var/spool"];

/** The directories themselves; what is in /var/lib comes by the rules for data. */
export async function ownedDirectories(machine: Machine, descriptor: Descriptor): Promise<Seed[]> {
  const users = new Set(descriptor.programs.map((program) => program.user?.split(":")[0] ?? "root"));
  users.delete("root");
  const passwd = (await machine.files.read("/etc/passwd")) ?? new Uint8Array();
  const entries = parsePasswd(new TextDecoder("latin1").decode(passwd)).entries;
  const ids = new Map(
    entries
      .filter((entry) => users.has(entry.name) && entry.uid !== 0)
      .map((entry) => [entry.uid, entry.name]),
  );
  const seeds: Seed[] = [];
  for (const place of ids.size === 0 ? [] : places) {
    for (const entry of (await machine.files.list(place)) ?? []) {
      const user = ids.get(entry.uid);
      if (entry.kind !== "directory" || user === undefined) continue;
      seeds.push({
        path: entry.path,
        reason: { kind: "rule", detail: `belongs to ${user}, who runs a service of the package` },
      });
    }
  }
  return seeds;
}
