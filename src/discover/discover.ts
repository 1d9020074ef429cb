// One pass over a machine: everything that later steps ask about, with where it was found.
import type { Log } from "../base/log.ts";
import { encodeText } from "../formats/escape.ts";
import type { Machine } from "../machine/machine.ts";
import { assignProcesses } from "./assign-processes.ts";
import { readFileSystems } from "./file-systems.ts";
import { readIdentity } from "./identity.ts";
import { readInstalled } from "./installed.ts";
import { type Inventory, inventoryVersion } from "./inventory.ts";
import { readListeners } from "./listeners.ts";
import { type FoundProcesses, readProcesses } from "./processes.ts";
import { readSchedules } from "./schedules.ts";
import { readServices } from "./services.ts";
import { readSockets } from "./sockets.ts";
import { Source } from "./source.ts";
import { readArchitecture, readKernel, readOs } from "./system.ts";
import { UnitTree } from "./unit-tree.ts";
import { readUsers } from "./users.ts";

export interface DiscoverOptions {
  log?: Log;
}

/** Reads only; nothing is started or changed on the machine. */
export async function discover(machine: Machine, options: DiscoverOptions = {}): Promise<Inventory> {
  const source = new Source(machine.files);
  const { log } = options;
  for (const note of machine.notes) source.note(encodeText(machine.address), note);
  log?.debug("discover: system");
  const architecture = await readArchitecture(source);
  const os = await readOs(source);
  const kernel = await readKernel(machine, source);
  const identity = await readIdentity(machine, source);
  log?.debug("discover: services and schedules");
  const tree = await UnitTree.open(source);
  const services = await readServices(source, tree);
  const schedules = await readSchedules(source, tree);
  log?.debug("discover: processes and sockets");
  const found = machine.live ? await readProcesses(source) : nothingRuns();
  const sockets = machine.live
    ? await readSockets(source, found.socketOwners, architecture.littleEndian)
    : [];
  await assignProcesses(source, services, found.processes);
  log?.debug("discover: installed packages, users, file systems");
  return {
    schema: "tranship/inventory",
    version: inventoryVersion,
    machine: { address: machine.address, kind: machine.kind, live: machine.live },
    os,
    kernel,
    architecture,
    identity,
    services,
    schedules,
    processes: found.processes,
    sockets,
    listeners: await readListeners(source),
    installed: await readInstalled(source),
    ...(await readUsers(source)),
    fileSystems: await readFileSystems(machine, source),
    notes: source.notes,
  };
}

function nothingRuns(): FoundProcesses {
  return { processes: [], socketOwners: new Map(), kernelThreads: 0 };
}
