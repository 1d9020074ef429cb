// native/breaches, which tells when an instance comes up against its limits or is unhealthy: what it is started with, and what it wrote down.

import { cgroupMode } from "../../host/cgroup.ts";
import { readText } from "../../host/files.ts";
import { nativePath } from "../../host/native.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { eventFile, instanceEvent } from "../events/note.ts";
import type { Instance } from "../find.ts";
import { deviceName } from "../network/devices.ts";
import type { InstanceRecord } from "../record.ts";
import { hasDisk } from "./disk.ts";
import { instanceGroup } from "./groups.ts";

/** Its command line but for the pid of the OCI runtime; undefined where there is nothing to watch. */
export function watcherOf(root: StateRoot, { paths, record }: Instance): string[] | undefined {
  const { limits, network } = record;
  const files = (limits.ulimits ?? []).some((one) => one.name === "nofile");
  const groups = groupsOf(record, files);
  const bridged = network.mode === "bridge";
  const others = [
    ...(hasDisk(limits) ? ["--disk", paths.disk] : []),
    ...(bridged && limits.ingress ? ["--device", deviceName(record.id, 0)] : []),
    ...(bridged && limits.egress ? ["--sends"] : []),
    ...(files ? ["--files"] : []),
    ...(record.health === undefined ? [] : healthWords(paths.run, record)),
  ];
  if (groups.length === 0 && others.length === 0) return undefined;
  return [
    nativePath("breaches"),
    ...["--events", eventFile(root), "--log", paths.breaches],
    ...["--breach", headOf(record, "breach"), "--oom", headOf(record, "oom")],
    ...groups.flatMap((group) => ["--group", group]),
    ...others,
  ];
}

/** Its events, up to their time, and the file that tells which. */
function healthWords(run: string, record: InstanceRecord): string[] {
  const event = (status: string): string =>
    JSON.stringify(instanceEvent(record, `health_status: ${status}`)).slice(0, -1);
  return ["--health", `${run}/health`, "--healthy", event("healthy"), "--unhealthy", event("unhealthy")];
}

/** An event up to its last attribute: "...}}" without its two last characters. */
function headOf(record: InstanceRecord, action: string): string {
  return JSON.stringify(instanceEvent(record, action)).slice(0, -2);
}

/** Directories of the control groups that count what is limited. */
function groupsOf({ id, limits }: InstanceRecord, files: boolean): string[] {
  const wanted = [
    ...(limits.memory === null ? [] : ["memory"]),
    ...(limits.pids === null ? [] : ["pids"]),
    ...(limits.cpus === null ? [] : ["cpu"]),
  ];
  if (files && wanted.length === 0) wanted.push("pids");
  if (wanted.length === 0) return [];
  return cgroupMode()
    .hierarchies.filter((one) => one.controllers.some((name) => wanted.includes(name)))
    .map((one) => `${one.path}/${instanceGroup(id)}`);
}

export interface Breach {
  time: string;
  /** memory, pids, cpu, disk, ingress, egress, files */
  limit: string;
  count: number;
  /** Memory and files: which process, as the host numbers it. */
  pid?: string;
  task?: string;
}

/** Of all its runs, oldest first, or from a byte of what is written down on. A line that was cut (a full disk) is left out. */
export function breachesOf({ paths }: Instance, from = 0): Breach[] {
  return (readText(paths.breaches) ?? "")
    .slice(from)
    .split("\n")
    .flatMap((line) => {
      try {
        const value = JSON.parse(line) as Breach;
        return typeof value.limit === "string" && typeof value.count === "number" ? [value] : [];
      } catch {
        return [];
      }
    });
}
