// An inventory as text for people.
import { formatSize } from "../base/units.ts";
import { isBootScript } from "./boot-scripts.ts";
import type { Inventory, ProcessFact, ServiceFact, SocketFact } from "./inventory.ts";
import { processName } from "./processes.ts";
import { show, table, title } from "./table.ts";

const maxRows = 200;

export interface RenderOptions {
  /** Everything: system services too, no row limit. */
  all?: boolean;
}

export function renderInventory(inventory: Inventory, options: RenderOptions = {}): string {
  const limit = options.all === true ? Number.POSITIVE_INFINITY : maxRows;
  const parts = [
    renderSystem(inventory),
    renderServices(inventory, options.all === true),
    inventory.sockets.length > 0 ? renderSockets(inventory, limit) : renderListeners(inventory),
    renderSchedules(inventory, limit),
    inventory.machine.live ? renderProcesses(inventory, limit) : "",
    renderInstalled(inventory),
    renderUsers(inventory, limit),
    renderFileSystems(inventory),
    renderNotes(inventory),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function renderSystem(inventory: Inventory): string {
  const { os, kernel, architecture, identity, machine } = inventory;
  const rows: [string, string][] = [
    ["machine", `${show(machine.address)}${machine.live ? " (running)" : " (not running)"}`],
    ["system", show(os.name || os.release || "unknown")],
    ["architecture", show(architecture.name || "unknown")],
    [
      "kernel",
      kernel.running === null
        ? show(kernel.installed.join(", ") || "none installed")
        : show(kernel.running.release),
    ],
    ["host name", show([identity.hostname, identity.domain].filter(Boolean).join(", domain ") || "not set")],
    ["addresses", show(identity.addresses.join(", ") || "none configured")],
    ["hardware addresses", show(identity.macAddresses.join(", ") || "none found")],
    ["machine id", show(identity.machineId || "none")],
    ["host id", show(identity.hostId || "none")],
    ["DMI", show(dmiText(identity.dmi) || "not visible")],
    ["time zone", show(identity.timezone || "not set")],
    ["locale", show(identity.locale || "not set")],
  ];
  return `${title("machine")}\n${table([], rows)}`;
}

function dmiText(dmi: Inventory["identity"]["dmi"]): string {
  const words = [dmi.sys_vendor, dmi.product_name, dmi.product_serial && `serial ${dmi.product_serial}`];
  return words.filter((word) => word !== undefined && word !== "").join(", ");
}

function renderServices(inventory: Inventory, all: boolean): string {
  const services = inventory.services.filter((service) => all || isNoteworthy(service));
  const left = inventory.services.length - services.length;
  const rows = services.map((service) => [
    show(service.name, 40),
    service.manager,
    service.state,
    service.pids.length > 0 ? `running ${service.pids.slice(0, 3).join(",")}` : "-",
    show(service.user || "root", 20),
    show(startsOf(service), 60),
  ]);
  const more = left > 0 ? `\n  and ${left} of the system itself, templates or not enabled` : "";
  if (rows.length === 0) return `${title("services", 0)}\n  none found${more}`;
  return `${title("services", rows.length)}\n${table(["NAME", "MANAGER", "STATE", "PROCESSES", "USER", "STARTS"], rows)}${more}`;
}

/** Of a script of the boot what it starts, which no other service tells. */
function startsOf(service: ServiceFact): string {
  const { start } = service.exec;
  return isBootScript(service) ? start.slice(1).join("; ") : (start.at(-1) ?? "");
}

/** What a person would call a service: running or enabled, and not plumbing of the system. */
export function isNoteworthy(service: ServiceFact): boolean {
  if (service.template || service.state === "masked") return false;
  if (service.pids.length > 0) return true;
  if (isBootScript(service)) return service.state === "enabled" && service.exec.start.length > 1;
  if (service.state !== "enabled" && service.manager !== "supervisor") return false;
  return (
    service.type !== "oneshot" &&
    !/^(systemd-|getty|serial-getty|console-getty|e2scrub|kmod|dbus$|hwclock|procps|udev|keyboard|console-setup|plymouth|initrd)/.test(
      service.name,
    )
  );
}

function renderSockets(inventory: Inventory, limit: number): string {
  const names = new Map(inventory.processes.map((process) => [process.pid, process]));
  const owner = (socket: SocketFact): string => {
    const process = names.get(socket.pids[0] ?? -1);
    return process === undefined ? "-" : `${show(processName(process), 30)} ${process.pid}`;
  };
  const rows = inventory.sockets
    .slice(0, limit)
    .map((socket) => [
      socket.protocol,
      socket.protocol === "unix" ? show(socket.path, 80) : `${socket.address}:${socket.port}`,
      owner(socket),
    ]);
  return `${title("listening sockets", inventory.sockets.length)}\n${table(["PROTOCOL", "ADDRESS", "PROCESS"], rows)}`;
}

function renderListeners(inventory: Inventory): string {
  const rows = inventory.listeners.map((listener) => [
    show(listener.kind),
    listener.path === "" ? `${listener.address || "*"}:${listener.port}` : show(listener.path, 80),
    show(listener.from[0] ?? "", 80),
  ]);
  if (rows.length === 0) return "";
  return `${title("configured listeners", rows.length)}\n${table(["PROGRAM", "ADDRESS", "FROM"], rows)}`;
}

function renderSchedules(inventory: Inventory, limit: number): string {
  const rows = inventory.schedules
    .slice(0, limit)
    .map((each) => [
      each.kind,
      show(each.when, 30),
      show(each.user, 16),
      show(each.command || each.service, 70),
    ]);
  if (rows.length === 0) return "";
  const more =
    inventory.schedules.length > rows.length
      ? `\n  and ${inventory.schedules.length - rows.length} more`
      : "";
  return `${title("schedules", inventory.schedules.length)}\n${table(["KIND", "WHEN", "USER", "RUNS"], rows)}${more}`;
}

function renderProcesses(inventory: Inventory, limit: number): string {
  const row = (process: ProcessFact): string[] => [
    String(process.pid),
    show(
      inventory.users.find((user) => user.uid === process.uids[1])?.name ?? String(process.uids[1] ?? "?"),
      16,
    ),
    formatSize(process.residentKib * 1024),
    show(process.service || "-", 30),
    show(process.arguments.join(" ") || process.name, 70),
  ];
  const rows = inventory.processes.slice(0, limit).map(row);
  return `${title("processes", inventory.processes.length)}\n${table(["PID", "USER", "MEMORY", "SERVICE", "COMMAND"], rows)}`;
}

function renderInstalled(inventory: Inventory): string {
  const { database, packages, readable, from } = inventory.installed;
  const count = readable ? String(packages.length) : "cannot be read";
  return `${title("installed packages")}\n  ${database === "none" ? "no database found" : `${database}: ${count} (${show(from[0] ?? "")})`}`;
}

function renderUsers(inventory: Inventory, limit: number): string {
  const people = inventory.users.filter((user) => user.login).slice(0, limit);
  const rows = people.map((user) => [
    show(user.name, 32),
    String(user.uid),
    show(user.home, 50),
    show(user.shell, 40),
  ]);
  const counts = `${inventory.users.length} users, ${inventory.groups.length} groups; with a login shell:`;
  return `${title("users")}\n  ${counts}\n${table(["NAME", "UID", "HOME", "SHELL"], rows)}`;
}

function renderFileSystems(inventory: Inventory): string {
  const { mounted, configured, swaps, automounts } = inventory.fileSystems;
  const mounts = mounted.length > 0 ? mounted : configured;
  const rows = mounts.map((mount) => [
    show(mount.mountPoint, 60),
    mount.type,
    show(mount.source, 40),
    mount.size === null || mount.free === null
      ? "-"
      : `${formatSize(mount.size - mount.free)} of ${formatSize(mount.size)}`,
  ]);
  if (rows.length + swaps.length + automounts.length === 0) return "";
  const swap = swaps.length > 0 ? `\n  swap: ${swaps.map((each) => show(each)).join(", ")}` : "";
  const auto =
    automounts.length > 0 ? `\n  automounts: ${automounts.map((each) => show(each)).join(", ")}` : "";
  return `${title("file systems", rows.length)}\n${table(["MOUNTED ON", "TYPE", "SOURCE", "USED"], rows)}${swap}${auto}`;
}

function renderNotes(inventory: Inventory): string {
  if (inventory.notes.length === 0) return "";
  const rows = inventory.notes.slice(0, 50).map((note) => [show(note.subject, 70), show(note.text, 160)]);
  const more = inventory.notes.length > 50 ? `\n  and ${inventory.notes.length - 50} more` : "";
  return `${title("not read", inventory.notes.length)}\n${table([], rows)}${more}`;
}
