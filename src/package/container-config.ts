// What an image config can say of a descriptor: enough for any OCI runtime to start init; the rest is init's.
import type { ContainerConfig } from "../formats/oci.ts";
import type { Descriptor } from "./descriptor.ts";
import type { InitPlan } from "./init-plan.ts";

export const insidePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function containerConfig(descriptor: Descriptor): ContainerConfig {
  const environment = { PATH: insidePath, ...descriptor.environment };
  return {
    Entrypoint: ["/.tranship/init"],
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    WorkingDir: "/",
    ...(descriptor.ports.length === 0 ? {} : { ExposedPorts: keysOf(portNames(descriptor)) }),
    ...(descriptor.volumes.length === 0
      ? {}
      : { Volumes: keysOf(descriptor.volumes.map((volume) => volume.path)) }),
  };
}

/**
 * The config of an image, made for another descriptor than the one in its layers: what the old one brought (known by its plan)
 * goes, what the new one says comes, and what neither speaks of stays.
 */
export function changedConfig(
  config: ContainerConfig,
  inside: InitPlan | undefined,
  descriptor: Descriptor,
): ContainerConfig {
  const { ExposedPorts, Volumes, ...rest } = config;
  const old = new Set((inside?.environment ?? []).map(([name]) => name));
  const own = Object.entries(descriptor.environment).map(([name, value]) => `${name}=${value}`);
  const named = new Set(Object.keys(descriptor.environment));
  const kept = (config.Env ?? []).filter((entry) => {
    const name = entry.slice(0, entry.indexOf("="));
    return !named.has(name) && !(old.has(name) && name !== "PATH");
  });
  const oldVolumes = new Set((inside?.volumes ?? []).map((volume) => volume.path));
  const volumes = [
    ...Object.keys(Volumes ?? {}).filter((path) => !oldVolumes.has(path)),
    ...descriptor.volumes.map((volume) => volume.path),
  ];
  // Ports are in no plan: where there is one, the config's came from a descriptor.
  const ports = [...(inside === undefined ? Object.keys(ExposedPorts ?? {}) : []), ...portNames(descriptor)];
  return {
    ...rest,
    Env: [...kept, ...own],
    ...(ports.length === 0 ? {} : { ExposedPorts: keysOf(ports) }),
    ...(volumes.length === 0 ? {} : { Volumes: keysOf(volumes) }),
  };
}

function portNames(descriptor: Descriptor): string[] {
  return descriptor.ports.map((port) => `${port.port}/${port.protocol}`);
}

function keysOf(names: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
