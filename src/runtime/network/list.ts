// The networks that an instance can be on: those of this state root, the host's, and none.
import { createHash } from "node:crypto";
import { TranshipError } from "../../base/errors.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { instanceIds, type ListedInstance, listInstances, readInstance } from "../find.ts";
import { attachmentsOf, defaultNetwork, networksOf } from "./attachments.ts";
import { knownSubnet } from "./choice.ts";
import { isPredefined, listDefinitions, type NetworkDefinition } from "./definition.ts";
import { bridgeOf, networkNames } from "./devices.ts";
import { formatSubnet, gatewayOf } from "./subnet.ts";
import { readUp } from "./up.ts";

export interface Network {
  /** 64 hexadecimal digits. */
  id: string;
  name: string;
  driver: "bridge" | "host" | "null";
  /** Every state root has it. */
  predefined: boolean;
  /** Absent of those that nobody made. */
  createdAt: string | undefined;
  /** Of the default bridge: once an instance was made. */
  subnet: string | undefined;
  gateway: string | undefined;
  range: string | undefined;
  subnet6: string | undefined;
  gateway6: string | undefined;
  internal: boolean;
  labels: Readonly<Record<string, string>>;
  /** Its bridge on the host, and whether it is there now. */
  device: string | undefined;
  up: boolean;
  /** Instances that run on it. */
  members: NetworkMember[];
  /** Whether any is attached to it, running or not. */
  used: boolean;
}

export interface NetworkMember {
  id: string;
  name: string;
  /** With prefix length. */
  address: string | null;
  address6: string | null;
  mac: string | null;
  aliases: readonly string[];
}

const drivers = { bridge: "bridge", host: "host", none: "null" } as const;

/** The predefined ones, then by name. */
export function listNetworks(root: StateRoot): Network[] {
  const instances = listInstances(root);
  const up = readUp(root);
  const made = listDefinitions(root).map((one) => defined(one, up?.networks[one.name] !== undefined));
  const own = (["bridge", "host", "none"] as const).map((name) =>
    name === defaultNetwork ? bridge(root, up?.networks[name] !== undefined) : predefined(root, name),
  );
  return [...own, ...made].map((network) => ({
    ...network,
    members: instances
      .filter(({ status }) => status.state === "running")
      .flatMap((one) => memberOf(network, one)),
    used: instances.some(({ record }) => networksOf(record).includes(network.name)),
  }));
}

type Bare = Omit<Network, "members" | "used">;

/** The same on every day: of the state root and the name. */
function idOf(root: StateRoot, name: string): string {
  return createHash("sha256").update(`${root.path}\0${name}`).digest("hex");
}

function predefined(root: StateRoot, name: keyof typeof drivers): Bare {
  return {
    id: idOf(root, name),
    name,
    driver: drivers[name],
    predefined: true,
    createdAt: undefined,
    subnet: undefined,
    gateway: undefined,
    range: undefined,
    subnet6: undefined,
    gateway6: undefined,
    internal: false,
    labels: {},
    device: undefined,
    up: true,
  };
}

function bridge(root: StateRoot, up: boolean): Bare {
  const subnet = knownSubnet(root);
  return {
    ...predefined(root, defaultNetwork),
    ...(subnet === undefined ? {} : { subnet: formatSubnet(subnet), gateway: gatewayOf(subnet) }),
    device: networkNames(root).bridge,
    up,
  };
}

function defined(one: NetworkDefinition, up: boolean): Bare {
  return {
    id: one.id,
    name: one.name,
    driver: "bridge",
    predefined: false,
    createdAt: one.createdAt,
    subnet: one.subnet,
    gateway: one.gateway,
    range: one.range ?? undefined,
    subnet6: one.subnet6 ?? undefined,
    gateway6: one.gateway6 ?? undefined,
    internal: one.internal,
    labels: one.labels,
    device: bridgeOf(one),
    up,
  };
}

function memberOf({ name, subnet, subnet6 }: Bare, { record }: ListedInstance): NetworkMember[] {
  if (!networksOf(record).includes(name)) return [];
  const found = attachmentsOf(record).find(({ network }) => network === name);
  const whole = (address: string | null | undefined, of: string | undefined): string | null =>
    address === null || address === undefined ? null : `${address}/${of?.split("/")[1] ?? ""}`;
  return [
    {
      id: record.id,
      name: record.name,
      address: whole(found?.address, subnet),
      address6: whole(found?.address6, subnet6),
      mac: found?.mac ?? null,
      aliases: found?.aliases ?? [],
    },
  ];
}

/** By name, by id, by the first digits of an id. E_NETWORK_NOT_FOUND, E_ID_AMBIGUOUS. */
export function findNetwork(root: StateRoot, text: string): Network {
  const all = listNetworks(root);
  const named = all.find(({ name }) => name === text);
  if (named !== undefined) return named;
  const fits = /^[0-9a-f]+$/.test(text) ? all.filter(({ id }) => id.startsWith(text)) : [];
  if (fits.length > 1) {
    throw new TranshipError(
      "E_ID_AMBIGUOUS",
      `${text} fits ${fits.length} networks: ${fits.map(({ name }) => name).join(", ")}`,
      { hint: "give more digits, or the name" },
    );
  }
  if (fits[0] !== undefined) return fits[0];
  throw new TranshipError("E_NETWORK_NOT_FOUND", `no such network: ${text}`, {
    hint: "`tranship network ls` lists what there is, `tranship network create` makes one",
  });
}

/** Names of instances that are attached to it, running or not. */
export function usersOfNetwork(root: StateRoot, name: string): string[] {
  return instanceIds(root).flatMap((id) => {
    const record = readInstance(root, id)?.record;
    const on = record !== undefined && attachmentsOf(record).some(({ network }) => network === name);
    return on ? [record.name] : [];
  });
}

/** E_USAGE for what every state root has. */
export function refusePredefined(name: string, what: string): void {
  if (!isPredefined(name)) return;
  throw new TranshipError("E_USAGE", `${name} is a pre-defined network and cannot be ${what}`, {
    hint: "name one that `tranship network create` made",
  });
}
