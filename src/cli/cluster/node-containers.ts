// What runs the containers of this machine as a node of a cluster, as the flags of `cluster join` and `cluster leave` choose it.
import { join } from "node:path";
import type { Containers } from "../../cluster/drivers/containers.ts";
import { DockerContainers } from "../../cluster/drivers/docker/docker-containers.ts";
import { Engine } from "../../cluster/drivers/docker/engine.ts";
import { LocalContainers, type Registries } from "../../cluster/drivers/local/local-containers.ts";
import type { Context } from "../context.ts";
import { registrySettings } from "../registry/settings.ts";
import { selfCommand } from "../self.ts";
import { type Call, list, text } from "../verb.ts";

export interface NodeContainers {
  containers: Containers;
  /** Directory of the tasks that the node holds. */
  records: string;
}

export function dockerNode(call: Call, { log, root }: Context): NodeContainers & { engine: Engine } {
  const network = text(call.options, "taskNetwork");
  const engine = new Engine(text(call.options, "engineHost") ?? "unix:///var/run/docker.sock");
  const containers = new DockerContainers({
    engine,
    log,
    registries: list(call.options, "registry"),
    ...(network === undefined ? {} : { network }),
  });
  return { containers, engine, records: join(root.path, "cluster", "agent-tasks") };
}

export function localNode(call: Call, context: Context): NodeContainers {
  const { root, log } = context;
  const containers = new LocalContainers(
    root,
    log,
    nodeRegistries(call, context),
    selfCommand(root, call.options),
  );
  return { containers, records: join(root.path, "cluster", "tasks") };
}

export function nodeRegistries(call: Call, context: Context): Registries {
  return { hosts: list(call.options, "registry"), settings: registrySettings(call.options, context) };
}
