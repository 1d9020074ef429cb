// Installed packages, as the machine's own database tells them.
import { parseDpkgStatus } from "../formats/dpkg.ts";
import { rpmVersion } from "../formats/rpm-package.ts";
import { readRpm } from "../machine/rpm.ts";
import type { InstalledFacts } from "./inventory.ts";
import type { Source } from "./source.ts";

const maxDatabase = 256 << 20;
export async function readInstalled(source: Source): Promise<InstalledFacts> {
  return (
    (await readDpkg(source)) ??
    (await readRpmFacts(source)) ??
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

async function readRpmFacts(source: Source): Promise<InstalledFacts | undefined> {
  const found = await source.attempt("/var/lib/rpm", () => readRpm(source.files));
  if (found === undefined) return undefined;
  for (const problem of found.problems.slice(0, 20)) source.note(found.path, `the rpm database: ${problem}`);
  const packages = found.packages
    // Keys that signatures are checked with are kept as packages without architecture.
    .filter((one) => one.architecture !== "")
    .map((one) => ({ name: one.name, version: rpmVersion(one), architecture: one.architecture }));
  const readable = packages.length > 0 || found.problems.length === 0;
  return { database: "rpm", packages, readable, from: [found.path] };
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
