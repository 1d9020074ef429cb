// What tasks ask on their node: about themselves (metadata, version 4), and for the credentials of their role.
//
// Theory. Programs ask http://169.254.170.2, as they do with the real service; how they get from there to us is the place's (ours, or an
// engine's). Whoever asks shows by a key in the path which task it is: random ones, told to it alone by its environment. And it must ask from
// an address of that task: a key that has got out is of no use to others.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { ContainerDefinition, KeyValuePair } from "../../api/shapes.ts";
import { containerName } from "../containers.ts";
import type { CredentialSource } from "../driver.ts";
import type { HeldTask } from "../task-records.ts";
import { CredentialCache } from "./credential-cache.ts";
import { containerMetadata, taskMetadata } from "./metadata.ts";
import type { AskingTask, FindTask, TaskEndpoint } from "./task-endpoint.ts";

/** Where programs ask. */
export const taskAddress = "169.254.170.2";

/** How tasks of a node reach us. */
export interface EndpointPlace {
  listen: { host: string; port: number };
  /** Makes ready where we listen. */
  prepare?(): Promise<void>;
  /** What stands in the URL for tasks with the network of the host. */
  fromHost: string;
  /** A connection that comes from elsewhere is closed at once. */
  isOurs(socket: Socket): boolean;
  /** Of a container by its name on the node, in the engine's own form; undefined where it has gone. */
  stats(name: string): Promise<unknown>;
}

const metadataPath = /^\/v4\/([0-9a-f]{32})-(\d{1,3})(\/task|\/taskWithTags|\/stats|\/task\/stats)?\/?$/;
const credentialsPath = /^\/v2\/credentials\/([0-9a-f-]{36})$/;
/** Milliseconds that an address may take to be seen after its container has started. */
const seenWithin = 3_000;

export class TaskServer implements TaskEndpoint {
  readonly #place: EndpointPlace;
  readonly #log: Log;
  readonly #credentials = new CredentialCache();
  #server: Server | undefined;
  #find: FindTask = () => undefined;

  constructor(place: EndpointPlace, log: Log) {
    this.#place = place;
    this.#log = log;
  }

  credentialsFrom(source: CredentialSource): void {
    this.#credentials.from(source);
  }

  forget(task: string): void {
    this.#credentials.forget(task);
  }

  async open(find: FindTask): Promise<void> {
    this.#find = find;
    const { host, port } = this.#place.listen;
    try {
      await this.#place.prepare?.();
      this.#server = await this.#listen(host, port);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn(`tasks have no metadata and no credentials: ${host}:${port}: ${reason}`);
    }
    // What runs goes on without us.
    this.#server?.unref();
  }

  #listen(host: string, port: number): Promise<Server> {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.on("connection", (socket) => {
      if (!this.#place.isOurs(socket)) socket.destroy();
    });
    server.maxConnections = 256;
    server.requestTimeout = 5_000;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => resolve(server));
    });
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  }

  environment(task: HeldTask, definition: ContainerDefinition): KeyValuePair[] {
    const { key, credentialsKey, spec } = task;
    const { networkMode = "bridge", containerDefinitions = [] } = spec.definition;
    if (key === undefined || networkMode === "none" || definition.disableNetworking) return [];
    if (this.#server === undefined) {
      if (credentialsKey === undefined) return [];
      throw new TranshipError(
        "E_RUNTIME",
        `the node cannot give the task the credentials of its role ${spec.roleArn}`,
        {
          hint: "its agent says why it could not listen; or register the task definition without taskRoleArn",
        },
      );
    }
    const host = networkMode === "host" ? this.#place.fromHost : taskAddress;
    const index = containerDefinitions.findIndex(({ name }) => name === definition.name);
    return [
      { name: "ECS_CONTAINER_METADATA_URI_V4", value: `http://${host}/v4/${key}-${index}` },
      ...(credentialsKey === undefined
        ? []
        : [credentialsVariable(host, `/v2/credentials/${credentialsKey}`)]),
    ];
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, value: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    try {
      const [, key = "", index = "", what = ""] = metadataPath.exec(request.url ?? "") ?? [];
      const [, credentialsKey = ""] = credentialsPath.exec(request.url ?? "") ?? [];
      const found =
        credentialsKey === "" ? this.#find("key", key) : this.#find("credentialsKey", credentialsKey);
      const mine =
        request.method === "GET" && found !== undefined && (await this.#mayAsk(found, request.socket));
      const answer = !mine
        ? undefined
        : credentialsKey === ""
          ? await this.#about(found, Number(index), what)
          : await this.#credentials.of(found.task.spec.id);
      if (answer === undefined) say(404, { code: "NotFound", message: "no such task or container" });
      else say(200, answer);
    } catch {
      // Not why: what could not be had is the node's business.
      say(503, { code: "InternalServerError", message: "not available now: try again" });
    }
  }

  async #mayAsk(found: AskingTask, socket: Socket): Promise<boolean> {
    const from = plainAddress(socket.remoteAddress);
    if (found.task.spec.definition.networkMode === "host")
      return from.startsWith("127.") || from === plainAddress(socket.localAddress);
    for (const until = Date.now() + seenWithin; Date.now() < until; await sleep(50))
      if (found.addresses().length > 0) return found.addresses().includes(from);
    return false;
  }

  async #about({ task, seen }: AskingTask, index: number, what: string): Promise<unknown> {
    const name = task.spec.definition.containerDefinitions?.[index]?.name;
    if (name === undefined) return undefined;
    const stats = async (of: string): Promise<unknown> =>
      (await this.#place.stats(containerName(task.spec.id, of))) ?? null;
    if (what === "") return containerMetadata(task, seen, name);
    if (what === "/stats") return stats(name);
    if (what === "/task/stats")
      return Object.fromEntries(
        await Promise.all(
          seen.containers.map(async (each) => [each.runtimeId ?? "", await stats(each.name ?? "")]),
        ),
      );
    return taskMetadata(task, seen);
  }
}

/** Without a host where SDKs know it; they take another one only if it is of loopback. */
function credentialsVariable(host: string, path: string): KeyValuePair {
  return host === taskAddress
    ? { name: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", value: path }
    : { name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", value: `http://${host}${path}` };
}

export function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:/, "") ?? "";
}
