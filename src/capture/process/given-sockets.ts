// Sockets that a running program was given: by socket activation, inetd, or a manager of its own. In a package init gives them.
import type { HeldListener, RunningProgram } from "../../discover/running-program.ts";
import { inetAddress } from "../../discover/unit-sockets.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Descriptor, ServiceSocket } from "../../package/descriptor.ts";
import { exactText, pathText } from "../application/descriptor-text.ts";
import type { ProcessView } from "./process-view.ts";

export interface GivenSockets {
  sockets: ServiceSocket[];
  /** Were given to it in a way that init knows, and so are in the package. */
  told: string[];
  /** What the package cannot give, or gives in another way. */
  notes: string[];
}

export async function givenSockets(program: RunningProgram, view: ProcessView): Promise<GivenSockets> {
  const given: GivenSockets = { sockets: [], told: [], notes: [] };
  const wanted = announced(program);
  const held = new Map(program.listeners.map((one) => [one.fd, one]));
  const missing = wanted.filter((fd) => held.get(fd) === undefined);
  for (const fd of missing)
    given.notes.push(
      `it was given descriptor ${fd} by LISTEN_FDS, which is no listening socket: the package gives it none of its sockets`,
    );
  const taken = missing.length > 0 ? [] : wanted.flatMap((fd) => held.get(fd) ?? []);
  for (const [index, one] of taken.entries()) await add(one, index, { program, view, given });
  for (const one of program.listeners)
    if (one.givenBy !== undefined && !taken.includes(one)) given.notes.push(untaken(one));
  return given;
}

/**
 * The running program is right: what it was given it is given again. Names, modes and owners are those of its recipe where that knows
 * as many sockets. Returns what the recipe has beyond that as a note.
 */
export function withGivenSockets(descriptor: Descriptor, given: GivenSockets): Descriptor {
  const last = descriptor.services.at(-1);
  if (last === undefined) return descriptor;
  const { sockets: known = [], readiness, ...rest } = last;
  if (known.length > 0 && given.sockets.length === 0)
    given.notes.push(
      `${known.map((one) => one.listen).join(", ")}: opened for the service by its machine, and not held by the running program: the package leaves it to the program`,
    );
  const sockets = known.length === given.sockets.length ? known : given.sockets;
  // What init opens is there before the program is.
  const port = readiness?.port;
  const early = port !== undefined && sockets.some((one) => one.listen.endsWith(`:${port}`));
  const service = {
    ...rest,
    ...(readiness === undefined || early ? {} : { readiness }),
    ...(sockets.length === 0 ? {} : { sockets }),
  };
  return { ...descriptor, services: [...descriptor.services.slice(0, -1), service] };
}

/** Descriptors in the order in which they are given: those of LISTEN_FDS, else a listening socket as standard input. */
function announced({ main, listeners }: RunningProgram): number[] {
  const count = Number(main.environment.LISTEN_FDS ?? 0);
  if (main.environment.LISTEN_PID === String(main.innerPid) && count > 0 && count <= 64)
    return Array.from({ length: count }, (_, index) => 3 + index);
  return listeners.some((one) => one.fd === 0) ? [0] : [];
}

interface Into {
  program: RunningProgram;
  view: ProcessView;
  given: GivenSockets;
}

async function add(one: HeldListener, index: number, { program, view, given }: Into): Promise<void> {
  const { main } = program;
  const name = (main.environment.LISTEN_FDNAMES ?? "").split(":")[index] ?? "";
  const socket: ServiceSocket = {
    ...(await addressOf(one, view, given)),
    ...(one.fd === 0 ? { given: "input" } : {}),
    ...(name === "" || name === "unknown" ? {} : { name: exactText(name, "the name of a socket") }),
  };
  given.sockets.push(socket);
  given.told.push(
    `the socket ${nameOf(one)} was opened by ${giverOf(one)}: in the package init opens it and gives it to the program`,
  );
}

async function addressOf(one: HeldListener, view: ProcessView, given: GivenSockets): Promise<ServiceSocket> {
  if (one.protocol !== "unix") {
    const { listen, note } = inetAddress(one.address, one.port);
    if (note !== undefined) given.notes.push(note);
    return { listen, ...(one.protocol.startsWith("udp") ? { type: "datagram" as const } : {}) };
  }
  const listen = pathText(one.path);
  if (listen.startsWith("@")) return { listen };
  const entry = await view.machine.files.stat(one.path);
  const owned = entry === undefined ? {} : { uid: entry.uid, gid: entry.gid };
  const mode = entry === undefined ? {} : { mode: `0${(entry.mode & 0o777).toString(8).padStart(3, "0")}` };
  return { listen, ...mode, ...owned };
}

function untaken(one: HeldListener): string {
  return `the socket ${nameOf(one)} was opened by ${giverOf(one)}, in a way that an instance does not have: the program must be able to open it itself`;
}

function nameOf(one: HeldListener): string {
  return one.protocol === "unix" ? escapeBytes(one.path) : `${one.protocol} ${one.address}:${one.port}`;
}

function giverOf(one: HeldListener): string {
  return one.givenBy === 0 || one.givenBy === undefined ? "whoever started it" : `process ${one.givenBy}`;
}
