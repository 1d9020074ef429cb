// policy.bin of an instance of the in-process engine: its own copy of the package is the application's root, as far as nothing else was asked for.
//
// The engine is given the root of the host as the package's directory, so that each rule names a path of the host.
import { statSync } from "node:fs";
import { join } from "node:path";
import { nativePath } from "../../host/native.ts";
import { type FileRedirection, newDescriptor } from "../../package/descriptor.ts";
import { secretsBelow } from "../../redirect/host-paths.ts";
import { compilePolicy, type Policy } from "../../redirect/policy.ts";
import { cleanPath } from "../../redirect/rules.ts";
import { initPath } from "../image.ts";
import type { InstancePaths } from "../instance-paths.ts";
import { entryInLayers, inLayers } from "../layers.ts";
import type { InstanceRecord, InstanceRedirection } from "../record.ts";

/** What stays the host's. */
const hostPaths: readonly string[] = ["/proc", "/sys", "/dev"];

const plain = newDescriptor(
  { id: "", name: "", version: "", publisher: "" },
  { os: { id: "", version: "" }, kernel: "", architecture: "" },
);

export interface PolicyInput {
  record: InstanceRecord;
  paths: InstancePaths;
  /** Of files that say who the instance is: see identityRules(). */
  identity: readonly FileRedirection[];
  /** What it takes on at this start; null: that of the devices. */
  mac: string | null;
}

/** Of one path the first rule counts. */
export function instancePolicy(input: PolicyInput): Policy {
  const { record, paths } = input;
  const files: FileRedirection[] = [
    // First: their place among all is the name of the directory of their copies.
    ...(record.redirections?.rules ?? []).map((given) => redirectionRule(input, given)),
    ...record.mounts.map((mount) => rule(mount.target, mount.source, mount.readOnly)),
    ...record.secrets
      .filter((secret) => secret.target.startsWith("/"))
      .map((secret) => rule(secret.target, secret.source, true)),
    ...secretRules(input),
    ...input.identity,
    rule("/.tranship/run", paths.run, false),
    // The host's has data of others.
    ...(record.confine === true ? [rule("/dev/shm", paths.shm, false)] : []),
    { from: "/.tranship/look", to: paths.look, match: "exact", mode: "read-only" } as const,
    ...(inLayers([paths.tree], initPath.slice(1)) ? [] : [rule(initPath, nativePath("init"), true)]),
    rule("/", paths.tree, record.readOnly === true),
  ];
  // Names are lines of its hosts file.
  const network = (record.network.redirections ?? []).filter(({ kind }) => kind !== "name");
  return compilePolicy({
    descriptor: {
      redirections: { ...plain.redirections, files, network },
      elements: {
        clock: null,
        uname: null,
        vsyscall: "auto",
        loopback: "kernel",
        users: "kernel",
        ...record.elements,
      },
      links: [],
      excludes: record.excludes ?? [],
    },
    identity: {
      ...plain.identity,
      hostname: record.hostname,
      domain: record.identity?.domain ?? null,
      macAddress: input.mac,
    },
    host: hostPaths,
  });
}

function rule(from: string, source: string, readOnly: boolean): FileRedirection {
  const file = statSync(source, { throwIfNoEntry: false })?.isDirectory() === false;
  return { from, to: source, match: file ? "exact" : "folder", mode: readOnly ? "read-only" : "full" };
}

/** As decided when it was made. A package's part that leads nowhere is a name that nothing has. */
function redirectionRule({ record, paths }: PolicyInput, given: InstanceRedirection): FileRedirection {
  const { match, made } = given;
  // Its place in the list is what counts.
  if (given.removed === true) return { from: "/.tranship/removed", to: "/", match: "exact", mode: "hide" };
  const from = made.at;
  const mode = given.mode === "merged" && "host" in made && made.host === null ? "read-only" : given.mode;
  if (mode === "hide") return { from, to: "/", match, mode };
  const source = made.as === "engine" ? made.source : null;
  const to = source === null ? `${paths.run}/none` : join(...placeOf(record, paths.tree, source));
  return { from, to: cleanPath(to), match, mode };
}

/**
 * Secrets of the host below a folder that shows it. Where it is merged no layer could hide them; by write-copy whiteouts do (see copies.ts), but not in a directory that the package
 * has there too, where both would be seen. What the package has in such a place is seen, and the instance's own.
 */
function secretRules({ record, paths }: PolicyInput): FileRedirection[] {
  const { rules = [], host = [] } = record.redirections ?? {};
  return rules.flatMap(({ made, mode, match }): FileRedirection[] => {
    if (match === "exact" || made.as !== "engine" || made.host === null) return [];
    const { at, source } = made;
    const packaged = source === null ? [] : [join(...placeOf(record, paths.tree, source))];
    return secretsBelow(at, host).flatMap((secret): FileRedirection[] => {
      const own = entryInLayers(packaged, secret.slice(at.length));
      const directory = own?.stat.isDirectory() === true;
      // A link would lead into the host from there.
      if (own !== undefined && (directory || (mode === "merged" && own.stat.isFile())))
        return [rule(secret, own.place, false)];
      return mode === "merged" ? [{ from: secret, to: "/", match: "folder", mode: "hide" }] : [];
    });
  });
}

/** Where a program of the instance is that begins in `path`: a directory of the host, and the way below it. */
export function placeOf(
  { mounts }: Pick<InstanceRecord, "mounts">,
  tree: string,
  path: string,
): readonly [root: string, below: string] {
  const covering = mounts
    .filter(({ target }) => path === target || path.startsWith(`${target}/`))
    .sort((a, b) => b.target.length - a.target.length)[0];
  return covering === undefined ? [tree, path] : [covering.source, path.slice(covering.target.length) || "/"];
}
