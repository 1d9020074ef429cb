// What the in-process engine is told of a package, in one value: rules, elements, identity. policy-codec.ts has its binary form.
import { TranshipError } from "../base/errors.ts";
import type { Descriptor, Elements, Identity, UnameElement } from "../package/descriptor.ts";
import { type ClockRule, clockRule } from "./clock.ts";
import { type NetworkRule, networkRule } from "./endpoints.ts";
import { cleanPath, type FileRule, fileRule, makeTable, type RuleTable } from "./rules.ts";

export interface Policy {
  readonly files: RuleTable;
  /** Of one kind the first that fits counts, so they stay in order. */
  readonly network: readonly NetworkRule[];
  /** undefined: the machine's own. */
  readonly clock: ClockRule | undefined;
  readonly uname: UnameElement;
  readonly vsyscall: Elements["vsyscall"];
  readonly loopback: Elements["loopback"];
  readonly identity: PolicyIdentity;
  /** metadata.id; FileRule.root counts from 1 in it. */
  readonly links: readonly string[];
  /** Names of programs that leave the engine. */
  readonly excludes: readonly string[];
}

/** null: as the machine has it. */
export interface PolicyIdentity {
  readonly hostname: string | null;
  readonly domain: string | null;
  /** 6 bytes as in the descriptor: "02:00:5e:10:20:30", lower case. */
  readonly macAddress: string | null;
  /** 32 hexadecimal digits. */
  readonly machineId: string | null;
  /** 8 hexadecimal digits. */
  readonly hostId: string | null;
  /** By the names of /sys/class/dmi/id, sorted. */
  readonly dmi: ReadonlyArray<readonly [name: string, value: string]>;
}

export const most = { network: 1024, links: 256, excludes: 1024, dmi: 64, text: 4095 };

export interface PolicyInput {
  readonly descriptor: Pick<Descriptor, "redirections" | "elements" | "links" | "excludes">;
  /** What of it the instance takes on is for the caller to say. */
  readonly identity: Identity;
  /** Folders that stay the host's whatever the descriptor says of folders around them: /proc, /sys, /dev, ... */
  readonly host?: readonly string[];
}

/** E_DESCRIPTOR_INVALID with the value that no engine could carry out, E_LIMIT for too many. */
export function compilePolicy(input: PolicyInput): Policy {
  const { redirections, elements, links, excludes } = input.descriptor;
  const policy: Policy = {
    files: makeTable([
      ...(input.host ?? []).map(hostRule),
      ...redirections.files.map((given, i) => fileRule(given, i)),
    ]),
    network: redirections.network.map(networkRule),
    clock: clockRule(elements.clock),
    uname: unameOf(elements.uname),
    vsyscall: elements.vsyscall,
    loopback: elements.loopback,
    identity: identityOf(input.identity),
    links,
    excludes,
  };
  for (const list of ["network", "links", "excludes"] as const)
    if (policy[list].length > most[list])
      throw new TranshipError("E_LIMIT", `${policy[list].length} entries in ${list}, at most ${most[list]}`);
  return policy;
}

/** Whether nothing but the identity is other than the machine's: then an image without policy.bin says the same. */
export function isPlain(policy: Policy): boolean {
  const { files, network, clock, uname, vsyscall, loopback, links, excludes } = policy;
  const lists = [files, network, links, excludes, Object.keys(uname)];
  const elements = clock === undefined && vsyscall === "auto" && loopback === "kernel";
  return elements && lists.every((list) => list.length === 0);
}

function hostRule(path: string, declared: number): FileRule {
  return { from: cleanPath(path), to: "", match: "folder", mode: "host", root: 0, declared };
}

function unameOf(given: UnameElement | null): UnameElement {
  const { release, version, machine } = given ?? {};
  return {
    ...(release === undefined ? {} : { release }),
    ...(version === undefined ? {} : { version }),
    ...(machine === undefined ? {} : { machine }),
  };
}

function identityOf(given: Identity): PolicyIdentity {
  const { hostname, domain, macAddress, machineId, hostId, dmi } = given;
  const values = Object.entries(dmi ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return { hostname, domain, macAddress: macAddress?.toLowerCase() ?? null, machineId, hostId, dmi: values };
}
