// Where tasks of our runtime ask: a rule in the network of each leads to us, on the gateway of its network; with the host's network they ask loopback.
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type { StateRoot } from "../../../host/state-root.ts";
import { findInstance } from "../../../runtime/find.ts";
import { isBridge } from "../../../runtime/network/devices.ts";
import { sample } from "../../../runtime/usage/stats.ts";
import { type EndpointPlace, plainAddress } from "../endpoint/task-server.ts";

/** Where we listen, as the real agent does. Fixed: rules of running tasks lead there. */
export const endpointPort = 51_679;

export function localPlace(root: StateRoot): EndpointPlace {
  return {
    listen: { host: "0.0.0.0", port: endpointPort },
    fromHost: `127.0.0.1:${endpointPort}`,
    isOurs,
    stats: async (name) => statsOf(root, name),
  };
}

/** By loopback, or by a bridge of ours. */
function isOurs(socket: Socket): boolean {
  const address = plainAddress(socket.localAddress);
  if (address.startsWith("127.")) return true;
  return Object.entries(networkInterfaces()).some(
    ([device, all]) => isBridge(device) && all?.some((one) => one.address === address),
  );
}

/** In the names of the engine's own statistics; only what the kernel counts here. */
function statsOf(root: StateRoot, name: string): unknown {
  try {
    const now = sample(findInstance(root, name));
    return {
      read: new Date().toISOString(),
      name: `/${name}`,
      pids_stats: { current: now.pids },
      cpu_stats: { cpu_usage: { total_usage: now.cpu } },
      memory_stats: { usage: now.memory, limit: now.memoryLimit },
      networks: { eth0: { rx_bytes: now.received, tx_bytes: now.sent } },
    };
  } catch {
    return undefined; // it has gone meanwhile
  }
}
