// The networks that an instance can be on: the bridge of this state root, the host's, and none.
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { readJson } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { listInstances } from "../find.ts";
import type { NetworkMode } from "../record.ts";
import { networkNames, readBridge } from "./bridge.ts";
import { gatewayOf, parseSubnet } from "./subnet.ts";

export interface Network {
  name: NetworkMode;
  driver: string;
  /** Bridge only, once an instance was made. */
  subnet: string | undefined;
  gateway: string | undefined;
  /** Bridge only: its name on the host, and whether it is there now. */
  device: string | undefined;
  up: boolean;
  /** Instances that run on it. */
  members: NetworkMember[];
}

export interface NetworkMember {
  id: string;
  name: string;
  address: string | null;
  mac: string | null;
}

const modes = ["bridge", "host", "none"] as const;

export function listNetworks(root: StateRoot): Network[] {
  const running = listInstances(root).filter(({ status }) => status.state === "running");
  return modes.map((name) => {
    const members = running
      .filter(({ record }) => record.network.mode === name)
      .map(({ record: { id, name: called, network } }) => ({
        id,
        name: called,
        address: network.address,
        mac: network.mac,
      }));
    if (name !== "bridge")
      return { name, driver: name === "host" ? "host" : "null", ...nothing, up: true, members };
    const up = readBridge(root);
    const stored = readJson(join(root.path, "network/subnet.json")) as { subnet?: string } | undefined;
    const subnet = up?.subnet ?? stored?.subnet;
    const gateway = subnet === undefined ? undefined : gatewayOf(parseSubnet(subnet));
    return {
      name,
      driver: "bridge",
      subnet,
      gateway,
      device: networkNames(root).bridge,
      up: up !== undefined,
      members,
    };
  });
}

const nothing = { subnet: undefined, gateway: undefined, device: undefined };

/** E_NETWORK_NOT_FOUND. */
export function findNetwork(root: StateRoot, name: string): Network {
  const found = listNetworks(root).find((network) => network.name === name);
  if (found !== undefined) return found;
  throw new TranshipError("E_NETWORK_NOT_FOUND", `no such network: ${name}`, {
    hint: `there are ${modes.join(", ")}: the bridge of this state root, the host's network, and none`,
  });
}
