// Services that a package starts only when somebody asks: `run --service NAME`.
import { TranshipError } from "../base/errors.ts";
import type { Descriptor, Service } from "../package/descriptor.ts";

/** The descriptor with these services, and the manual ones that they come after, started like the others. E_USAGE for a name that cannot be. */
export function withServices(
  descriptor: Descriptor | undefined,
  names: readonly string[],
  reference: string,
): Descriptor {
  const services = new Map((descriptor?.services ?? []).map((service) => [service.name, service]));
  const wanted = new Set<string>();
  const todo = [...names];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const service = services.get(name);
    if (descriptor === undefined || service === undefined)
      throw unknown(name, [...services.keys()], reference);
    if (service.startup === "disabled") {
      throw new TranshipError("E_USAGE", `the service ${name} of ${reference} is disabled`, {
        hint: "change it with `tranship package edit --set`, or run its program: @PROGRAM",
      });
    }
    if (wanted.has(name)) continue;
    wanted.add(name);
    todo.push(...(service.after ?? []).filter((other) => services.get(other)?.startup === "manual"));
  }
  if (descriptor === undefined) throw new TranshipError("E_INTERNAL", "no service was asked for");
  const started = (service: Service): Service =>
    wanted.has(service.name) ? { ...service, startup: "auto" } : service;
  return { ...descriptor, services: descriptor.services.map(started) };
}

function unknown(name: string, known: readonly string[], reference: string): TranshipError {
  const hint =
    known.length === 0
      ? "it has no services: see `tranship package show`"
      : `it has ${known.slice(0, 20).join(", ")}`;
  return new TranshipError("E_USAGE", `${reference} has no service ${JSON.stringify(name)}`, { hint });
}
