// All services of a machine, and finding one by the name that a person uses.
import type { ByteString } from "../formats/entry.ts";
import { addBootScripts } from "./boot-scripts.ts";
import type { ServiceFact } from "./inventory.ts";
import { plainService, readOtherServices } from "./other-services.ts";
import type { Source } from "./source.ts";
import { readSystemdServices } from "./systemd-services.ts";
import { UnitTree } from "./unit-tree.ts";

export async function readServices(source: Source, tree?: UnitTree): Promise<ServiceFact[]> {
  const systemd = await readSystemdServices(source, tree ?? (await UnitTree.open(source)));
  const services = [...systemd, ...(await readOtherServices(source, systemd))];
  await addBootScripts(source, services, (name, path) => plainService(name, "sysv", [path]));
  return services;
}

/**
 * By name, unit name, alias or, where the named unit only groups instances (postgresql), its one instance.
 * Undefined where nothing fits.
 */
export function findService(services: readonly ServiceFact[], name: ByteString): ServiceFact | undefined {
  const wanted = name.replace(/\.service$/, "");
  const real = services.filter((service) => !service.template && service.state !== "masked");
  const exact = real.find((service) => service.name === wanted);
  if (exact !== undefined && !onlyGroups(exact)) return exact;
  const instances = real.filter((service) => service.name.startsWith(`${wanted}@`));
  const alias = real.find((service) => service.aliases.includes(wanted));
  return (instances.length === 1 ? instances[0] : undefined) ?? exact ?? alias;
}

/** A unit that does nothing itself and whose instances do the work. */
function onlyGroups(service: ServiceFact): boolean {
  return /^(\/usr)?\/bin\/true$/.test(service.program);
}
