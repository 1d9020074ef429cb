// What instances leave on a host while they run, counted: the same before and after means that nothing was left.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cgroupDirectories } from "../../src/host/cgroup.ts";
import { instanceGroup } from "../../src/runtime/limits/groups.ts";
import type { Fixture } from "../integration/runtime-fixture.ts";

export interface Traces {
  mounts: number;
  /** Network devices in the fixture's namespace. */
  devices: number;
  /** Lines of all rules there. */
  rules: number;
  /** Control groups of this fixture's instances, of all hierarchies: others' come and go. */
  cgroups: number;
}

const lines = (text: string): number => text.split("\n").filter(Boolean).length;

/** `ids`: all instances that there were. */
export async function tracesOf(fixture: Fixture, ids: Iterable<string>): Promise<Traces> {
  const told = async (...command: string[]): Promise<number> => lines((await fixture.inside(command)).stdout);
  return {
    mounts: await told("cat", "/proc/self/mountinfo"),
    devices: await told("ls", "/proc/self/net/dev_snmp6"),
    rules: await told("nft", "list", "ruleset"),
    cgroups: [...ids].flatMap((id) => cgroupDirectories(instanceGroup(id))).filter((path) => existsSync(path))
      .length,
  };
}

/** Processes that have ended and that nobody waits for, anywhere on this host: others' come and go. */
export function zombies(): Set<string> {
  return new Set(readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isZombie(name)));
}

/** How many descriptors a process has open; -1: it is gone. */
export function openDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return -1;
  }
}

function isZombie(pid: string): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false; // gone
  }
}
