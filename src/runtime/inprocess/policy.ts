// policy.bin of an instance of the in-process engine: its own copy of the package is the application's root, as far as nothing else was asked for.
//
// The engine is given the root of the host as the package's directory, so that each rule names a path of the host.
import { statSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { nativePath } from "../../host/native.ts";
import { type Descriptor, type FileRedirection, newDescriptor } from "../../package/descriptor.ts";
import { compilePolicy, type Policy } from "../../redirect/policy.ts";
import { cleanPath } from "../../redirect/rules.ts";
import { initPath } from "../image.ts";
import { inLayers } from "../layers.ts";
import type { InstancePaths, InstanceRecord } from "../record.ts";

/** What stays the host's. */
const hostPaths: readonly string[] = ["/proc", "/sys", "/dev"];

const plain = newDescriptor(
  { id: "", name: "", version: "", publisher: "" },
  { os: { id: "", version: "" }, kernel: "", architecture: "" },
);

export interface PolicyInput {
  record: InstanceRecord;
  paths: InstancePaths;
  /** undefined: an image without one. */
  descriptor: Descriptor | undefined;
}

/** E_REDIRECTION names what this engine cannot do of the package's redirections. Of one path the first rule counts. */
export function instancePolicy({ record, paths, descriptor = plain }: PolicyInput): Policy {
  const files = [
    ...record.mounts.map((mount) => rule(mount.target, mount.source, mount.readOnly)),
    ...record.secrets
      .filter((secret) => secret.target.startsWith("/"))
      .map((secret) => rule(secret.target, secret.source, true)),
    rule("/.tranship/run", paths.run, false),
    ...(inLayers([paths.tree], initPath.slice(1)) ? [] : [rule(initPath, nativePath("init"), true)]),
    ...descriptor.redirections.files.map((one) => packageRule(one, paths.tree)),
    rule("/", paths.tree, false),
  ];
  return compilePolicy({
    descriptor: {
      redirections: { ...plain.redirections, files },
      // Fast loopback is the one element that it does not have: the kernel's is right too.
      elements: { ...descriptor.elements, loopback: "kernel" },
      links: [],
      excludes: [],
    },
    identity: { ...plain.identity, hostname: record.hostname, domain: record.identity?.domain ?? null },
    host: hostPaths,
  });
}

function rule(from: string, source: string, readOnly: boolean): FileRedirection {
  const file = statSync(source, { throwIfNoEntry: false })?.isDirectory() === false;
  return { from, to: source, match: file ? "exact" : "folder", mode: readOnly ? "read-only" : "full" };
}

function packageRule(given: FileRedirection, tree: string): FileRedirection {
  const { from, to, mode } = given;
  if (mode === "write-copy" || mode === "merged") {
    throw new TranshipError(
      "E_REDIRECTION",
      `run --engine inprocess does not carry out the mode ${mode}: ${from} to ${to}`,
      {
        hint: "run it with --engine namespace, or give it a descriptor with another mode: --descriptor FILE",
      },
    );
  }
  return mode === "hide" ? given : { ...given, to: cleanPath(`${tree}${to}`) };
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
