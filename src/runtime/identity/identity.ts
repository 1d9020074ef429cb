// Who an instance is: decided when it is made, from flags, package and its own id. Pure.
import { TranshipError } from "../../base/errors.ts";
import { type IdentityKind, keptIdentity } from "../../package/identity.ts";
import type { RunFacts } from "../../package/run-facts.ts";

export interface InstanceIdentity {
  readonly domain: string | null;
  readonly timezone: string | null;
  readonly taken: TakenIdentity;
}

/** What the instance takes on of another machine: held by one running instance of the state root at a time. null: its own. */
export interface TakenIdentity {
  readonly mac: string | null;
  /** Beside the address that the bridge gives. */
  readonly addresses: readonly string[];
  readonly machineId: string | null;
  readonly hostId: string | null;
  readonly dmi: Readonly<Record<string, string>> | null;
}

export const nothingTaken: TakenIdentity = {
  mac: null,
  addresses: [],
  machineId: null,
  hostId: null,
  dmi: null,
};

export interface IdentityOptions {
  domain?: string;
  mac?: string;
  machineId?: string;
  hostId?: string;
  dmi?: Readonly<Record<string, string>>;
  keep?: readonly IdentityKind[];
  /** The package's own choice is not taken on. */
  fresh?: boolean;
}

/** Flags go before what the package keeps. */
export function instanceIdentity(options: IdentityOptions, facts: RunFacts | null): InstanceIdentity {
  const kept = facts === null || options.fresh === true ? undefined : facts.identity;
  const asked = keptIdentity(options.keep ?? [], facts?.source ?? undefined);
  return {
    domain: options.domain ?? facts?.identity.domain ?? null,
    timezone: facts?.identity.timezone ?? null,
    taken: {
      mac: (options.mac ?? asked.macAddress ?? kept?.macAddress ?? null)?.toLowerCase() ?? null,
      addresses: asked.addresses ?? kept?.addresses ?? [],
      machineId: options.machineId ?? asked.machineId ?? kept?.machineId ?? null,
      hostId: options.hostId ?? asked.hostId ?? kept?.hostId ?? null,
      dmi: options.dmi ?? asked.dmi ?? kept?.dmi ?? null,
    },
  };
}

/** What is taken on at this start. */
export function takenAt(
  { identity }: { identity?: InstanceIdentity },
  launch: { newIdentity?: boolean } = {},
): TakenIdentity {
  return launch.newIdentity === true ? nothingTaken : (identity?.taken ?? nothingTaken);
}

export function holdsIdentity({ mac, addresses, machineId, hostId, dmi }: TakenIdentity): boolean {
  return mac !== null || addresses.length > 0 || machineId !== null || hostId !== null || dmi !== null;
}

/** Asked for and not known of the source: better told than left out. */
export function checkKept(keep: readonly IdentityKind[], facts: RunFacts | null, reference: string): void {
  const known = Object.keys(keptIdentity(keep, facts?.source ?? undefined)).length;
  if (keep.length === 0 || known > 0) return;
  throw new TranshipError("E_USAGE", `${reference} does not know ${keep.join(", ")} of its source`, {
    hint: "see origin.identity in `tranship package show`; or give the value itself, for example with --machine-id",
  });
}

/** Its own ids: the same over restarts, and no two instances have the same. */
export function ownMachineId(id: string): string {
  return id.slice(0, 32);
}

export function ownHostId(id: string): string {
  return id.slice(32, 40);
}
