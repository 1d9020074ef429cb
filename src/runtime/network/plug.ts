// On which network an instance is to be: decided when it is made.
import { TranshipError } from "../../base/errors.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { TakenIdentity } from "../identity/identity.ts";
import type { InstanceNetwork, NetworkMode } from "../record.ts";
import { chooseSubnet } from "./bridge.ts";
import { free, leaseAddress } from "./lease.ts";
import type { PortRequest } from "./ports.ts";
import { networkOwner, refuseConflicts } from "./share.ts";
import { macOf } from "./subnet.ts";

/** What was asked for: flags of `run` and `create`. */
export interface NetworkOptions {
  network?: NetworkMode;
  /** container: name or id of the instance whose network is shared. */
  networkOf?: string;
  address?: string;
  hostname?: string;
  ports?: readonly PortRequest[];
  publishAll?: boolean;
}

export interface Plugged {
  readonly mode: NetworkMode;
  readonly container?: string;
  readonly address: string | null;
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
  if (mode === "container") {
    refuseConflicts({
      "--hostname": options.hostname !== undefined,
      "--publish": (options.ports ?? []).length > 0,
      "--publish-all": options.publishAll === true,
      "--mac-address": identity.mac !== undefined,
      "--ip": options.address !== undefined,
    });
    const { record } = networkOwner(root, options.networkOf ?? "");
    return { mode, container: record.id, address: null, hostname: record.hostname };
  }
  if (mode !== "bridge") return { mode, address: null };
  return { mode, address: leaseAddress(root, chooseSubnet(root), id, options.address) };
}

export function unplug(root: StateRoot, id: string, { address }: Plugged): void {
  if (address !== null) free(root, "addresses", address, id);
}

/** As the record has it. E_USAGE for ports that nobody could reach. */
export function networkRecord(
  id: string,
  { mode, container, address }: Plugged,
  ports: readonly PortRequest[],
  taken: TakenIdentity,
): InstanceNetwork {
  if (ports.length > 0 && mode !== "bridge") {
    throw new TranshipError("E_USAGE", `ports cannot be published with --network ${mode}`, {
      hint: mode === "host" ? "the programs listen on the host itself" : "use --network bridge",
    });
  }
  return {
    mode,
    ...(container === undefined ? {} : { container }),
    address,
    mac: address === null ? null : (taken.mac ?? macOf(id)),
    ports,
  };
}

/** In the network of another instance it has that one's addresses. */
export function identityOn(mode: NetworkMode, taken: TakenIdentity): TakenIdentity {
  return mode === "container" ? { ...taken, mac: null, addresses: [] } : taken;
}
