// Names of network devices on the host. Pure.
import type { InstanceRecord } from "../record.ts";

/** The end on the host of the n-th network of an instance. At most 15 characters: what the kernel takes. */
export function deviceName(id: string, index: number): string {
  return `ts${id.slice(0, 8)}${index === 0 ? "" : `-${index}`}`;
}

/** Those that an instance has on the host while it runs. */
export function deviceNames({ id, network }: Pick<InstanceRecord, "id" | "network">): string[] {
  return network.mode === "bridge" ? [deviceName(id, 0)] : [];
}
