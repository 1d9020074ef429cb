// Programs that an administrator's script starts at each boot: no service stands for them, so no `--service` brings them.
import { type InstalledPackages, loadInstalled } from "../../closure/installed.ts";
import { isBootScript, readBootScripts } from "../../discover/boot-scripts.ts";
import type { Source } from "../../discover/source.ts";
import type { ByteString } from "../../formats/entry.ts";
import { findShellCommands } from "../../formats/shell-commands.ts";
import { finding, type Rule } from "../rule.ts";

const searched = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const script = /\.(py|rb|p[lm]|php|[cm]?js|jar|sh|lua|tcl)$/;

export const bootScripts: Rule = {
  id: "boot-scripts",
  title: "Scripts of the boot",
  severity: "warning",
  async check({ inventory, source }) {
    const service = inventory.services.find(isBootScript);
    if (service?.state !== "enabled") return [];
    const findings = [];
    for (const { path, commands } of await readBootScripts(source)) {
      if (commands.length === 0) continue;
      const started = await startedBy(source, commands);
      const own = unowned(started, await loadInstalled(source.files));
      findings.push(
        finding(
          bootScripts,
          path,
          [`by ${service.name} of ${service.manager}`, ...service.exec.start.slice(1)],
          {
            effect:
              own.length > 0
                ? `starts at each boot what no installed package brought: ${own.join(", ")}`
                : "starts programs at each boot that are no service of their own",
            remedy:
              "capture each by its command in the foreground (capture run ... -- COMMAND), or while it runs (capture process)",
            severity: own.length > 0 ? "warning" : "note",
          },
        ),
      );
    }
    return findings;
  },
};

interface Started {
  named: ByteString;
  canonical: ByteString;
}

async function startedBy(source: Source, commands: readonly ByteString[]): Promise<Started[]> {
  const { names, paths } = findShellCommands(commands.join("\n"));
  const candidates = [
    ...paths,
    ...names.flatMap((name) => searched.map((directory) => `${directory}/${name}`)),
  ];
  const started: Started[] = [];
  for (const named of candidates) {
    const canonical = await source.canonical(named);
    const entry = canonical === undefined ? undefined : await source.stat(canonical);
    if (canonical === undefined || entry?.kind !== "file") continue;
    if ((entry.mode & 0o111) !== 0 || script.test(named)) started.push({ named, canonical });
  }
  return started;
}

function unowned(started: readonly Started[], installed: InstalledPackages): ByteString[] {
  const own = started.filter(
    ({ named, canonical }) =>
      installed.owner(named).length === 0 &&
      installed.owner(canonical).length === 0 &&
      // A merged /usr: the data base has the name by which it was packaged.
      installed.owner(canonical.replace(/^\/usr/, "")).length === 0,
  );
  return [...new Set(own.map(({ named }) => named))];
}
