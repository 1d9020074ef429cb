// Flags that say who an instance is.
import { TranshipError } from "../../base/errors.ts";
import { dmiName, parseIdentityKinds } from "../../package/identity.ts";
import type { IdentityOptions } from "../../runtime/identity/identity.ts";
import { flag, list, type OptionValues, text } from "../verb.ts";

const forms = [
  ["domainname", "domain", /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,62})$/, "a domain name", "use letters, digits, - and ., at most 63"],
  ["macAddress", "mac", /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/, "a MAC address", "write for example 02:00:5e:10:20:30"],
  ["machineId", "machineId", /^[0-9a-f]{32}$/, "a machine id", "write 32 hexadecimal digits, as in /etc/machine-id"],
  ["hostid", "hostId", /^[0-9a-f]{8}$/, "a host id", "write 8 hexadecimal digits, as the program hostid prints them"],
] as const; // biome-ignore format: a table

export function identityOptions(options: OptionValues): IdentityOptions {
  const found: { domain?: string; mac?: string; machineId?: string; hostId?: string } = {};
  for (const [option, key, pattern, what, hint] of forms) {
    const value = text(options, option);
    if (value === undefined) continue;
    if (!pattern.test(value)) throw usage(`not ${what}: ${JSON.stringify(value)}`, hint);
    found[key] = value;
  }
  const keep = parseIdentityKinds(list(options, "keepIdentity"));
  const dmi = list(options, "dmi").map(dmiValue);
  const fresh = flag(options, "newIdentity");
  if (fresh && keep.length > 0) {
    throw usage("--new-identity and --keep-identity contradict each other", "give one of them");
  }
  return { ...found, keep, fresh, ...(dmi.length === 0 ? {} : { dmi: Object.fromEntries(dmi) }) };
}

function dmiValue(entry: string): [string, string] {
  const cut = entry.indexOf("=");
  const name = entry.slice(0, Math.max(cut, 0));
  const value = entry.slice(cut + 1);
  if (dmiName.test(name) && /^[^\0\n]{1,256}$/.test(value)) return [name, value];
  throw usage(
    `not a value of DMI: ${JSON.stringify(entry)}`,
    "write NAME=VALUE with the name of a file of /sys/class/dmi/id, for example product_serial=VMW-4711",
  );
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
