// Installed packages, as the machine's own database tells them.
import { parseDpkgStatus } from "../formats/dpkg.ts";
import type { InstalledFacts } from "./inventory.ts";
import { baseName, type Source } from "./source.ts";

const maxDatabase = 256 << 20;
const rpmDatabases = [
  "/var/lib/rpm/rpmdb.sqlite",
  "/usr/lib/sysimage/rpm/rpmdb.sqlite",
  "/var/lib/rpm/Packages.db",
  "/usr/lib/sysimage/rpm/Packages.db",
  "/var/lib/rpm/Packages",
];

export async function readInstalled(source: Source): Promise<InstalledFacts> {
  return (
    (await readDpkg(source)) ??
    (await readRpm(source)) ??
    (await readApk(source)) ?? { database: "none", packages: [], readable: true, from: [] }
  );
}

async function readDpkg(source: Source): Promise<InstalledFacts | undefined> {
  const from: string[] = [];
  const texts: string[] = [];
  const paths = ["/var/lib/dpkg/status", ...(await source.filesIn("/var/lib/dpkg/status.d", /^[^.]+$/))];
  for (const path of paths.slice(0, 5000)) {
    const text = await source.text(path, maxDatabase);
    if (text === undefined || text === "") continue;
    from.push(path);
    texts.push(text);
  }
  if (from.length === 0) return undefined;
  const status = parseDpkgStatus(texts.join("\n\n"));
  for (const problem of status.problems.slice(0, 20))
    source.note(from[0] ?? "", `line ${problem.line}: ${problem.message}`);
  const packages = status.packages
    .filter((each) => each.state === "installed" || each.state === "")
    .map(({ name, version, architecture }) => ({ name, version, architecture }));
  return { database: "dpkg", packages, readable: true, from };
}

/** Presence only: reading rpm's databases is not built yet. */
async function readRpm(source: Source): Promise<InstalledFacts | undefined> {
  for (const path of rpmDatabases) {
    const entry = await source.stat(path, true);
    if (entry === undefined || entry.kind !== "file") continue;
    source.note(path, `the rpm database (${baseName(path)}) is there, but cannot be read yet`);
    return { database: "rpm", packages: [], readable: false, from: [path] };
  }
  return undefined;
}

async function readApk(source: Source): Promise<InstalledFacts | undefined> {
  const path = "/lib/apk/db/installed";
  const text = await source.text(path, maxDatabase);
  if (text === undefined) return undefined;
  const packages = text.split("\n\n").flatMap((stanza) => {
    const field = (letter: string): string => new RegExp(`^${letter}:(.*)$`, "m").exec(stanza)?.[1] ?? "";
    return field("P") === "" ? [] : [{ name: field("P"), version: field("V"), architecture: field("A") }];
  });
  return { database: "apk", packages, readable: true, from: [path] };
}
