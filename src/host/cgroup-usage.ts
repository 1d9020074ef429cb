// What a control group uses, in v1 and v2 alike. What a host does not account for is undefined.
import { readFileSync } from "node:fs";
import { type CgroupMode, cgroupDirectories, cgroupMode } from "./cgroup.ts";

export interface CgroupUsage {
  /** Nanoseconds. */
  cpu: number | undefined;
  /** Bytes, without the part of the page cache that can be had back at once, as docker counts. */
  memory: number | undefined;
  /** undefined: none. */
  memoryLimit: number | undefined;
  /** The most that it ever used. */
  memoryPeak: number | undefined;
  read: number | undefined;
  written: number | undefined;
  pids: number | undefined;
}

/** v1 says "no limit" by a number near 2^63. */
const unlimited = 2 ** 60;

export function cgroupUsage(name: string, mode: CgroupMode = cgroupMode()): CgroupUsage {
  const files = new Files(cgroupDirectories(name, mode));
  const limit = files.number("memory.limit_in_bytes") ?? files.number("memory.max");
  const io = blockIo(files);
  return {
    cpu: files.number("cpuacct.usage") ?? microseconds(files.entry("cpu.stat", "usage_usec")),
    memory: memoryOf(files),
    memoryLimit: limit === undefined || limit >= unlimited ? undefined : limit,
    memoryPeak: files.number("memory.max_usage_in_bytes") ?? files.number("memory.peak"),
    read: io?.read,
    written: io?.written,
    pids: files.number("pids.current"),
  };
}

function microseconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1000;
}

function memoryOf(files: Files): number | undefined {
  const used = files.number("memory.usage_in_bytes") ?? files.number("memory.current");
  if (used === undefined) return undefined;
  const cache =
    files.entry("memory.stat", "total_inactive_file") ?? files.entry("memory.stat", "inactive_file") ?? 0;
  return cache < used ? used - cache : used;
}

function blockIo(files: Files): { read: number; written: number } | undefined {
  const v1 =
    files.text("blkio.throttle.io_service_bytes_recursive") ?? files.text("blkio.throttle.io_service_bytes");
  if (v1 !== undefined) return { read: sum(v1, / Read (\d+)/g), written: sum(v1, / Write (\d+)/g) };
  const v2 = files.text("io.stat");
  if (v2 === undefined) return undefined;
  return { read: sum(v2, /rbytes=(\d+)/g), written: sum(v2, /wbytes=(\d+)/g) };
}

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
}

/** The files of one group in every hierarchy, by name. */
class Files {
  readonly #directories: readonly string[];

  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  text(name: string): string | undefined {
    for (const directory of this.#directories) {
      try {
        return readFileSync(`${directory}/${name}`, "latin1");
      } catch {} // another hierarchy, another version, or the group is gone
    }
    return undefined;
  }

  /** "max" is no number. */
  number(name: string): number | undefined {
    const text = this.text(name)?.trim();
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  }

  /** Of a file of "KEY VALUE" lines. */
  entry(name: string, key: string): number | undefined {
    const match = new RegExp(`^${key} (\\d+)$`, "m").exec(this.text(name) ?? "");
    return match === null ? undefined : Number(match[1]);
  }
}
