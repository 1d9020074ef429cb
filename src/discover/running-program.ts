// Finds a running program by what an operator knows of it, and takes its snapshot.
import { TranshipError } from "../base/errors.ts";
import { escapeBytes } from "../formats/escape.ts";
import { parseBootTime, startedAt } from "../formats/proc-process.ts";
import { parseProcStat } from "../formats/procfs.ts";
import type { Machine } from "../machine/machine.ts";
import { assignProcesses } from "./assign-processes.ts";
import type { ProcessFact, ServiceFact, SocketFact } from "./inventory.ts";
import { type ProcessSnapshot, readProcessSnapshot } from "./process-snapshot.ts";
import { readProcesses } from "./processes.ts";
import { outermost, programTree } from "./program-tree.ts";
import { findService, readServices } from "./services.ts";
import { readSockets } from "./sockets.ts";
import { Source } from "./source.ts";
import { readArchitecture } from "./system.ts";

export type Wanted =
  | { kind: "pid"; pid: number }
  | { kind: "service"; name: string }
  | { kind: "listening"; port: number };

/** A socket that the program listens on. */
export interface HeldListener extends SocketFact {
  /** Who made it, where the program got it from another process: that process, or 0 where it only shows by the descriptor. */
  givenBy: number | undefined;
  /** Its descriptor in the main process, where that holds it. */
  fd: number | undefined;
}

export interface RunningProgram {
  main: ProcessSnapshot;
  /** main is the first. */
  processes: ProcessSnapshot[];
  listeners: HeldListener[];
  /** The machine's own service that this is, where that is certain. */
  service: ServiceFact | undefined;
  /** Of main: milliseconds since the epoch; undefined where the machine does not tell when it started. */
  startedAt: number | undefined;
}

/** E_PROCESS_NOT_FOUND where nothing fits, E_USAGE where several do, E_NEEDS_ROOT where its files are hidden from this user. */
export async function findRunningProgram(
  machine: Machine,
  wanted: Wanted,
  own: ReadonlySet<number>,
): Promise<RunningProgram> {
  const source = new Source(machine.files);
  if (!machine.live) throw notLive(machine);
  const { processes, socketOwners } = await readProcesses(source);
  const { littleEndian } = await readArchitecture(source);
  const services = await readServices(source);
  await assignProcesses(source, services, processes);
  const network = new Networks(source, socketOwners, littleEndian);
  const seeds = await seedsOf(wanted, { machine, processes, services, network });
  const trees = new Map<number, number[]>();
  for (const seed of seeds) {
    const sockets = await network.of(seed);
    const listening = new Map(sockets.map((socket) => [socket.inode, socket.pids]));
    const tree = programTree(seed, { processes, listening, own });
    trees.set(tree.main, tree.members);
  }
  const [main, members] = await oneOf(outermost(trees, processes), wanted, { source, services, processes });
  const snapshots: ProcessSnapshot[] = [];
  for (const pid of members) {
    const snapshot = await readProcessSnapshot(source, pid);
    if (snapshot !== undefined) snapshots.push(snapshot);
  }
  const first = snapshots[0];
  if (first?.pid !== main) throw ended(machine, main);
  if (first.unread.some((name) => name === "exe" || name === "fd" || name === "maps"))
    throw new TranshipError("E_NEEDS_ROOT", `process ${main} keeps its files from this user`, {
      hint: "run as root, or as the user who runs it",
    });
  const boot = parseBootTime((await source.text("/proc/stat", 4 << 20)) ?? "");
  return {
    main: first,
    processes: snapshots,
    listeners: heldListeners(await network.of(main), snapshots),
    service: await serviceOf(wanted, first, services, source),
    startedAt: boot === undefined ? undefined : startedAt(boot, first.startTime),
  };
}

/** Who reads a far machine there, and whom that descends from: when the program is the server that let us in, they are not of it. */
export async function readersOf(machine: Machine): Promise<ReadonlySet<number>> {
  const source = new Source(machine.files);
  const readers = new Set<number>();
  let pid = Number((await source.stat("/proc/self"))?.target);
  while (pid > 1 && !readers.has(pid)) {
    readers.add(pid);
    pid = parseProcStat((await source.text(`/proc/${pid}/stat`)) ?? "")?.ppid ?? 0;
  }
  return readers;
}

/** The same processes once more: those that have ended are left out. E_PROCESS_NOT_FOUND where main has. */
export async function snapshotAgain(machine: Machine, program: RunningProgram): Promise<RunningProgram> {
  const source = new Source(machine.files);
  const processes: ProcessSnapshot[] = [];
  for (const known of program.processes) {
    const now = await readProcessSnapshot(source, known.pid);
    if (now !== undefined && now.startTime === known.startTime) processes.push(now);
  }
  const [main] = processes;
  if (main?.pid !== program.main.pid) throw ended(machine, program.main.pid);
  return { ...program, main, processes };
}

export function notLive(machine: Machine): TranshipError {
  return new TranshipError("E_MACHINE_UNKNOWN", `nothing runs on ${machine.address}`, {
    hint: "capture process needs a machine that runs, such as local:; for this one use capture run, installed or machine",
  });
}

export function ended(machine: Machine, pid: number): TranshipError {
  return new TranshipError(
    "E_PROCESS_NOT_FOUND",
    `process ${pid} of ${machine.address} ended while it was looked at`,
    {
      hint: "is it started anew again and again? name it by --service or --listening",
    },
  );
}

interface Surroundings {
  machine: Machine;
  processes: readonly ProcessFact[];
  services: readonly ServiceFact[];
  network: Networks;
}

async function seedsOf(wanted: Wanted, around: Surroundings): Promise<number[]> {
  const { machine, processes } = around;
  switch (wanted.kind) {
    case "pid":
      if (processes.some((one) => one.pid === wanted.pid)) return [wanted.pid];
      throw new TranshipError("E_PROCESS_NOT_FOUND", `no process ${wanted.pid} runs on ${machine.address}`, {
        hint: "`tranship discover` lists processes; threads of the kernel are none",
      });
    case "service":
      return serviceSeeds(wanted.name, around);
    case "listening":
      return await listenerSeeds(wanted.port, around);
  }
}

function serviceSeeds(name: string, { machine, services }: Surroundings): number[] {
  const service = findService(services, name);
  if (service === undefined)
    throw new TranshipError(
      "E_SERVICE_NOT_FOUND",
      `no service ${JSON.stringify(name)} on ${machine.address}`,
      {
        hint: "`tranship discover` lists services; a program without one is named by --pid or --listening",
      },
    );
  if (service.pids.length > 0) return service.pids;
  throw new TranshipError(
    "E_PROCESS_NOT_FOUND",
    `the service ${service.name} does not run on ${machine.address}`,
    {
      hint: "start it, or use capture run --service, which starts it in a sandbox",
    },
  );
}

async function listenerSeeds(port: number, { machine, processes, network }: Surroundings): Promise<number[]> {
  const holders = (sockets: readonly SocketFact[]): number[] =>
    sockets.filter((socket) => socket.port === port).flatMap((socket) => socket.pids);
  let pids = holders(await network.own());
  if (pids.length === 0) {
    const others = await network.others(processes);
    pids = others.flatMap(holders);
  }
  const programs = [...new Set(pids)];
  const withoutGivers = programs.filter((pid) => !isGiver(processes.find((one) => one.pid === pid)));
  if (withoutGivers.length > 0) return withoutGivers;
  if (programs.length > 0)
    throw new TranshipError(
      "E_PROCESS_NOT_FOUND",
      `port ${port} of ${machine.address} is held by process ${programs.join(", ")}, which starts the program when somebody connects`,
      {
        hint: "connect to it once, so that the program runs, or name its service with capture run --service",
      },
    );
  throw new TranshipError("E_PROCESS_NOT_FOUND", `nothing listens on port ${port} of ${machine.address}`, {
    hint: "`tranship discover` lists listening sockets and who holds them",
  });
}

/** Opens sockets for others: systemd, inetd. */
function isGiver(process: ProcessFact | undefined): boolean {
  if (process === undefined) return true;
  return process.pid === 1 || /\/(systemd|x?inetd|systemd-socket-activate)$/.test(process.executable);
}

/** Sockets by network namespace, each table read once. */
class Networks {
  readonly #source: Source;
  readonly #owners: ReadonlyMap<string, number[]>;
  readonly #littleEndian: boolean;
  readonly #known = new Map<string, Promise<SocketFact[]>>();

  constructor(source: Source, owners: ReadonlyMap<string, number[]>, littleEndian: boolean) {
    this.#source = new Source(source.files);
    this.#owners = owners;
    this.#littleEndian = littleEndian;
  }

  own(): Promise<SocketFact[]> {
    return this.of("self");
  }

  async of(pid: number | "self"): Promise<SocketFact[]> {
    const name = await this.#nameOf(pid);
    let sockets = this.#known.get(name);
    if (sockets === undefined) {
      const tables = pid === "self" ? "/proc/net" : `/proc/${pid}/net`;
      sockets = readSockets(this.#source, this.#owners, this.#littleEndian, tables);
      this.#known.set(name, sockets);
    }
    return await sockets;
  }

  async others(processes: readonly ProcessFact[]): Promise<SocketFact[][]> {
    const first = new Map<string, number>();
    for (const { pid } of processes) {
      const name = await this.#nameOf(pid);
      if (name !== "" && !first.has(name)) first.set(name, pid);
    }
    return await Promise.all([...first.values()].slice(0, 256).map((pid) => this.of(pid)));
  }

  async #nameOf(pid: number | "self"): Promise<string> {
    return (await this.#source.stat(`/proc/${pid}/ns/net`))?.target ?? "";
  }
}

/** Of several programs that fit the one whose main process the service's pid file names. */
async function oneOf(
  all: readonly [number, number[]][],
  wanted: Wanted,
  {
    source,
    services,
    processes,
  }: { source: Source; services: readonly ServiceFact[]; processes: readonly ProcessFact[] },
): Promise<[number, number[]]> {
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  if (wanted.kind === "service") {
    const service = findService(services, wanted.name);
    const pid = service === undefined ? undefined : await pidInFile(source, service.pidFile);
    const named = all.find(([main]) => main === pid);
    if (named !== undefined) return named;
  }
  const what = wanted.kind === "service" ? `service ${wanted.name}` : "what was asked for";
  throw new TranshipError(
    "E_USAGE",
    `several running programs fit ${what}: ${all.map(([main]) => described(main, processes)).join(", ")}`,
    {
      hint: "name one with --pid",
    },
  );
}

function described(pid: number, processes: readonly ProcessFact[]): string {
  const words = processes.find((one) => one.pid === pid)?.arguments ?? [];
  return `process ${pid} (${escapeBytes(words.join(" ").slice(0, 80))})`;
}

async function pidInFile(source: Source, path: string): Promise<number | undefined> {
  if (!path.startsWith("/")) return undefined;
  const text = await new Source(source.files).line(path);
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** Certain are: it was asked for by that name, its control group, its pid file. The same program alone is not: it may be another one's. */
async function serviceOf(
  wanted: Wanted,
  main: ProcessSnapshot,
  services: readonly ServiceFact[],
  source: Source,
): Promise<ServiceFact | undefined> {
  if (wanted.kind === "service") return findService(services, wanted.name);
  if (main.service !== "") return services.find((one) => one.name === main.service);
  for (const service of services) {
    if (service.template || !service.pids.includes(main.pid)) continue;
    if ((await pidInFile(source, service.pidFile)) === main.pid) return service;
  }
  return undefined;
}

function heldListeners(sockets: readonly SocketFact[], members: readonly ProcessSnapshot[]): HeldListener[] {
  const pids = new Set(members.map((one) => one.pid));
  const main = members[0];
  return sockets
    .filter((socket) => socket.pids.some((pid) => pids.has(pid)))
    .map((socket) => {
      const fd = main?.descriptors.find((one) => one.kind === "socket" && one.inode === socket.inode)?.fd;
      return { ...socket, fd, givenBy: giverOf(socket, pids, main, fd) };
    });
}

/** Standard input is a listening socket under inetd; from descriptor 3 on there are those of LISTEN_FDS. */
function giverOf(
  socket: SocketFact,
  members: ReadonlySet<number>,
  main: ProcessSnapshot | undefined,
  fd: number | undefined,
): number | undefined {
  const outside = socket.pids.find((pid) => !members.has(pid));
  if (outside !== undefined) return outside;
  if (main === undefined || fd === undefined) return undefined;
  const announced = Number(main.environment.LISTEN_FDS ?? 0);
  const listed = main.environment.LISTEN_PID === String(main.innerPid) && fd >= 3 && fd < 3 + announced;
  return listed || fd === 0 ? 0 : undefined;
}
