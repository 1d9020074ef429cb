// A line of `ps`, by the names that docker's templates have.
import { statSync } from "node:fs";
import { formatAge } from "../../base/units.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { ListedInstance } from "../../runtime/find.ts";
import { healthOf } from "../../runtime/health/seen.ts";
import { networksOf } from "../../runtime/network/attachments.ts";
import { describePorts } from "../../runtime/network/ports.ts";
import { isPaused } from "../../runtime/pause.ts";
import { bytesBelow } from "../../runtime/usage/bytes.ts";
import { humanSize } from "../amounts.ts";

export interface Row {
  ID: string;
  Image: string;
  Command: string;
  CreatedAt: string;
  RunningFor: string;
  Status: string;
  State: string;
  Ports: string;
  Names: string;
  Labels: Readonly<Record<string, string>>;
  Mounts: string;
  Networks: string;
  LocalVolumes: string;
  Engine: string;
  /** Of what it wrote, and with its package; "" where nobody asked. */
  Size: string;
}

export function rowOf(root: StateRoot, one: ListedInstance, wishes: { whole: boolean; size: boolean }): Row {
  const { record, status } = one;
  const { whole } = wishes;
  const command = record.command.length === 0 ? "(services)" : record.command.join(" ");
  const ports = status.state === "running" ? (status.launch?.ports ?? []) : [];
  const volumes = record.mounts.filter((mount) => mount.kind === "volume");
  return {
    ID: whole ? record.id : record.id.slice(0, 12),
    Image: record.image.reference,
    Command: JSON.stringify(whole || command.length <= 20 ? command : `${command.slice(0, 19)}…`),
    CreatedAt: record.createdAt,
    RunningFor: `${formatAge(Date.now() - Date.parse(record.createdAt))} ago`,
    Status: describeStatus(one),
    State: shownState(one),
    Ports: describePorts(ports),
    Names: record.name,
    Labels: record.labels,
    Mounts: record.mounts.map((mount) => (mount.kind === "tmpfs" ? mount.target : mount.source)).join(","),
    Networks: networksOf(record).join(","),
    LocalVolumes: String(volumes.length),
    Engine: record.engine,
    Size: wishes.size ? sizeOf(root, one) : "",
  };
}

/** Docker's words: paused and restarting are states of their own to those who look. */
export function shownState(one: ListedInstance): string {
  const { state, launch } = one.status;
  if (state === "running" && isPaused(one)) return "paused";
  return state === "starting" && launch?.byRule === true ? "restarting" : state;
}

function describeStatus(one: ListedInstance): string {
  const { status } = one;
  const since = (time: string | undefined): string => formatAge(Date.now() - Date.parse(time ?? ""));
  const ended = (): string => (status.endedAt === undefined ? "" : ` ${since(status.endedAt)} ago`);
  switch (shownState(one)) {
    case "created":
      return "Created";
    case "starting":
      return "Starting";
    case "restarting":
      return `Restarting ${since(status.launch?.startedAt)} ago`;
    case "running":
      return `Up ${since(status.launch?.startedAt)}${one.record.engine === "inprocess" ? " (in process)" : ""}${healthWord(one)}`;
    case "paused":
      return `Up ${since(status.launch?.startedAt)} (Paused)`;
    default:
      return `Exited (${status.exitStatus ?? "unknown"})${ended()}`;
  }
}

function healthWord(one: ListedInstance): string {
  const health = healthOf(one);
  if (health === undefined) return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}

function sizeOf(root: StateRoot, one: ListedInstance): string {
  const { own, whole } = sizesOf(root, one);
  return one.record.engine === "inprocess"
    ? humanSize(own)
    : `${humanSize(own)} (virtual ${humanSize(whole)})`;
}

/** Bytes that are the instance's own, and all that it has. */
export function sizesOf(root: StateRoot, { record, paths }: ListedInstance): { own: number; whole: number } {
  if (record.engine === "inprocess") {
    const all = bytesBelow(paths.tree);
    return { own: all, whole: all };
  }
  const disk = statSync(paths.diskImage, { throwIfNoEntry: false });
  const own = disk === undefined ? bytesBelow(paths.upper) : disk.blocks * 512;
  const layers = record.image.diffIds.map((id) =>
    bytesBelow(`${root.layers}/${id.slice(id.indexOf(":") + 1)}/fs`),
  );
  return { own, whole: layers.reduce((sum, bytes) => sum + bytes, own) };
}
