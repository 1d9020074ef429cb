// Control groups that an ordinary user was given: by systemd (v2: user@UID.service, or a unit with Delegate=), or by root (v1: a directory of
// a name that we look for). What is not there is told in words, with what root has to do.
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CgroupHierarchy } from "../cgroup.ts";

/** Of v1, in each hierarchy. */
function givenName(uid: number): string {
  return `tranship-${uid}`;
}

/** The hierarchies in which the user has a group, with that as their path. */
export function givenHierarchies(all: readonly CgroupHierarchy[], uid: number): CgroupHierarchy[] {
  return all.flatMap((one) => {
    const path = one.version === 1 ? givenOfV1(one, uid) : givenOfV2(one, ownGroup());
    if (path === undefined) return [];
    return [{ ...one, path, controllers: one.version === 1 ? one.controllers : offeredIn(path) }];
  });
}

function givenOfV1({ path, controllers }: CgroupHierarchy, uid: number): string | undefined {
  const given = join(path, givenName(uid));
  if (!mayWrite(given)) return undefined;
  // A new group has no processors and no memory nodes, and takes no process.
  const filled = (file: string): boolean => readFileSync(join(given, file), "latin1").trim() !== "";
  const empty = controllers.includes("cpuset") && !["cpuset.cpus", "cpuset.mems"].every(filled);
  return empty ? undefined : given;
}

/**
 * The topmost group above this process that is the user's: whoever moves a process between two groups of v2 has to be allowed to write to a
 * group above both, so one beside our own would be of no use.
 */
function givenOfV2({ path }: CgroupHierarchy, own: string): string | undefined {
  let found: string | undefined;
  for (let group = join(path, own); group.length > path.length; group = dirname(group)) {
    const all = ["", "cgroup.procs", "cgroup.subtree_control"];
    if (!all.every((name) => mayWrite(join(group, name)))) break;
    found = group;
  }
  return found;
}

/** Of v2; "/" where there is none. */
function ownGroup(): string {
  return /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "latin1"))?.[1] ?? "/";
}

function offeredIn(group: string): string[] {
  return readFileSync(join(group, "cgroup.controllers"), "latin1").trim().split(" ").filter(Boolean);
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Lets groups below a given one have its controllers (v2). Processes directly in it are in the way and go into one beside them. */
export function openGiven(given: string): void {
  const wanted = offeredIn(given)
    .map((name) => `+${name}`)
    .join(" ");
  const control = join(given, "cgroup.subtree_control");
  const has = readFileSync(control, "latin1").trim().split(" ");
  if (offeredIn(given).every((name) => has.includes(name))) return;
  const inside = readFileSync(join(given, "cgroup.procs"), "latin1").trim();
  if (inside !== "") moveAside(given, inside.split("\n"));
  writeFileSync(control, wanted);
}

function moveAside(given: string, pids: readonly string[]): void {
  const aside = join(given, "tranship-callers");
  mkdirSync(aside, { recursive: true });
  for (const pid of pids) {
    try {
      writeFileSync(join(aside, "cgroup.procs"), pid);
    } catch {} // it has ended
  }
}

export interface MissingGroup {
  why: string;
  remedy: string;
}

/** Why the user has no group with this controller; undefined where there is one. `all`: the hierarchies of the host. */
export function missingGroup(
  all: readonly CgroupHierarchy[],
  controller: string,
  uid: number,
): MissingGroup | undefined {
  if (givenHierarchies(all, uid).some((one) => one.controllers.includes(controller))) return undefined;
  const host = all.find((one) => one.controllers.includes(controller));
  if (host === undefined)
    return { why: `this host has no controller ${controller} of control groups`, remedy: "leave it out" };
  if (host.version === 2) return missingOfV2(host, controller);
  const given = join(host.path, givenName(uid));
  const copied = ["cpuset.cpus", "cpuset.mems"].map((file) => `cat ${host.path}/${file} >${given}/${file}`);
  const fill = controller === "cpuset" ? copied : [];
  return {
    why: `${given} is not there or not yours${controller === "cpuset" ? ", or has no processors" : ""}`,
    remedy: `as root: ${[`mkdir -p ${given}`, ...fill, `chown ${uid} ${given}`].join(" && ")}`,
  };
}

function missingOfV2(host: CgroupHierarchy, controller: string): MissingGroup {
  const own = ownGroup();
  const given = givenOfV2(host, own);
  if (given === undefined)
    return {
      why: `the control group of this session, ${own}, is not yours`,
      remedy: "start commands as `systemd-run --user --scope tranship ...`",
    };
  return {
    why: `${given} is yours, but without the controller ${controller}`,
    remedy: "as root: `systemctl edit user@.service`, with Delegate=cpu cpuset io memory pids in [Service]",
  };
}
