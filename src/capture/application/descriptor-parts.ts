// Parts of the descriptor that only evidence and files can tell: directories below /run, ports, volumes; and how its programs are started.
import { formatSize } from "../../base/units.ts";
import { followData } from "../../closure/data-places.ts";
import type { ProgramStart } from "../../closure/program-start.ts";
import { Tree } from "../../closure/tree.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText, unescapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor, RuntimeDirectory, Volume } from "../../package/descriptor.ts";
import { dataReason } from "../data/data-directories.ts";
import { dataDirectories } from "../data/volumes.ts";
import { type Evidence, writingUses } from "../evidence/evidence.ts";
import { isLoopback } from "../evidence/reduce.ts";
import type { PlanRequest } from "../plan/make-plan.ts";
import { parentOf } from "../seeds/seeds.ts";
import { pathText } from "./descriptor-text.ts";

/** What a boot makes anew; what is below was written by what runs no more. */
const madeAnew = /^\/(run|var\/run|var\/lock)(\/|$)/;

/**
 * Directories below /run that the application used and that the source has: a fresh /run does not. Where it wrote while it was watched
 * the directory is emptied at each start: a pid file or a socket of an earlier run would be taken for something that runs.
 */
export async function runtimeDirectories(
  machine: Machine,
  evidence: Evidence | undefined,
  known: readonly RuntimeDirectory[],
): Promise<RuntimeDirectory[]> {
  const found = new Map<ByteString, RuntimeDirectory>(known.map((one) => [encodeText(one.path), one]));
  for (const [path, seen] of evidence?.paths ?? []) {
    if (!seen.found || !/^\/(var\/)?(run|lock)\/./.test(path)) continue;
    const { entry } = await machine.files.resolve(seen.madeByRun ? parentOf(path) : path);
    if (entry?.kind === "directory" && /^\/run\/./.test(entry.path) && !found.has(entry.path))
      found.set(entry.path, described(entry));
    if (!writingUses.some((use) => seen.uses.has(use))) continue;
    const written = await emptiedFor(machine, path, found);
    if (written !== undefined) found.set(encodeText(written.path), { ...written, empty: true });
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function described(entry: Entry): RuntimeDirectory {
  return { path: pathText(entry.path), mode: `0${entry.mode.toString(8)}`, uid: entry.uid, gid: entry.gid };
}

/** The directory that has a written path: the nearest one that is there when the application starts. */
async function emptiedFor(
  machine: Machine,
  path: ByteString,
  known: ReadonlyMap<ByteString, RuntimeDirectory>,
): Promise<RuntimeDirectory | undefined> {
  for (let above = parentOf(path); madeAnew.test(above); above = parentOf(above)) {
    const listed = known.get(above);
    if (listed !== undefined) return listed;
    const { entry } = await machine.files.resolve(above);
    if (entry?.kind === "directory")
      return known.get(entry.path) ?? (madeAnew.test(entry.path) ? described(entry) : undefined);
  }
  return undefined;
}

/** Ports on which the application listened for others. */
export function servedPorts(evidence: Evidence | undefined): Descriptor["ports"][number][] {
  const served = (evidence?.listeners ?? []).filter((one) => !isLoopback(one.address));
  return served.map((one) => ({ port: one.port, protocol: one.protocol })).sort((a, b) => a.port - b.port);
}

/** Ports that init opens for services: it is not watched. */
export function givenPorts(descriptor: Descriptor): Descriptor["ports"][number][] {
  return descriptor.services
    .flatMap((service) => service.sockets ?? [])
    .flatMap(({ listen, type }) => {
      const match = /^\[?([^/@].*?)\]?:(\d+)$/.exec(listen);
      if (match === null || isLoopback(match[1] ?? "")) return [];
      return [{ port: Number(match[2]), protocol: type === "datagram" ? "udp" : "tcp" } as const];
    });
}

/** Volumes by their canonical paths, those that links in them lead to included: data outside of every volume would go with its instance. */
export async function volumesOf(
  request: PlanRequest,
  entries: ReadonlyMap<ByteString, Entry>,
): Promise<Volume[]> {
  const tree = plannedTree(entries);
  const isDirectory = (path: ByteString) => entries.get(path)?.kind === "directory";
  const written = request.evidence === undefined ? [] : dataDirectories(request.evidence, isDirectory);
  // What is promised is what is planned: a data base that never wrote has an empty directory, and filters leave content out.
  const sizeOf = (path: ByteString): string => formatSize(sizeBelow(path, entries)).replace(" ", "");
  const make = (path: ByteString, reason: string): Volume => ({
    path: pathText(path),
    // An empty directory is copied too: its owner and mode decide who may write there.
    initial: isDirectory(path) ? "copy" : "none",
    reason,
    size: sizeOf(path),
  });
  const canonical = async (path: ByteString): Promise<ByteString> => {
    const { entry } = await tree.resolve(path);
    return entry?.kind === "directory" ? entry.path : path;
  };
  const volumes: Volume[] = [];
  for (const one of request.descriptor.volumes) {
    const path = await canonical(encodeText(one.path));
    volumes.push({ ...one, path: pathText(path), size: sizeOf(path) });
  }
  for (const path of request.volumes) volumes.push(make(await canonical(unescapeBytes(path)), "asked for"));
  const configured = (request.data ?? []).filter(({ path }) => isDirectory(path) && !written.includes(path));
  const seen = written.filter((path) => !configured.some((one) => path.startsWith(`${one.path}/`)));
  volumes.push(...seen.filter((path) => entries.has(path)).map((path) => make(path, "written while traced")));
  for (const { path, from } of configured) {
    const inside = volumes.some((one) => `${path}/`.startsWith(`${encodeText(one.path)}/`));
    if (!inside) volumes.push(make(path, dataReason({ from })));
  }
  const links: Entry[] = [];
  for (const entry of entries.values()) if (entry.kind === "symlink") links.push(entry);
  const copied = volumes.filter((one) => one.initial === "copy").map((one) => encodeText(one.path));
  for (const { path, link } of await followData(copied, tree, (directory) => linksBelow(directory, links)))
    if (link !== undefined) volumes.push(make(path, dataReason({ link })));
  return uniqueBy(volumes, (volume) => volume.path);
}

function linksBelow(directory: ByteString, links: readonly Entry[]): Entry[] {
  return links.filter((link) => link.path.startsWith(`${directory}/`));
}

/** What is planned, for following links in it. */
function plannedTree(entries: ReadonlyMap<ByteString, Entry>): Tree {
  const source = {
    lstat: async (path: ByteString) => entries.get(path),
    list: async () => undefined,
    readRange: async () => undefined,
  };
  return new Tree(source, { atHand: true });
}

function sizeBelow(path: ByteString, entries: ReadonlyMap<ByteString, Entry>): number {
  let size = 0;
  for (const [at, entry] of entries)
    if (entry.kind === "file" && at.startsWith(`${path}/`)) size += entry.size;
  return size;
}

export function startsOf(descriptor: Descriptor): ProgramStart[] {
  return descriptor.programs.map((program) => {
    const variables = Object.entries({ ...descriptor.environment, ...program.environment });
    return {
      name: program.name,
      command: program.command.map(encodeText),
      variables: Object.fromEntries(variables.map(([name, value]) => [name, encodeText(value)])),
      workingDirectory: encodeText(program.workingDirectory ?? "/"),
    };
  });
}

/** The first of each key. */
export function uniqueBy<T>(values: readonly T[], key: (value: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const value of values) if (!seen.has(key(value))) seen.set(key(value), value);
  return [...seen.values()];
}
