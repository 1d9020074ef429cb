// What an instance's record says of its networks. Pure.
import type { Attachment, InstanceNetwork, InstanceRecord } from "../record.ts";

/** The default network, which every state root has. */
export const defaultNetwork = "bridge";

/** In the order of its devices, eth0 first. */
export function attachmentsOf({ network }: Pick<InstanceRecord, "network">): readonly Attachment[] {
  if (network.attachments !== undefined) return network.attachments;
  const { mode, address, mac } = network;
  // As records of before 2026-12 have it.
  return mode === "bridge" && address !== null
    ? [
        {
          network: defaultNetwork,
          index: 0,
          address,
          address6: null,
          mac: mac ?? "",
          aliases: [],
        },
      ]
    : [];
}

/** Names of its networks, as `ps` shows them. */
export function networksOf(record: Pick<InstanceRecord, "network">): string[] {
  const { mode } = record.network;
  if (mode === "container") return [];
  return mode === "bridge" ? attachmentsOf(record).map(({ network }) => network) : [mode];
}

/** Whether others know it by name: on any network but the default one. */
export function hasNames(record: Pick<InstanceRecord, "network">): boolean {
  return attachmentsOf(record).some(({ network }) => network !== defaultNetwork);
}

export function withAttachments(
  network: InstanceNetwork,
  attachments: readonly Attachment[],
): InstanceNetwork {
  const [first] = attachments;
  return { ...network, attachments, address: first?.address ?? null, mac: first?.mac ?? null };
}

/** The addresses that it holds, on every network. */
export function addressesOf(record: Pick<InstanceRecord, "network">): string[] {
  return attachmentsOf(record).flatMap(({ address, address6 }) =>
    address6 === null ? [address] : [address, address6],
  );
}
