// run --confine: what the kernel lets an instance in process reach. native/supervise/confine.c puts it in force before the engine is executed; decision 88 has the reasons.
import { chmodSync, mkdirSync } from "node:fs";
import { capabilityMask } from "../../host/enter.ts";
import { writeFilePlain } from "../../host/files.ts";
import { nativePath } from "../../host/native.ts";
import { removeTree } from "../../host/remove-tree.ts";
import type { InstancePaths } from "../instance-paths.ts";
import { capabilitiesOf, capabilityNames } from "../oci/capabilities.ts";
import { defaultRules } from "../oci/seccomp.ts";
import type { InstanceRecord } from "../record.ts";

/** Those of a container, without those that would need a terminal of its own. */
const devices = words("/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty");

function words(text: string): string[] {
  return text.split(" ");
}

/** For native/supervise: the files of this start. */
export function confineWords({ reach, filter }: InstancePaths, { confine }: InstanceRecord): string[] {
  return confine === true ? ["--confine", reach, filter] : [];
}

/** Empty at each start, as a container's. */
export function giveShm({ shm }: InstancePaths, { confine }: InstanceRecord): void {
  if (confine !== true) return;
  removeTree(shm);
  mkdirSync(shm);
  chmodSync(shm, 0o1777);
}

/** `record` with its volumes as directories of this host. Call when all of them are there. */
export async function giveConfinement(paths: InstancePaths, record: InstanceRecord): Promise<void> {
  if (record.confine !== true) return;
  const { seccompFilter } = await import("../oci/seccomp-filter.ts");
  // A device node by its number would be any file of the host.
  const capabilities = capabilitiesOf(record).filter((name) => name !== "CAP_MKNOD");
  const mask = capabilityMask(capabilityNames(capabilities));
  const lines = [`caps ${mask}`, ...scopes(record), ...reached(paths, record)];
  // Also a command of another user reads them.
  writeFilePlain(paths.reach, lines.map((line) => `${line}\0`).join(""), 0o644);
  writeFilePlain(paths.filter, seccompFilter(defaultRules(capabilities), false), 0o644);
}

/** Fast loopback rings other instances by names of sockets. */
function scopes({ elements }: InstanceRecord): string[] {
  return ["scope signals", ...(elements?.loopback === "fast" ? [] : ["scope sockets"])];
}

function reached(paths: InstancePaths, record: InstanceRecord): string[] {
  const own = [paths.run, paths.files, paths.redirect, paths.led, paths.shm];
  const { mounts, secrets, redirections } = record;
  return [
    // The engine, its rules and tables, its clock.
    `read ${paths.directory}`,
    `read ${nativePath("init")}`,
    ...own.map((path) => `write ${path}`),
    ...(record.users === "view" ? [`write ${paths.users}`] : []),
    ...(record.readOnly ? [] : [`write ${paths.tree}`]),
    ...mounts.map(({ source, readOnly }) => `${readOnly ? "read" : "write"} ${source}`),
    ...secrets.map(({ source }) => `read ${source}`),
    ...(redirections?.rules ?? []).flatMap(({ made, mode, removed }) => {
      if (removed === true || made.as !== "engine" || made.host === null) return [];
      return [`${mode === "merged" ? "write" : "read"} ${made.host}`];
    }),
    // Where root writes in /proc it sets the host's kernel. The engine then writes code through pages that are writable for a moment, not with several threads.
    `${process.getuid?.() === 0 ? "look" : "write"} /proc`,
    "look /sys",
    "list /dev",
    ...devices.map((path) => `device ${path}`),
  ];
}
