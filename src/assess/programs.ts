// The programs that an assessment looks into: of services, of running processes, and those that no distribution put there.
import type { ElfReader } from "../closure/elf-reader.ts";
import type { Inventory } from "../discover/inventory.ts";
import type { Source } from "../discover/source.ts";
import { architectureName } from "../discover/system.ts";
import type { ElfFile } from "../formats/elf.ts";
import type { ByteString } from "../formats/entry.ts";
import type { Survey } from "./survey.ts";

export interface ProgramFact {
  /** Canonical. */
  path: ByteString;
  elf: ElfFile;
  /** OCI's word. */
  architecture: string;
  /** What it was found by: a service, a process, a place. */
  because: ByteString;
}

const maxPrograms = 3000;

export async function findPrograms(
  source: Source,
  inventory: Inventory,
  survey: Survey,
  elves: ElfReader,
): Promise<ProgramFact[]> {
  const candidates = new Map<ByteString, ByteString>();
  for (const service of inventory.services) {
    if (service.state === "masked" || service.template || !service.program.startsWith("/")) continue;
    const path = await source.canonical(service.program);
    if (path !== undefined && !candidates.has(path)) candidates.set(path, `service ${service.name}`);
  }
  for (const process of inventory.processes) {
    if (!process.sameNamespaces || process.executable === "" || process.executableDeleted) continue;
    if (!candidates.has(process.executable)) candidates.set(process.executable, `process ${process.pid}`);
  }
  for (const path of survey.ownPrograms)
    if (!candidates.has(path)) candidates.set(path, "a program outside the distribution");
  const programs: ProgramFact[] = [];
  for (const [path, because] of [...candidates].slice(0, maxPrograms)) {
    const elf = await elves.info(path);
    if (elf === undefined) continue;
    programs.push({
      path,
      elf,
      architecture: architectureName(elf.machine, elf.endian === "little"),
      because,
    });
  }
  return programs;
}
