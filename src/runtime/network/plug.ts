// On which networks an instance is to be: decided when it is made, and when it is connected to a further one.
import { TranshipError } from "../../base/errors.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { NetworkRedirection } from "../../package/descriptor.ts";
import { networkRule } from "../../redirect/endpoints.ts";
import type { TakenIdentity } from "../identity/identity.ts";
import type {
  Attachment,
  InstanceNetwork,
  InstanceNetworkRedirection,
  NetworkMode,
  Resolver,
} from "../record.ts";
import { freeAddress, leaseAddress, leaseAddress6, type Pool, type Pool6 } from "./addresses.ts";
import { defaultNetwork, withAttachments } from "./attachments.ts";
import { chooseSubnet } from "./choice.ts";
import { findDefinition, type NetworkDefinition, readDefinition } from "./definition.ts";
import { macOf } from "./devices.ts";
import type { PortRequest } from "./ports.ts";
import { networkOwner, refuseConflicts } from "./share.ts";
import { gatewayOf, parseSubnet } from "./subnet.ts";
import { parseSubnet6 } from "./subnet6.ts";

/** One network that is asked for. */
export interface NetworkRequest {
  /** Name or id; "bridge" is the default one. */
  readonly network: string;
  readonly address?: string;
  readonly address6?: string;
  readonly aliases: readonly string[];
}

/** Flags of `run` and `create`. */
export interface NetworkOptions {
  /** Default: bridge. */
  network?: NetworkMode;
  /** bridge: on which; absent: the default one. */
  networks?: readonly NetworkRequest[];
  /** container: name or id of the instance whose network is shared. */
  networkOf?: string;
  hostname?: string;
  ports?: readonly PortRequest[];
  publishAll?: boolean;
  /** What publishAll publishes beside the package's own: "8080/tcp". */
  expose?: readonly string[];
  /** Not with the network of another instance, whose it has then. */
  resolver?: Resolver;
  /** --connect: before those of the package. */
  connect?: readonly NetworkRedirection[];
}

/** As docker: what this host is called by, seen from an instance. */
export const hostGateway = "host-gateway";

/** Network redirections of an instance: those of the command line come first. E_DESCRIPTOR_INVALID. */
export function networkRedirections(
  { connect = [] }: NetworkOptions,
  declared: readonly NetworkRedirection[],
  plugged: Plugged,
): readonly InstanceNetworkRedirection[] {
  const told = ({ kind, from, to }: NetworkRedirection, by: InstanceNetworkRedirection["by"]) => ({
    kind,
    from,
    to,
    by,
  });
  const all = [
    ...connect.map((one) =>
      told(one.to === hostGateway ? { ...one, to: hostAddress(one, plugged) } : one, "command line"),
    ),
    ...declared.map((one) => told(one, "package")),
  ];
  for (const [index, one] of all.entries()) networkRule(one, index);
  return all;
}

function hostAddress({ from }: NetworkRedirection, { mode, gateway }: Plugged): string {
  if (mode === "host") return "127.0.0.1";
  if (gateway !== undefined) return gateway;
  throw new TranshipError(
    "E_USAGE",
    `${from} cannot be ${hostGateway} without a network that this host is on`,
    {
      hint: "leave it out, or leave --network none out",
    },
  );
}

/** What an instance got. */
export interface Plugged {
  readonly mode: NetworkMode;
  readonly container?: string;
  readonly attachments: readonly Attachment[];
  /** This host's address on the first of them. */
  readonly gateway?: string;
  /** None of its networks leads outside, so that nothing of it can be published. */
  readonly inward: boolean;
  /** Of the instance whose network it shares: its host name is that one's too. */
  readonly hostname?: string;
}

/** Takes what is to be the instance's alone: addresses. */
export function plug(
  root: StateRoot,
  id: string,
  options: NetworkOptions,
  identity: { mac?: string } = {},
): Plugged {
  const mode = options.network ?? "bridge";
  if (mode === "container") return share(root, options, identity);
  if (mode !== "bridge") return { mode, attachments: [], inward: true };
  const requests = options.networks ?? [{ network: defaultNetwork, aliases: [] }];
  const attachments: Attachment[] = [];
  try {
    for (const request of requests) attachments.push(attach(root, id, request, attachments));
    const inward = attachments.every((one) => isInternal(root, one));
    return { mode, attachments, ...gatewayFor(root, options), inward };
  } catch (error) {
    release(root, id, attachments);
    throw error;
  }
}

/** Only where it is asked for: it may be looked up in a definition. */
function gatewayFor(root: StateRoot, { connect = [], networks }: NetworkOptions): Pick<Plugged, "gateway"> {
  if (!connect.some(({ to }) => to === hostGateway)) return {};
  return { gateway: poolsOf(root, networks?.[0] ?? { network: defaultNetwork, aliases: [] }).pool.gateway };
}

function share(root: StateRoot, options: NetworkOptions, identity: { mac?: string }): Plugged {
  refuseConflicts({
    "--hostname": options.hostname !== undefined,
    "--publish": (options.ports ?? []).length > 0,
    "--publish-all": options.publishAll === true,
    "--mac-address": identity.mac !== undefined,
  });
  const { record } = networkOwner(root, options.networkOf ?? "");
  return {
    mode: "container",
    container: record.id,
    attachments: [],
    inward: true,
    hostname: record.hostname,
  };
}

export function isInternal(root: StateRoot, { network }: Attachment): boolean {
  return network !== defaultNetwork && readDefinition(root, network)?.internal === true;
}

/** A further network for an instance that has `others`. Whoever does not keep it calls release(). */
export function attach(
  root: StateRoot,
  id: string,
  request: NetworkRequest,
  others: readonly Attachment[],
): Attachment {
  const { name, pool, pool6, definition } = poolsOf(root, request);
  if (others.some(({ network }) => network === name)) {
    throw new TranshipError("E_NETWORK", `endpoint already exists in network ${name}`, {
      hint: "an instance is on a network once",
    });
  }
  const address = leaseAddress(root, pool, id, request.address);
  const index = [0, ...others.map((one) => one.index + 1)].find(
    (free) => !others.some((one) => one.index === free),
  );
  try {
    const address6 =
      pool6 === null
        ? null
        : leaseAddress6(root, pool6, id, {
            like: address,
            ...(request.address6 === undefined ? {} : { wanted: request.address6 }),
          });
    const mac = macOf(id, index ?? 0);
    const made = { network: name, index: index ?? 0, address, address6, mac, aliases: request.aliases };
    // Removed meanwhile: its remover looked for leases before, and will again.
    if (definition !== undefined && readDefinition(root, name)?.id !== definition.id) {
      release(root, id, [made]);
      throw new TranshipError("E_NETWORK_NOT_FOUND", `the network ${name} was just removed`);
    }
    return made;
  } catch (error) {
    freeAddress(root, address, id);
    throw error;
  }
}

interface Pools {
  name: string;
  pool: Pool;
  pool6: Pool6 | null;
  definition: NetworkDefinition | undefined;
}

function poolsOf(root: StateRoot, request: NetworkRequest): Pools {
  if (request.network === defaultNetwork) {
    if (request.aliases.length > 0) {
      throw new TranshipError(
        "E_USAGE",
        "network-scoped alias is supported only for instances in user defined networks",
        { hint: "make one with `tranship network create`" },
      );
    }
    refuseAddress6(request, defaultNetwork);
    const subnet = chooseSubnet(root);
    const pool = { subnet, gateway: gatewayOf(subnet), range: null };
    return { name: defaultNetwork, pool, pool6: null, definition: undefined };
  }
  const definition = findDefinition(root, request.network);
  const { subnet, gateway, range, subnet6, gateway6, name } = definition;
  if (subnet6 === null) refuseAddress6(request, name);
  return {
    name,
    pool: { subnet: parseSubnet(subnet), gateway, range: range === null ? null : parseSubnet(range, 32) },
    pool6: subnet6 === null ? null : { subnet: parseSubnet6(subnet6), gateway: gateway6 ?? "" },
    definition,
  };
}

function refuseAddress6({ address6 }: NetworkRequest, name: string): void {
  if (address6 === undefined) return;
  throw new TranshipError("E_USAGE", `the network ${name} has no IPv6 for the address ${address6}`, {
    hint: "make one with `tranship network create --ipv6`",
  });
}

/** Gives addresses back. */
export function release(root: StateRoot, id: string, attachments: readonly Attachment[]): void {
  for (const { address, address6 } of attachments) {
    freeAddress(root, address, id);
    if (address6 !== null) freeAddress(root, address6, id);
  }
}

/** As the record has it. E_USAGE for ports that nobody could reach. */
export function networkRecord(
  { mode, container, attachments, inward }: Plugged,
  ports: readonly PortRequest[],
  taken: TakenIdentity,
): InstanceNetwork {
  if (ports.length > 0 && mode !== "bridge") {
    throw new TranshipError("E_USAGE", `ports cannot be published with --network ${mode}`, {
      hint: mode === "host" ? "the programs listen on the host itself" : "use --network bridge",
    });
  }
  if (ports.length > 0 && inward) {
    const names = attachments.map(({ network }) => network).join(", ");
    throw new TranshipError("E_USAGE", `ports cannot be published on the internal network ${names}`, {
      hint: "put it on a further network with --network",
    });
  }
  const [first, ...others] = attachments;
  const own = first === undefined ? [] : [{ ...first, mac: taken.mac ?? first.mac }, ...others];
  const empty = { mode, ...(container === undefined ? {} : { container }), address: null, mac: null, ports };
  return mode === "bridge" ? withAttachments(empty, own) : empty;
}

/** In the network of another instance it has that one's addresses. */
export function identityOn(mode: NetworkMode, taken: TakenIdentity): TakenIdentity {
  return mode === "container" ? { ...taken, mac: null, addresses: [] } : taken;
}
