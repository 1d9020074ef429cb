// Which running processes belong to which service.
import type { ProcessFact, ServiceFact } from "./inventory.ts";
import type { Source } from "./source.ts";

/** Fills `pids` of each service: by control group; without one (no systemd) by the program that the service names. */
export async function assignProcesses(
  source: Source,
  services: readonly ServiceFact[],
  processes: readonly ProcessFact[],
): Promise<void> {
  if (processes.length === 0) return;
  const byExecutable = new Map<string, number[]>();
  for (const process of processes) {
    if (process.service !== "" || !process.sameNamespaces || process.executable === "") continue;
    byExecutable.set(process.executable, [...(byExecutable.get(process.executable) ?? []), process.pid]);
  }
  for (const service of services) {
    service.pids = processes.filter((each) => each.service === service.name).map((each) => each.pid);
    if (service.pids.length > 0 || service.template || !service.program.startsWith("/")) continue;
    const program = await source.canonical(service.program);
    if (program !== undefined && !/\/(sh|bash|dash|env|perl|python[\d.]*|true)$/.test(program)) {
      service.pids = byExecutable.get(program) ?? [];
    }
  }
}
