// The metadata endpoint of tasks on this machine.
//
// Theory. Programs ask http://169.254.170.2, as they do with the real service. A rule in the network of each task leads there to us, on the
// gateway of its network; with the host's network they ask loopback. Whoever asks shows by the key in the path which container it is: a random
// one of each task, told to it alone by its environment. Connections that come by any other interface are closed at once.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type { Log } from "../../../base/log.ts";
import type { StateRoot } from "../../../host/state-root.ts";
import { findInstance } from "../../../runtime/find.ts";
import { isBridge } from "../../../runtime/network/devices.ts";
import { sample } from "../../../runtime/usage/stats.ts";
import type { ContainerDefinition, KeyValuePair } from "../../api/shapes.ts";
import { containerName } from "../containers.ts";
import type { SeenTask } from "../driver.ts";
import type { TaskEndpoint } from "../task-endpoint.ts";
import type { HeldTask } from "../task-records.ts";
import { containerMetadata, taskMetadata } from "./metadata.ts";

/** Where programs ask. */
export const metadataAddress = "169.254.170.2";
/** Where we listen, as the real agent does. Fixed: rules of running tasks lead there. */
export const metadataPort = 51_679;

const paths = /^\/v4\/([0-9a-f]{32})-(\d{1,3})(\/task|\/taskWithTags|\/stats|\/task\/stats)?\/?$/;

interface Found {
  task: HeldTask;
  seen: SeenTask;
}

export class MetadataServer implements TaskEndpoint {
  readonly #root: StateRoot;
  readonly #log: Log;
  readonly #zone: string;
  #server: Server | undefined;
  #find: (key: string) => Found | undefined = () => undefined;

  constructor(root: StateRoot, log: Log, zone: string) {
    this.#root = root;
    this.#log = log;
    this.#zone = zone;
  }

  async open(find: (key: string) => Found | undefined): Promise<void> {
    this.#find = find;
    const server = createServer((request, response) => this.#answer(request, response));
    server.on("connection", (socket) => {
      if (!isOurs(socket)) socket.destroy();
    });
    server.maxConnections = 256;
    server.requestTimeout = 5_000;
    this.#server = await new Promise((resolve) => {
      server.once("error", (error) => {
        this.#log.warn(`tasks have no metadata endpoint: port ${metadataPort}: ${error.message}`);
        resolve(undefined);
      });
      server.listen(metadataPort, "0.0.0.0", () => resolve(server));
    });
    // What runs goes on without us.
    this.#server?.unref();
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  }

  environment({ key, spec }: HeldTask, definition: ContainerDefinition): KeyValuePair[] {
    const { networkMode = "bridge", containerDefinitions = [] } = spec.definition;
    if (this.#server === undefined || key === undefined) return [];
    if (networkMode === "none" || definition.disableNetworking) return [];
    const host = networkMode === "host" ? `127.0.0.1:${metadataPort}` : metadataAddress;
    const index = containerDefinitions.findIndex(({ name }) => name === definition.name);
    return [{ name: "ECS_CONTAINER_METADATA_URI_V4", value: `http://${host}/v4/${key}-${index}` }];
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const [, key = "", index = "", what = ""] = paths.exec(request.url ?? "") ?? [];
    const found = request.method === "GET" && key !== "" ? this.#find(key) : undefined;
    const name = found?.task.spec.definition.containerDefinitions?.[Number(index)]?.name;
    const answer = found === undefined || name === undefined ? undefined : this.#about(found, name, what);
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? { message: "no such container" }));
  }

  #about({ task, seen }: Found, name: string, what: string): unknown {
    if (what === "") return containerMetadata(task, seen, name);
    if (what === "/stats") return this.#stats(task, name);
    if (what === "/task/stats")
      return Object.fromEntries(
        seen.containers.map((each) => [each.runtimeId ?? "", this.#stats(task, each.name ?? "")]),
      );
    return taskMetadata(task, seen, this.#zone);
  }

  /** In the names of the engine's own statistics; only what the kernel counts here. */
  #stats({ spec }: HeldTask, name: string): unknown {
    try {
      const now = sample(findInstance(this.#root, containerName(spec.id, name)));
      return {
        read: new Date().toISOString(),
        name: `/${containerName(spec.id, name)}`,
        pids_stats: { current: now.pids },
        cpu_stats: { cpu_usage: { total_usage: now.cpu } },
        memory_stats: { usage: now.memory, limit: now.memoryLimit },
        networks: { eth0: { rx_bytes: now.received, tx_bytes: now.sent } },
      };
    } catch {
      return null; // it has gone meanwhile
    }
  }
}

/** By loopback, or by a bridge of ours. */
function isOurs({ localAddress }: Socket): boolean {
  const address = localAddress?.replace(/^::ffff:/, "") ?? "";
  if (address.startsWith("127.")) return true;
  return Object.entries(networkInterfaces()).some(
    ([device, all]) => isBridge(device) && all?.some((one) => one.address === address),
  );
}
