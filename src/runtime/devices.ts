// Devices of this host that an instance may use: --device. A record names them by their paths; what they are is looked up at each start,
// as numbers change from one boot of a host to the next.
import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { rootlessUser } from "../host/rootless-user.ts";
import type { InstanceDevice, InstanceRecord } from "./record.ts";

export interface DeviceNode {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
  readonly source: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What is behind them now, sorted by path; a directory stands for all devices in it. E_USAGE where there is none. */
export function deviceNodes(devices: readonly InstanceDevice[] = []): DeviceNode[] {
  return devices.flatMap((device) => {
    const found = nodesAt(device, device.source, device.target);
    if (found.length > 0) return found;
    throw new TranshipError("E_USAGE", `--device: there is no device in ${device.source}`, {
      hint: "name a device of this host, for example /dev/ttyS0",
    });
  });
}

function nodesAt({ access }: InstanceDevice, source: string, path: string): DeviceNode[] {
  const stat = statOf(source);
  if (stat.isDirectory())
    return readdirSync(source)
      .sort()
      .flatMap((name) => {
        const within = statSync(join(source, name), { throwIfNoEntry: false });
        const fits = within?.isCharacterDevice() || within?.isBlockDevice() || within?.isDirectory();
        return fits === true
          ? nodesAt({ access, source, target: path }, join(source, name), join(path, name))
          : [];
      });
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) {
    throw new TranshipError("E_USAGE", `--device: ${source} is no device`, {
      hint: "files and directories are shown with -v",
    });
  }
  const { major, minor } = numbersOf(BigInt(stat.rdev));
  const type = stat.isBlockDevice() ? "b" : "c";
  const { uid, gid } = stat;
  return [{ path, type, major, minor, access, source, mode: stat.mode & 0o777, uid, gid }];
}

function statOf(source: string): Stats {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat !== undefined) return stat;
  throw new TranshipError("E_USAGE", `--device: this host has no ${source}`, {
    hint: "look for it below /dev; what is plugged in later has to be there before the instance starts",
  });
}

/** As makedev(3) puts them together. */
function numbersOf(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
    minor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn)),
  };
}

/** Nobody but the host's root makes device nodes: in a user namespace the host's own are shown. */
export function devicesAreBound({ userns }: InstanceRecord): boolean {
  return userns !== undefined || rootlessUser() !== undefined;
}
