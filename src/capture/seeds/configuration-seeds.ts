// The configuration of installed packages that were asked for by name, where no run has shown which of it their services read: all of it
// counts as read, so that what it names comes along.
import type { Seed } from "../../closure/expand.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import type { Reason } from "../../closure/reason.ts";
import { ownDirectories } from "../../closure/rules/installed-packages.ts";
import type { ByteString } from "../../formats/entry.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";

/** No person writes more files than that; a directory with more is something else. */
const maxFiles = 2000;

/**
 * Of the packages themselves and of what they depend on, in two steps (exim4-daemon-light needs exim4-base, and that exim4-config):
 * distributions often keep a server's configuration in a package beside it.
 */
export async function configurationSeeds(
  machine: Machine,
  installed: InstalledPackages,
  names: readonly string[],
): Promise<Seed[]> {
  const beside = names.flatMap((name) => [name, ...installed.depends(name)]);
  const packages = new Set(beside.flatMap((name) => [name, ...installed.depends(name)]));
  const seeds: Seed[] = [];
  for (const name of packages) {
    const reason: Reason = { kind: "configuration", detail: `package ${name}` };
    for (const directory of ownDirectories(installed.filesOf(name)).filter((path) =>
      path.startsWith("/etc/"),
    ))
      for (const path of await filesBelow(machine, directory)) seeds.push({ path, reason });
    const listed = (installed.get(name)?.configuration ?? []).map(({ path }) => path);
    // Debian's scripts make the second without any list that names it; on RHEL it is the first's place.
    for (const path of [...listed, `/etc/default/${name}`, `/etc/sysconfig/${name}`])
      if (path.startsWith("/etc/") && (await machine.files.stat(path)) !== undefined)
        seeds.push({ path, reason });
  }
  return seeds;
}

async function filesBelow(machine: Machine, directory: ByteString): Promise<ByteString[]> {
  const paths: ByteString[] = [];
  for await (const one of machine.files.walk(directory)) {
    if (isUnreadable(one) || one.kind === "directory") continue;
    paths.push(one.path);
    if (paths.length > maxFiles) return [];
  }
  return paths;
}
