// Where an application comes from and what identifies its machine, as a descriptor says it.

import { readIdentity } from "../../discover/identity.ts";
import { Source } from "../../discover/source.ts";
import { readArchitecture, readKernel, readOs } from "../../discover/system.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Identity, Origin } from "../../package/descriptor.ts";

/**
 * Host name, domain, time zone and locale are kept by default; what licences bind to is opt-in. `liveName` false: the name that the machine's
 * kernel tells is not that of the application, which has a UTS namespace of its own.
 */
export async function readOrigin(
  machine: Machine,
  liveName = true,
): Promise<{ origin: Origin; identity: Identity }> {
  const source = new Source(machine.files);
  const [os, kernel, architecture, identity] = await Promise.all([
    readOs(source),
    readKernel(machine, source),
    readArchitecture(source),
    readIdentity(machine, source, liveName),
  ]);
  const orNull = (value: string): string | null => (value === "" ? null : escapeBytes(value));
  return {
    origin: {
      os: { id: os.id || "unknown", version: os.version },
      kernel: escapeBytes(kernel.running?.release ?? kernel.installed.at(-1) ?? ""),
      architecture: architecture.name || "amd64",
      identity: {
        macAddresses: identity.macAddresses,
        addresses: identity.addresses,
        machineId: /^[0-9a-f]{32}$/.test(identity.machineId) ? identity.machineId : null,
        hostId: orNull(identity.hostId),
        dmi: Object.fromEntries(
          Object.entries(identity.dmi).map(([name, value]) => [name, escapeBytes(value)]),
        ),
      },
    },
    identity: {
      hostname: orNull(identity.hostname),
      domain: orNull(identity.domain),
      timezone: orNull(identity.timezone),
      locale: orNull(identity.locale),
      macAddress: null,
      addresses: [],
      machineId: null,
      hostId: null,
      dmi: null,
    },
  };
}
