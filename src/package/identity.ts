// The identity of a package: what of its source it takes on, and what stands for it where it does not. Pure.
//
// Host name, domain, time zone and locale are kept. What licences bind to (MAC, address, machine id, host id, DMI) was found at the
// source and stands in origin.identity; it is taken on only where somebody asks, and by one running instance at a time.
import { TranshipError } from "../base/errors.ts";
import type { Descriptor, Identity, SourceIdentity } from "./descriptor.ts";

export const identityKinds = ["mac", "address", "machine-id", "hostid", "dmi"] as const;
export type IdentityKind = (typeof identityKinds)[number];

/** A file of /sys/class/dmi/id that tells something. */
export const dmiName = /^(?:(?:bios|board|chassis|product|ec)_[a-z_]{1,32}|sys_vendor|modalias)$/;

/** Words of --keep-identity: kinds, joined by commas, or all. */
export function parseIdentityKinds(words: readonly string[]): IdentityKind[] {
  const kinds = words
    .flatMap((word) => word.split(","))
    .flatMap((word): readonly IdentityKind[] => {
      if (word === "all") return identityKinds;
      const kind = identityKinds.find((one) => one === word);
      if (kind !== undefined) return [kind];
      throw new TranshipError("E_USAGE", `not a part of an identity: ${JSON.stringify(word)}`, {
        hint: `give all, or some of ${identityKinds.join(", ")}`,
      });
    });
  return [...new Set(kinds)];
}

/** What the kinds take from the source; a kind that was not found there changes nothing. */
export function keptIdentity(
  kinds: readonly IdentityKind[],
  source: SourceIdentity | undefined,
): Partial<Identity> {
  if (source === undefined) return {};
  const kept: { -readonly [K in keyof Identity]?: Identity[K] } = {};
  const mac = source.macAddresses[0];
  const address = source.addresses[0];
  if (kinds.includes("mac") && mac !== undefined) kept.macAddress = mac;
  if (kinds.includes("address") && address !== undefined) kept.addresses = [address];
  if (kinds.includes("machine-id") && source.machineId !== null) kept.machineId = source.machineId;
  if (kinds.includes("hostid") && source.hostId !== null) kept.hostId = source.hostId;
  if (kinds.includes("dmi") && Object.keys(source.dmi).length > 0) kept.dmi = source.dmi;
  return kept;
}

export function keepIdentity(descriptor: Descriptor, kinds: readonly IdentityKind[]): Descriptor {
  const kept = keptIdentity(kinds, descriptor.origin.identity);
  return { ...descriptor, identity: { ...descriptor.identity, ...kept } };
}

/** For people: `MAC 00:16:3e:00:00:01`, one entry a kind that is set. */
export function identityWords(
  identity: Pick<Identity, "macAddress" | "addresses" | "machineId" | "hostId" | "dmi">,
): string[] {
  const { macAddress, addresses, machineId, hostId, dmi } = identity;
  return [
    ...(macAddress === null ? [] : [`MAC ${macAddress}`]),
    ...(addresses.length === 0 ? [] : [`address ${addresses.join(", ")}`]),
    ...(machineId === null ? [] : [`machine id ${machineId}`]),
    ...(hostId === null ? [] : [`host id ${hostId}`]),
    ...(dmi === null
      ? []
      : [`DMI ${dmi.product_serial ?? dmi.product_name ?? `${Object.keys(dmi).length} values`}`]),
  ];
}
