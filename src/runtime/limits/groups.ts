// Control groups of an ordinary user's instance. The OCI runtime is not asked for them: what it can do in a group that was given differs
// between runtimes and versions. They are made here, with the limits in force, and enter goes into them before it becomes the runtime, so that
// all of the instance is in them from its first program on, the waiting runtime too.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cgroupDirectories, cgroupMode } from "../../host/cgroup.ts";
import { cgroupLimits, setCgroupLimits } from "../../host/cgroup-limits.ts";
import { openGiven } from "../../host/rootless/given-groups.ts";
import { rootlessUser } from "../../host/rootless-user.ts";
import { step } from "../../host/steps.ts";
import type { InstanceRecord } from "../record.ts";
import { weightOfShares } from "./limits.ts";

/**
 * The name of an instance's group in each hierarchy. Without a group of ours above it: that would be shared by all state roots, and whoever
 * removed it with the last instance of one would take it from an OCI runtime that is about to make a group in it for another.
 */
export function instanceGroup(id: string): string {
  return `tranship-${id}`;
}

/** Their directories; [] where the OCI runtime makes them, or nobody can. */
export function makeGroups({ id, limits }: InstanceRecord): string[] {
  if (rootlessUser() === undefined) return [];
  const mode = cgroupMode();
  if (mode.hierarchies.length > 0) step("control groups");
  for (const { version, path } of mode.hierarchies) {
    if (version === 2) openGiven(path);
    makeGroup(path, `${path}/${instanceGroup(id)}`);
  }
  const only = cgroupLimits.filter((one) => limits[one] !== null && limits[one] !== undefined);
  setCgroupLimits(instanceGroup(id), limits, { only, weight: weightOfShares, mode });
  return cgroupDirectories(instanceGroup(id), mode);
}

/** Those of one that runs, for a further command in it. */
export function groupsOf({ id }: Pick<InstanceRecord, "id">): string[] {
  return rootlessUser() === undefined ? [] : cgroupDirectories(instanceGroup(id));
}

export function makeGroup(parent: string, group: string): void {
  mkdirSync(group, { recursive: true });
  // A new group of v1 has no processors, and takes no process without.
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const own = `${group}/${file}`;
    if (existsSync(own) && readFileSync(own, "latin1").trim() === "" && existsSync(`${parent}/${file}`)) {
      const text = readFileSync(`${parent}/${file}`, "latin1").trim();
      // Of v2 an empty one has all that is above it.
      if (text !== "") writeFileSync(own, text);
    }
  }
}
