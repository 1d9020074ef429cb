// MACHINE as people write it into an open machine.
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { StateRoot } from "../host/state-root.ts";
import { unknownMachine } from "./address.ts";
import type { DiskChoices } from "./disk/open-disk.ts";
import { openLocal } from "./local.ts";
import type { Machine } from "./machine.ts";
import { openRootfs } from "./rootfs.ts";
import type { SshChoices } from "./ssh/open-ssh.ts";

/** What far machines, disks and images need; this host and directories need none of it. */
export interface OpenOptions {
  /** Where control sockets, fetched content and mounts are kept. */
  root: StateRoot;
  log: Log;
  ssh: SshChoices;
  disk: DiskChoices;
}

/** Opens a machine; the caller closes it. `options` is asked only where it is needed. E_MACHINE_UNKNOWN, E_MACHINE_UNREACHABLE. */
export async function openMachine(address: string, options?: () => OpenOptions): Promise<Machine> {
  const colon = address.indexOf(":");
  const kind = colon < 0 ? address : address.slice(0, colon);
  const rest = colon < 0 ? "" : address.slice(colon + 1);
  if (address === "" || (kind === "local" && rest === "")) return openLocal("local:");
  if (kind === "rootfs" && colon >= 0) return openRootfs(address, rest);
  if (kind === "ssh" && colon >= 0) {
    const { openSsh } = await import("./ssh/open-ssh.ts");
    const { root, log, ssh } = needed(address, options);
    return await openSsh(address, ssh, root, log);
  }
  if (kind === "disk" && colon >= 0) {
    const { openDisk } = await import("./disk/open-disk.ts");
    const { root, disk } = needed(address, options);
    return await openDisk(address, rest, disk, root);
  }
  if (kind === "oci" && colon >= 0) {
    const { openOci } = await import("./oci.ts");
    return await openOci(address, rest, needed(address, options).root);
  }
  throw unknownMachine(address, kind, rest);
}

function needed(address: string, options: (() => OpenOptions) | undefined): OpenOptions {
  if (options !== undefined) return options();
  throw new TranshipError("E_INTERNAL", `${address} was opened without a state root`);
}
