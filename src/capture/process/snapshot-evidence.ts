// A snapshot of a running program as evidence: what it maps, holds open, stands in and names. The witness "snapshot".

import { matchPaths } from "../../closure/glob.ts";
import { isSweepable } from "../../closure/policy.ts";
import { machineTree } from "../../closure/tree.ts";
import type { ProcessSnapshot } from "../../discover/process-snapshot.ts";
import type { HeldListener, RunningProgram } from "../../discover/running-program.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { findPathStrings } from "../../formats/strings.ts";
import type { Program } from "../../package/descriptor.ts";
import { type Evidence, newEvidence, noteUse } from "../evidence/evidence.ts";
import { pathsInCommand, pathsInEnvironment } from "./command-words.ts";
import type { ProcessView } from "./process-view.ts";

export interface SnapshotEvidence {
  evidence: Evidence;
  /** Logs that it writes: not packed. */
  logs: Set<ByteString>;
  /** What a person should know. */
  notes: string[];
}

export async function evidenceOfSnapshot(
  program: RunningProgram,
  view: ProcessView,
): Promise<SnapshotEvidence> {
  const result: SnapshotEvidence = { evidence: newEvidence(), logs: new Set(), notes: [] };
  const { evidence } = result;
  for (const process of program.processes) {
    if (process.namespaces.mnt !== program.main.namespaces.mnt) {
      result.notes.push(
        `process ${process.pid} (${escapeBytes(process.name)}) has mounts of its own: its files are not taken; capture it by --pid`,
      );
      continue;
    }
    await addProcess(result, process, view);
  }
  for (const socket of program.listeners) addListener(evidence, socket, program.main.executable.path);
  evidence.records = evidence.paths.size;
  return result;
}

async function addProcess(
  result: SnapshotEvidence,
  process: ProcessSnapshot,
  view: ProcessView,
): Promise<void> {
  const { evidence } = result;
  const program = view.inside(process.executable.path) ?? process.executable.path;
  const use = (
    path: ByteString,
    kind: "mapped" | "directory" | "argument" | "variable" | "built-in",
  ): void => {
    noteUse(evidence, path, kind, program).found = true;
  };
  const known = evidence.programs.get(program);
  if (known === undefined) {
    evidence.programs.set(program, { path: program, argv: [...process.arguments], count: 1 });
    for (const path of await builtInConfiguration(view, program)) use(path, "built-in");
  } else known.count++;
  const within = (path: ByteString): ByteString | undefined =>
    inMemory(path) ? undefined : view.inside(path);
  for (const held of [process.executable, ...process.mapped]) {
    const path = within(held.path);
    if (path !== undefined) use(path, "mapped");
  }
  const directory = process.workingDirectory.deleted ? undefined : within(process.workingDirectory.path);
  const words = process.retitled
    ? process.arguments.flatMap((word) => word.split(/\s+/))
    : process.arguments.slice(1);
  for (const path of await existing(view, pathsInCommand(words, directory ?? "/"))) use(path, "argument");
  for (const path of await existing(view, pathsInEnvironment(process.environment))) use(path, "variable");
  addDescriptors(result, process, program, within);
  if (directory !== undefined && directory !== "/") {
    const used = [...evidence.paths.keys()].some((path) => path.startsWith(`${directory}/`));
    // An interpreter has read the modules that lie there long ago. Where a person happened to stand when he started it is no part of
    // the program: such a directory is taken, not what is in it.
    const own = used || (isSweepable(directory) && !ofPeople.test(directory));
    if (own) use(directory, "directory");
    else noteUse(evidence, directory, "chdir", program).found = true;
  }
}

const ofPeople = /^\/(home|root|tmp|var\/tmp|mnt|media)(\/|$)/;
const maxProgram = 256 << 20;
const configuration = /^\/(usr\/local\/)?etc\/.*(\.(conf|cnf|cfg|cf|ini|xml|ya?ml)|config)$/;

/** A server without a word of it on its command line reads the configuration whose name it was built with, long before we look. */
async function builtInConfiguration(view: ProcessView, program: ByteString): Promise<ByteString[]> {
  const { files } = view.machine;
  const bytes = await files.read(program, { maxBytes: maxProgram }).catch(() => undefined);
  if (bytes === undefined) return [];
  const named = findPathStrings(bytes).paths.filter((path) => configuration.test(path));
  const entries = await Promise.all(named.map((path) => files.stat(path, { follow: true })));
  return named.filter((_, index) => entries[index]?.kind === "file");
}

/** What the commands name that the package will start: the running program may have written a title over its own. */
export async function addNamedByCommands(
  result: SnapshotEvidence,
  programs: readonly Program[],
  view: ProcessView,
): Promise<void> {
  for (const { command, workingDirectory = "/" } of programs) {
    const words = command.flatMap((word) => encodeText(word).split(/\s+/));
    for (const path of await existing(view, pathsInCommand(words, encodeText(workingDirectory))))
      noteUse(result.evidence, path, "argument", encodeText(command[0] ?? "")).found = true;
  }
}

/** Words that name nothing are words; those with wildcards are patterns, which many programs fill in themselves. */
async function existing(view: ProcessView, words: readonly ByteString[]): Promise<ByteString[]> {
  const tree = machineTree(view.machine.files);
  const paths: ByteString[] = [];
  for (const word of words) {
    paths.push(word);
    if (/[*?[]/.test(word)) paths.push(...(await matchPaths(tree, word).catch(() => [])));
  }
  const found = await Promise.all(
    paths.map(
      async (path) => (await view.machine.files.resolve(path).catch(() => undefined))?.entry !== undefined,
    ),
  );
  return paths.filter((_, index) => found[index]);
}

function addDescriptors(
  result: SnapshotEvidence,
  process: ProcessSnapshot,
  program: ByteString,
  within: (path: ByteString) => ByteString | undefined,
): void {
  for (const held of process.descriptors) {
    if (held.kind !== "file") continue;
    const path = within(held.path);
    if (path === undefined) {
      if (!inMemory(held.path))
        result.notes.push(
          `process ${process.pid} (${escapeBytes(process.name)}) holds ${escapeBytes(held.path)}, which lies outside its root: not taken`,
        );
      continue;
    }
    if (isLog(path, held)) {
      noteLog(result, path, program);
      continue;
    }
    noteUse(result.evidence, path, held.writes ? "write" : "open", program).found = true;
  }
}

/** Its directory is taken, its content is made anew. */
export function noteLog(result: SnapshotEvidence, path: ByteString, program: ByteString): void {
  const seen = noteUse(result.evidence, path, "log", program);
  seen.found = true;
  seen.madeByRun = true;
  result.logs.add(path);
}

/** Written to its end only, by a name or in a directory that says so. What a program also reads is data. */
export function isLog(path: ByteString, held: { reads: boolean; writes: boolean; append: boolean }): boolean {
  if (!held.writes || held.reads) return false;
  if (/\/logs?\//.test(path)) return true;
  return held.append && /(^|[./_-])logs?([./_-]|$)|\.(out|err)$/i.test(path.slice(path.lastIndexOf("/") + 1));
}

/** Names that the kernel gives to memory; and devices, which a package's own /dev has. */
export function inMemory(path: ByteString): boolean {
  return (
    /^\/(memfd:|SYSV[0-9a-f]{8}|dev\/|proc\/|sys\/|\[aio\]|anon_hugepage|drm mm object|i915)/.test(path) ||
    path === ""
  );
}

function addListener(evidence: Evidence, socket: HeldListener, program: ByteString): void {
  if (socket.protocol === "unix") {
    if (!socket.path.startsWith("/")) return;
    const seen = noteUse(evidence, socket.path, "socket", program);
    seen.found = true;
    // The socket is made anew, its directory has to be there.
    seen.madeByRun = true;
    return;
  }
  const family = socket.protocol.endsWith("6") ? "inet6" : "inet";
  const protocol = socket.protocol.startsWith("tcp") ? "tcp" : "udp";
  const { address, port } = socket;
  const known = evidence.listeners.some(
    (one) => one.port === port && one.address === address && one.protocol === protocol,
  );
  if (!known && port > 0) evidence.listeners.push({ family, address, port, protocol });
}
