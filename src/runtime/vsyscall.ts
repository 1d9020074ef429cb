// elements.vsyscall: auto. The engine comes to an instance for the vsyscall page alone where this host's kernel has none and programs of the package call it; where the
// kernel has one, its callers see the application's clock.
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { readElf } from "../formats/elf.ts";
import {
  isOldStatic,
  libcPaths,
  oldLibcVersion,
  type VsyscallMode,
  vsyscallMode,
} from "../formats/vsyscall.ts";
import type { Elements } from "../package/descriptor.ts";
import type { InstanceElements } from "./elements.ts";
import { entryInLayers } from "./layers.ts";

export interface PageInput {
  elements: InstanceElements | undefined;
  /** As the descriptor has it. */
  wanted: Elements["vsyscall"];
  /** First words of the commands that it may run. */
  programs: readonly string[];
  /** Topmost first. */
  layers: readonly string[];
}

const searched = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The elements with what auto means here. Programs are only read where it matters. */
export async function withVsyscall(
  { elements, wanted, programs, layers }: PageInput,
  mode: VsyscallMode = hostMode(),
): Promise<InstanceElements | undefined> {
  if (wanted !== "auto") return elements;
  const clocked = (elements?.clock ?? null) !== null;
  if ((mode !== "none" && !clocked) || !(await callPage(programs, layers))) return elements;
  // Without a page its calls are faults, which the engine answers without being asked to.
  return { clock: null, uname: null, ...elements, vsyscall: mode === "none" ? "auto" : "on" };
}

function hostMode(): VsyscallMode {
  const text = (path: string): string => readFileSync(path, "latin1");
  return vsyscallMode(text("/proc/self/maps"), text("/proc/cmdline"), process.arch);
}

async function callPage(programs: readonly string[], layers: readonly string[]): Promise<boolean> {
  const { foundIn } = await import("./redirect/choose.ts");
  const read = async (path: string): ReturnType<typeof readElf> => {
    const entry = entryInLayers(layers, foundIn(layers, path).location);
    return entry?.stat.isFile() === true ? await elfAt(entry.place) : undefined;
  };
  for (const path of libcPaths) {
    const elf = await read(path);
    if (elf !== undefined && oldLibcVersion(elf) !== undefined) return true;
  }
  const places = programs.flatMap((name) =>
    name.includes("/") ? [join("/", name)] : searched.map((directory) => `${directory}/${name}`),
  );
  for (const path of new Set(places)) {
    const elf = await read(path);
    if (elf !== undefined && isOldStatic(elf)) return true;
  }
  return false;
}

/** undefined: no ELF file, or a broken one. */
async function elfAt(path: string): ReturnType<typeof readElf> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await readElf((offset, length) => {
      const bytes = new Uint8Array(length);
      return Promise.resolve(bytes.subarray(0, readSync(fd, bytes, 0, length, offset)));
    });
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
