// Tasks on this machine, each container as an instance of our runtime.
import { cpus, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { readTarget } from "../../../assess/target.ts";
import type { Log } from "../../../base/log.ts";
import type { StateRoot } from "../../../host/state-root.ts";
import { LogKeeper, type Retention } from "../../logs/log-keeper.ts";
import type { DriverNode } from "../driver.ts";
import { TaskServer } from "../endpoint/task-server.ts";
import { TaskDriver } from "../task-driver.ts";
import { localPlace } from "./endpoint-place.ts";
import { LocalContainers, type Registries } from "./local-containers.ts";
import { refusalOf } from "./refusals.ts";

export interface LocalDriverOptions {
  root: StateRoot;
  log: Log;
  /** Our own command line up to the verb, for commands in containers. */
  self: readonly string[];
  /** From which images may be fetched. Default: none. */
  registries?: Registries;
  /** MiB and CPU units that tasks may not have. */
  reserved?: { memory: number; cpu: number };
  /** Milliseconds that the containers of a task stay after its end. */
  cleanupWait: number;
  /** How long the lines of removed containers are kept. */
  retention: Retention;
  /** Addresses to which logs may be sent. */
  syslog: readonly string[];
  /** What the node is called. Default: as the machine is. */
  node?: string;
}

export function localDriver(options: LocalDriverOptions): TaskDriver {
  const { root, log, self, registries = { hosts: [], settings: {} } } = options;
  return new TaskDriver({
    name: "local",
    endpoint: new TaskServer(localPlace(root), log),
    containers: new LocalContainers(root, log, registries, self),
    records: join(root.path, "cluster", "tasks"),
    logKeeper: new LogKeeper(join(root.path, "cluster", "logs"), options.retention),
    cleanupWait: options.cleanupWait,
    syslog: options.syslog,
    node: thisMachine(options.node ?? hostname(), "namespace", options.reserved),
    refuses: refusalOf,
    log,
  });
}

/** What this machine has for tasks, less what is reserved: CPU units and MiB. */
export function thisMachine(
  name: string,
  engine: string,
  { memory = 256, cpu = 0 }: { memory?: number; cpu?: number } = {},
): DriverNode {
  const { kernel, vsyscall } = readTarget();
  return {
    name,
    cpu: cpus().length * 1024 - cpu,
    memory: Math.floor(totalmem() / 1024 / 1024) - memory,
    reservedPorts: ["22/tcp"],
    attributes: [
      { name: "ecs.os-type", value: "linux" },
      { name: "ecs.cpu-architecture", value: process.arch === "x64" ? "x86_64" : process.arch },
      { name: "ecs.availability-zone", value: "local" },
      { name: "tranship.engines", value: engine },
      { name: "tranship.kernel", value: kernel },
      { name: "tranship.vsyscall", value: vsyscall },
    ],
    connected: true,
  };
}
