// What `run` wants of a descriptor beside init's plan, with each value checked: it comes from registries and files too. Kept with the compiled
// descriptor (compiled.ts), so that a start reads no YAML. Pure.
import { TranshipError } from "../base/errors.ts";
import { parseRate, parseSize } from "../base/units.ts";
import type { Descriptor, Identity, Limits, SourceIdentity, Syscalls } from "./descriptor.ts";
import { dmiName } from "./identity.ts";

export interface RunFacts {
  readonly identity: Identity;
  readonly source: SourceIdentity | null;
  readonly syscalls: Syscalls;
  readonly limits: PackageLimits;
  /** What it needs; null: nobody knows. */
  readonly capabilities: readonly string[] | null;
}

/** Bytes, numbers, bytes a second; absent: no limit. */
export interface PackageLimits {
  memory?: number;
  cpus?: number;
  pids?: number;
  disk?: number;
  ingress?: number;
  egress?: number;
  cpusetCpus?: string;
  blkioWeight?: number;
  ulimits?: readonly { name: string; soft: number; hard: number }[];
}

/**
 * A name that no host can have is left out: the application goes on under the instance's own. E_DESCRIPTOR_INVALID names any other value that
 * cannot be. `reference`: what the descriptor belongs to.
 */
export function runFacts(
  { identity, origin, syscalls, limits, capabilities }: Descriptor,
  reference: string,
): RunFacts {
  const fitting = (value: string | null, pattern: RegExp): string | null =>
    value !== null && pattern.test(value) ? value : null;
  const wrong = (where: string, value: unknown): TranshipError =>
    new TranshipError(
      "E_DESCRIPTOR_INVALID",
      `${reference}: ${where} cannot be ${JSON.stringify(value)?.slice(0, 200)}`,
      { hint: "capture the package anew, or edit its descriptor" },
    );
  const word = (where: string, value: string | null, pattern: RegExp): string | null => {
    if (value === null || pattern.test(value)) return value;
    throw wrong(where, value);
  };
  const words = (where: string, values: readonly string[], pattern: RegExp): string[] => {
    if (values.length > 1000) throw wrong(where, values);
    return values.flatMap((one) => word(where, one, pattern) ?? []);
  };
  const table = (where: string, value: Readonly<Record<string, string>>): Record<string, string> => {
    for (const [name, one] of Object.entries(value)) {
      if (!dmiName.test(name)) throw wrong(where, name);
      word(`${where}.${name}`, one, patterns.dmi);
    }
    return { ...value };
  };
  const source = origin.identity;
  return {
    identity: {
      hostname: fitting(identity.hostname, patterns.hostname),
      domain: fitting(identity.domain, patterns.domain),
      timezone: fitting(identity.timezone, patterns.timezone),
      locale: fitting(identity.locale, patterns.locale),
      macAddress: word("identity.macAddress", identity.macAddress, patterns.mac),
      addresses: words("identity.addresses", identity.addresses, patterns.address),
      machineId: word("identity.machineId", identity.machineId, patterns.machineId),
      hostId: word("identity.hostId", identity.hostId, patterns.hostId),
      dmi: identity.dmi === null ? null : table("identity.dmi", identity.dmi),
    },
    syscalls: {
      profile: syscalls.profile,
      ...(syscalls.calls === undefined ? {} : { calls: syscalls.calls }),
    },
    limits: limitsOf(limits, reference),
    capabilities: capabilities ? words("capabilities", capabilities, /^[A-Z][A-Z_]{1,40}$/) : null,
    source:
      source === undefined
        ? null
        : {
            macAddresses: words("origin.identity.macAddresses", source.macAddresses, patterns.mac),
            addresses: words("origin.identity.addresses", source.addresses, patterns.address),
            machineId: word("origin.identity.machineId", source.machineId, patterns.machineId),
            hostId: word("origin.identity.hostId", source.hostId, patterns.hostId),
            dmi: table("origin.identity.dmi", source.dmi),
          },
  };
}

function limitsOf(limits: Limits, reference: string): PackageLimits {
  const { memory, disk, network, cpuset, io, files } = limits;
  const number = (where: string, value: number | null | undefined, least: number, most: number) => {
    if (value === null || value === undefined) return undefined;
    if (Number.isFinite(value) && value >= least && value <= most) return value;
    throw new TranshipError("E_DESCRIPTOR_INVALID", `${reference}: limits.${where} cannot be ${value}`, {
      hint: "capture the package anew, or edit its descriptor",
    });
  };
  const large = Number.MAX_SAFE_INTEGER;
  const rate = network === null ? undefined : parseRate(network);
  const open = number("files", files, 1, large);
  const found = {
    memory: number("memory", memory === null ? null : parseSize(memory), 1, large),
    cpus: number("cpus", limits.cpus, 0.001, 1e6),
    pids: number("pids", limits.pids, 1, large),
    disk: number("disk", disk === null ? null : parseSize(disk), 1, large),
    ingress: rate,
    egress: rate,
    cpusetCpus: cpuset ?? undefined,
    blkioWeight: number("io", io, 10, 1000),
    ulimits: open === undefined ? undefined : [{ name: "nofile", soft: open, hard: open }],
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

const hostName = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,252})$/;
const patterns = {
  hostname: hostName,
  domain: hostName,
  timezone: /^[A-Za-z0-9_+-]{1,64}(\/[A-Za-z0-9_+-]{1,64}){0,3}$/,
  locale: /^[A-Za-z0-9_.@=-]{1,128}$/,
  mac: /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/,
  address: /^[0-9a-fA-F.:]{2,45}$/,
  machineId: /^[0-9a-f]{32}$/,
  hostId: /^[0-9a-f]{8}$/,
  dmi: /^[^\0\n]{0,1024}$/,
} as const;
