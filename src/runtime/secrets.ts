// Secrets of an instance: files that it sees, and values of variables.
import { chmodSync, chownSync, constants, copyFileSync, rmSync, statSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import { ioError, makeDirectory, readText } from "../host/files.ts";
import type { OpenPackage } from "./image.ts";
import type { InstancePaths } from "./instance-paths.ts";
import { inLayers } from "./layers.ts";
import type { OciMount } from "./oci/config.ts";
import type { InstanceRecord, InstanceSecret } from "./record.ts";

/**
 * Bound read-only from where the secret lies, as it is there. With an owner or mode of its own it is a copy, in the directory of the bundle, which only the
 * owner of the state root can enter and which goes when the instance ends.
 */
export function secretMounts(paths: InstancePaths, record: InstanceRecord): OciMount[] {
  const copies = secretCopies(paths);
  rmSync(copies, { recursive: true, force: true });
  return record.secrets
    .filter(({ target }) => target.startsWith("/"))
    .map((secret, index) => {
      requireSecret(secret.source);
      const source = isOwned(secret) ? copyOf(secret, copies, index) : secret.source;
      const options = ["rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"];
      return { destination: secret.target, type: "bind", source, options };
    });
}

/** "NAME=VALUE" of those that are variables, as they are now; what is no longer there is left out. */
export function secretVariables({ secrets }: Pick<InstanceRecord, "secrets">): string[] {
  return secrets
    .filter(({ target }) => !target.startsWith("/"))
    .flatMap(({ target, source }) => {
      const value = readText(source);
      return value === undefined ? [] : [`${target}=${value.replace(/\n$/, "")}`];
    });
}

export function secretCopies({ bundle }: InstancePaths): string {
  return `${bundle}/secrets`;
}

export function isOwned({ uid, gid, mode }: InstanceSecret): boolean {
  return uid !== undefined || gid !== undefined || mode !== undefined;
}

/** What is not said is as docker has it: root's, and 0444. */
function copyOf(
  { source, uid = 0, gid = 0, mode = 0o444 }: InstanceSecret,
  into: string,
  index: number,
): string {
  const path = `${into}/${index}`;
  try {
    makeDirectory(into);
    copyFileSync(source, path, constants.COPYFILE_EXCL);
    chownSync(path, uid, gid);
    chmodSync(path, mode);
  } catch (cause) {
    throw ioError(`cannot give the secret ${source} to user ${uid} and group ${gid}`, cause);
  }
  return path;
}

/** E_SECRET_MISSING: it holds none. */
export function requireSecret(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() === true && stat.size > 0) return;
  throw new TranshipError(
    "E_SECRET_MISSING",
    `the secret ${path} is ${stat === undefined ? "not there" : "no file with content"}`,
    {
      hint: "name a file that holds the secret: --secret PATH=FILE",
    },
  );
}

/** Secrets that the package needs and that were neither given nor brought along: told before anything is started. */
export function checkSecrets(record: InstanceRecord, opened: OpenPackage): void {
  const given = new Set(record.secrets.map((secret) => secret.target));
  const variables = new Set(record.environment.map((entry) => entry.split("=")[0]));
  const bare = record.command.length > 0 && record.command[0]?.startsWith("@") !== true;
  if (bare) return;
  for (const secret of opened.plan?.secrets ?? []) {
    if (!secret.required || given.has(secret.name) || variables.has(secret.name)) continue;
    const covered = record.mounts.some(
      (mount) => secret.name === mount.target || secret.name.startsWith(`${mount.target}/`),
    );
    if (secret.delivery === "mount" && (covered || inLayers(opened.layers, secret.name.slice(1)))) continue;
    throw new TranshipError(
      "E_SECRET_MISSING",
      `the package needs the secret ${secret.name} (${secret.reason})`,
      {
        hint: `give it with --secret ${secret.name}=FILE`,
      },
    );
  }
}
