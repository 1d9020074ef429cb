// Whether data can be packed as one consistent whole: who has files of a volume open for writing now.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";

export interface DataState {
  path: ByteString;
  /** still: nobody writes there. live: somebody does, a copy is not consistent. unknown: cannot be seen from here. */
  state: "still" | "live" | "unknown";
  why: string;
}

/** For each volume that is packed with content. Processes of this host are looked at; those of another machine cannot be. */
export function dataStates(machine: Machine, descriptor: Descriptor): DataState[] {
  const paths = descriptor.volumes.filter((one) => one.initial === "copy").map((one) => encodeText(one.path));
  if (paths.length === 0) return [];
  if (machine.root === undefined) {
    const state = machine.live ? "unknown" : "still";
    const why = machine.live
      ? "a live machine: whether its programs write there was not looked at"
      : "no running machine";
    return paths.map((path) => ({ path, state, why }));
  }
  // A program's own root, by which /proc shows its files, has another name in the links of its descriptors.
  const seer = /^\/proc\/(\d+)\/root$/.exec(machine.root)?.[1];
  const named =
    seer === undefined ? encodeText(machine.root) : (linkOf(machine.root) ?? encodeText(machine.root));
  const root = named === "/" ? "" : named;
  // Content from elsewhere, such as a snapshot, is written to by whoever writes there.
  const placeOf = (path: ByteString): ByteString => machine.placeOf?.(path) ?? root + path;
  const writers = openForWriting(paths.map(placeOf), seer);
  return paths.map((path) => {
    const by = writers.get(placeOf(path));
    if (by === undefined)
      return { path, state: "still", why: "no program of this host has a file of it open for writing" };
    return { path, state: "live", why: `${by} writes there: stop it, or capture a snapshot` };
  });
}

/** Directory -> the first program with a file below it open for writing. `seer`: of those that share the mounts of this process. */
function openForWriting(directories: readonly string[], seer: string | undefined): Map<string, string> {
  const found = new Map<string, string>();
  const mounts = seer === undefined ? undefined : linkOf(`/proc/${seer}/ns/mnt`);
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid) || (mounts !== undefined && linkOf(`/proc/${pid}/ns/mnt`) !== mounts)) continue;
    for (const fd of names(`/proc/${pid}/fd`)) {
      const target = linkOf(`/proc/${pid}/fd/${fd}`);
      const directory = directories.find((one) => target?.startsWith(`${one}/`));
      if (directory === undefined || found.has(directory) || !writes(pid, fd)) continue;
      found.set(directory, `${escapeBytes(linkOf(`/proc/${pid}/exe`) ?? "a program")} (pid ${pid})`);
    }
  }
  return found;
}

// What ends between two looks is not there any more: all three take that as nothing.
function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkOf(path: string): ByteString | undefined {
  try {
    return readlinkSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** O_WRONLY or O_RDWR in the flags of a descriptor. */
function writes(pid: string, fd: string): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & 3) !== 0;
  } catch {
    return false;
  }
}
