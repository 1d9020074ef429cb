// The two calls that capture makes before it starts a service: all services of a machine, and one by its name.
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import type { Machine } from "../machine/machine.ts";
import type { ServiceFact } from "./inventory.ts";
import { findService, readServices } from "./services.ts";
import { Source } from "./source.ts";

export async function discoverServices(machine: Machine): Promise<ServiceFact[]> {
  return readServices(new Source(machine.files));
}

/** E_SERVICE_NOT_FOUND, with the names that come near. */
export async function requireService(machine: Machine, name: ByteString): Promise<ServiceFact> {
  const services = await discoverServices(machine);
  const found = findService(services, name);
  if (found !== undefined) return found;
  const near = services
    .filter(
      (service) => !service.template && service.name.toLowerCase().includes(name.toLowerCase().slice(0, 4)),
    )
    .map((service) => service.name)
    .slice(0, 8);
  throw new TranshipError(
    "E_SERVICE_NOT_FOUND",
    `${machine.address} has no service ${JSON.stringify(name)}`,
    {
      hint: near.length > 0 ? `similar names: ${near.join(", ")}` : "list them with `tranship discover`",
    },
  );
}
