// Names of network devices and tables on the host. Pure.
import { type StateRoot, usualRoot } from "../../host/state-root.ts";
import type { InstanceRecord } from "../record.ts";
import { attachmentsOf } from "./attachments.ts";
import type { NetworkDefinition } from "./definition.ts";

/** The end on the host of a network of an instance. At most 15 characters: what the kernel takes. */
export function deviceName(id: string, index: number): string {
  return `ts${id.slice(0, 8)}${index === 0 ? "" : `-${index}`}`;
}

/** Those that an instance has on the host while it runs. */
export function deviceNames(record: InstanceRecord): string[] {
  return attachmentsOf(record).map(({ index }) => deviceName(record.id, index));
}

/** Whether a device of the host is one of an instance. */
export function isDeviceOf(id: string, device: string): boolean {
  return device === deviceName(id, 0) || device.startsWith(`${deviceName(id, 0)}-`);
}

/** Bridges of all state roots look so. */
export function isBridge(device: string): boolean {
  return /^(tranship0|tr[0-9a-f]{8})$/.test(device);
}

/** FNV-1a: tells state roots apart, protects nothing, and needs no library. */
export function shortHash(text: string): string {
  let hash = 0x811c_9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Two state roots on one host have two bridges and two tables. `bridge`: of the default network. */
export function networkNames(root: StateRoot): { bridge: string; table: string } {
  const hash = shortHash(root.path);
  return {
    bridge: root.path === usualRoot ? "tranship0" : `tr${hash}`,
    table: `tranship_${hash}`,
  };
}

export function bridgeOf({ id }: NetworkDefinition): string {
  return `tr${id.slice(0, 8)}`;
}

/** Locally administered, unicast, from the instance's id: the same instance keeps it, two never share it. `index`: of several networks. */
export function macOf(id: string, index = 0): string {
  const bytes = id.slice(0, 10).match(/../g) ?? [];
  if (index === 0) return ["02", ...bytes].join(":");
  const last = (Number.parseInt(bytes[4] ?? "0", 16) ^ index) & 255;
  return ["06", ...bytes.slice(0, 4), last.toString(16).padStart(2, "0")].join(":");
}
