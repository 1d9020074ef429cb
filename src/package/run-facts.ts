// What `run` wants of a descriptor, as one line of JSON: an annotation of the descriptor manifest, made with it from the same text. Reading
// YAML would cost more than the start of an instance. Comes from registries too, so that each value is checked as in schema.ts. Pure.
import { TranshipError } from "../base/errors.ts";
import type { Descriptor, Identity, SourceIdentity } from "./descriptor.ts";
import { dmiName } from "./identity.ts";

export const runFactsAnnotation = "vnd.tranship.run";

export interface RunFacts {
  readonly identity: Identity;
  readonly source: SourceIdentity | null;
}

/** A name that no host can have is left out: the application goes on under the instance's own. */
export function encodeRunFacts({ identity, origin }: Descriptor): string {
  const { macAddress, addresses, machineId, hostId, dmi } = identity;
  const fitting = (value: string | null, pattern: RegExp) =>
    value !== null && pattern.test(value) ? value : null;
  return JSON.stringify({
    identity: {
      hostname: fitting(identity.hostname, patterns.hostname),
      domain: fitting(identity.domain, patterns.domain),
      timezone: fitting(identity.timezone, patterns.timezone),
      locale: fitting(identity.locale, patterns.locale),
      macAddress,
      addresses,
      machineId,
      hostId,
      dmi,
    },
    source: origin.identity ?? null,
  } satisfies RunFacts);
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

/** E_DESCRIPTOR_INVALID names the value. `reference`: what it belongs to. */
export function decodeRunFacts(text: string, reference: string): RunFacts {
  const wrong = (where: string, value: unknown): TranshipError =>
    new TranshipError(
      "E_DESCRIPTOR_INVALID",
      `${reference}: ${where} cannot be ${JSON.stringify(value)?.slice(0, 200)}`,
      { hint: "capture the package anew, or edit its descriptor" },
    );
  const word = (where: string, value: unknown, pattern: RegExp): string | null => {
    if (value === null || value === undefined) return null;
    if (typeof value === "string" && pattern.test(value)) return value;
    throw wrong(where, value);
  };
  const words = (where: string, value: unknown, pattern: RegExp): string[] => {
    if (!Array.isArray(value ?? []) || (value as unknown[])?.length > 1000) throw wrong(where, value);
    return ((value ?? []) as unknown[]).flatMap((one) => word(where, one, pattern) ?? []);
  };
  const table = (where: string, value: unknown): Record<string, string> | null => {
    if (value === null || value === undefined) return null;
    if (typeof value !== "object" || Array.isArray(value)) throw wrong(where, value);
    const entries = Object.entries(value).slice(0, 100);
    return Object.fromEntries(
      entries.flatMap(([name, one]) => {
        if (!dmiName.test(name)) throw wrong(where, name);
        const known = word(`${where}.${name}`, one, patterns.dmi);
        return known === null ? [] : [[name, known]];
      }),
    );
  };
  const object = (where: string, value: unknown): Record<string, unknown> => {
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
    throw wrong(where, value);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong(`annotation ${runFactsAnnotation}`, text);
  }
  const facts = object("descriptor", parsed);
  const identity = object("identity", facts.identity);
  const source = facts.source === null ? null : object("origin.identity", facts.source);
  return {
    identity: {
      hostname: word("identity.hostname", identity.hostname, patterns.hostname),
      domain: word("identity.domain", identity.domain, patterns.domain),
      timezone: word("identity.timezone", identity.timezone, patterns.timezone),
      locale: word("identity.locale", identity.locale, patterns.locale),
      macAddress: word("identity.macAddress", identity.macAddress, patterns.mac),
      addresses: words("identity.addresses", identity.addresses, patterns.address),
      machineId: word("identity.machineId", identity.machineId, patterns.machineId),
      hostId: word("identity.hostId", identity.hostId, patterns.hostId),
      dmi: table("identity.dmi", identity.dmi),
    },
    source: source && {
      macAddresses: words("origin.identity.macAddresses", source.macAddresses, patterns.mac),
      addresses: words("origin.identity.addresses", source.addresses, patterns.address),
      machineId: word("origin.identity.machineId", source.machineId, patterns.machineId),
      hostId: word("origin.identity.hostId", source.hostId, patterns.hostId),
      dmi: table("origin.identity.dmi", source.dmi) ?? {},
    },
  };
}
