// Where tasks of an engine beside us ask: a network of the engine whose gateway, the node itself, has the address that programs know.
//
// Theory. Each container (or the one that holds the network of its task) is on that network besides its own. It is internal, so that nothing
// leads out by it, and its containers do not reach each other by it. Only its 256 addresses are taken: cloud machines have their own at others of 169.254.
import type { Socket } from "node:net";
import { type EndpointPlace, plainAddress, taskAddress } from "../endpoint/task-server.ts";
import { type Engine, EngineError } from "./engine.ts";

export const endpointNetwork = "tranship-endpoint";
const subnet = "169.254.170.0/24";

export function dockerPlace(engine: Engine): EndpointPlace {
  return {
    listen: { host: taskAddress, port: 80 },
    prepare: () => ensureNetwork(engine),
    fromHost: taskAddress,
    isOurs,
    stats: (name) =>
      engine.get(`/containers/${name}/stats`, { query: { stream: "false", "one-shot": "true" } }),
  };
}

async function ensureNetwork(engine: Engine): Promise<void> {
  if ((await engine.get(`/networks/${endpointNetwork}`)) !== undefined) return;
  try {
    await engine.post("/networks/create", {
      body: {
        Name: endpointNetwork,
        Driver: "bridge",
        Internal: true,
        CheckDuplicate: true,
        IPAM: { Driver: "default", Config: [{ Subnet: subnet, Gateway: taskAddress }] },
        Options: { "com.docker.network.bridge.enable_icc": "false" },
      },
    });
  } catch (error) {
    if (!(error instanceof EngineError && error.status === 409)) throw error; // made in the same moment
  }
}

/** Before the container starts. */
export async function joinEndpoint(engine: Engine, id: string): Promise<void> {
  await engine.post(`/networks/${endpointNetwork}/connect`, { body: { Container: id } });
}

/** From the network, or from the node itself. */
function isOurs(socket: Socket): boolean {
  return plainAddress(socket.remoteAddress).startsWith("169.254.170.");
}
