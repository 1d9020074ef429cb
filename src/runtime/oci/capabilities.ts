// Which capabilities the processes of an instance may have. Pure.
import { TranshipError } from "../../base/errors.ts";
import type { Capability } from "../../host/enter.ts";
import { defaultCapabilities } from "../../package/capabilities.ts";
import type { InstanceRecord } from "../record.ts";

const known = new Set<string>([
  ...defaultCapabilities, "AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "IPC_LOCK",
  "IPC_OWNER", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "PERFMON", "SYS_ADMIN",
  "SYS_BOOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
  "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM",
]); // biome-ignore format: a table

/** Those of an instance: what its package needs of docker's set, and what the command line adds and drops. */
export function capabilitiesOf({
  capAdd,
  capDrop,
  capabilities,
}: Pick<InstanceRecord, "capAdd" | "capDrop" | "capabilities">): string[] {
  return capabilitySet(capAdd, capDrop, capabilities);
}

/** Accepts NET_ADMIN, CAP_NET_ADMIN, net_admin and ALL. */
export function capabilitySet(
  add: readonly string[],
  drop: readonly string[],
  base: readonly string[] = defaultCapabilities,
): string[] {
  const adding = add.map(normalize);
  const dropping = drop.map(normalize);
  const set = new Set<string>(adding.includes("ALL") ? known : dropping.includes("ALL") ? [] : base);
  for (const name of adding) if (name !== "ALL") set.add(name);
  for (const name of dropping) if (name !== "ALL") set.delete(name);
  return [...set].sort().map((name) => `CAP_${name}`);
}

/** Without CAP_, as host/enter.ts has them. */
export function capabilityNames(set: readonly string[]): Capability[] {
  return set.map((name) => name.slice(4) as Capability);
}

function normalize(text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (name === "ALL" || known.has(name)) return name;
  throw new TranshipError("E_USAGE", `not a capability: ${JSON.stringify(text)}`, {
    hint: "write for example --cap-add NET_ADMIN; capabilities(7) lists them",
  });
}

/** Splits what a package says that it needs: what it may have by itself, and what somebody would have to give it. */
export function neededCapabilities(needs: readonly string[]): { given: string[]; withheld: string[] } {
  const usual = new Set<string>(defaultCapabilities);
  const names = needs.map(normalize).filter((name) => name !== "ALL");
  return {
    given: names.filter((name) => usual.has(name)),
    withheld: names.filter((name) => !usual.has(name)),
  };
}
