// The descriptor with everything said that it leaves to a default.
import type { Descriptor, Program, Service } from "./descriptor.ts";

export function withDefaults(descriptor: Descriptor): Descriptor {
  return {
    ...descriptor,
    programs: descriptor.programs.map(program),
    services: descriptor.services.map(service),
  };
}

function program(one: Program): Program {
  return {
    ...one,
    workingDirectory: one.workingDirectory ?? "/",
    user: one.user ?? "root",
    environment: one.environment ?? {},
  };
}

function service(one: Service): Service {
  const policy = one.restart?.policy ?? "no";
  const attempts = one.restart?.attempts ?? (policy === "on-failure" ? 5 : undefined);
  return {
    ...one,
    startup: one.startup ?? "auto",
    startOnDeploy: one.startOnDeploy ?? (one.startup ?? "auto") === "auto",
    essential: one.essential ?? true,
    after: one.after ?? [],
    type: one.type ?? "simple",
    readiness: { ...one.readiness, timeout: one.readiness?.timeout ?? "30s" },
    restart: {
      ...one.restart,
      policy,
      ...(attempts === undefined ? {} : { attempts }),
      backoff: one.restart?.backoff ?? "1s",
    },
    stop: {
      ...one.stop,
      signal: one.stop?.signal ?? "SIGTERM",
      timeout: one.stop?.timeout ?? "10s",
    },
  };
}
