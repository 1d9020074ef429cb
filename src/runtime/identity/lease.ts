// What an instance takes on of another machine's identity belongs to one running instance of the state root: two of them on one network
// would take each other's packets, and a licence may be used once.
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { acquireLock } from "../../host/lock.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { mayRun, readInstance } from "../find.ts";
import { claim, free, holder, leases } from "../network/lease.ts";
import { statusOf } from "../state.ts";
import type { TakenIdentity } from "./identity.ts";

interface Value {
  /** For people: "the machine id". */
  what: string;
  value: string;
  /** Name of the lease. */
  name: string;
}

/** What tells one machine from another; a product's name does not. */
const serial = /_(serial|uuid|asset_tag)$/;

function valuesOf(taken: TakenIdentity): Value[] {
  const values: Value[] = [];
  const add = (kind: string, what: string, value: string): void => {
    // A lease is a file: no value may be a path.
    const name = `${kind}-${value}`.replace(
      /[^A-Za-z0-9:.-]/g,
      (char) => `_${char.codePointAt(0)?.toString(16)}_`,
    );
    values.push({ what, value, name: name.slice(0, 200) });
  };
  if (taken.mac !== null) add("mac", "the MAC address", taken.mac);
  for (const address of taken.addresses) add("address", "the address", address);
  if (taken.machineId !== null) add("machine-id", "the machine id", taken.machineId);
  if (taken.hostId !== null) add("hostid", "the host id", taken.hostId);
  for (const [name, value] of Object.entries(taken.dmi ?? {}))
    if (serial.test(name)) add(`dmi-${name}`, `the DMI value ${name}`, value);
  return values;
}

/** E_IDENTITY_TAKEN names the running instance that has one of the values. Nothing is held then. */
export async function leaseIdentity(root: StateRoot, id: string, taken: TakenIdentity): Promise<void> {
  const values = valuesOf(taken);
  if (values.length === 0) return;
  const lock = await acquireLock(join(root.locks, "identity"), "identity");
  try {
    for (const value of values) {
      const owner = ownerOf(root, value.name, id);
      if (owner !== undefined) throw takenError(value, owner, id);
      claim(root, "identity", value.name, id);
    }
  } catch (error) {
    freeIdentity(root, id);
    throw error;
  } finally {
    lock.release();
  }
}

/** The running instance that holds it, by name; the lease of one that does not run any more is dropped. */
function ownerOf(root: StateRoot, name: string, id: string): string | undefined {
  const other = holder(root, "identity", name);
  if (other === undefined || other === id) return undefined;
  const instance = readInstance(root, other);
  const state = instance === undefined ? "exited" : statusOf(instance.paths, other).state;
  if (instance !== undefined && (state === "running" || state === "starting")) {
    return `${instance.record.name} (${other.slice(0, 12)})`;
  }
  free(root, "identity", name, other);
  return undefined;
}

function takenError({ what, value }: Value, owner: string, id: string): TranshipError {
  return new TranshipError("E_IDENTITY_TAKEN", `${what} ${value} belongs to the running instance ${owner}`, {
    hint: "stop that instance, or give this one an identity of its own with --new-identity",
    details: { instance: id },
  });
}

export function freeIdentity(root: StateRoot, id: string): void {
  for (const lease of leases(root, "identity")) if (lease.id === id) free(root, "identity", lease.name, id);
}

/** Leases of instances that do not run. Returns how many instances had some. */
export function freeEndedIdentities(root: StateRoot): number {
  let count = 0;
  for (const id of new Set(leases(root, "identity").map((lease) => lease.id))) {
    if (mayRun(root, id)) continue;
    freeIdentity(root, id);
    count++;
  }
  return count;
}
