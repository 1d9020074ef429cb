// Names that a package redirects, as lines of its instance's hosts file: looked up at each start. Names of instances on its networks follow these instead,
// see names.ts.
import { TranshipError } from "../../base/errors.ts";
import { isAddress } from "../../formats/ip-address.ts";
import { readLayerFile } from "../layers.ts";
import type { InstanceRecord } from "../record.ts";
import { hasNames } from "./attachments.ts";
import type { NamedAddress } from "./hosts-section.ts";

/** `isInstance`: whether an instance is called so; on its networks that one is followed, and nobody else is asked. E_NETWORK where a name leads to one that nobody knows: the application would reach its old host, or none. */
export async function redirectedNames(
  record: InstanceRecord,
  layers: readonly string[],
  isInstance: (name: string) => boolean,
): Promise<NamedAddress[]> {
  const found: NamedAddress[] = [];
  for (const { from, to } of nameRules(record)) {
    if (hasNames(record) && isInstance(to)) continue;
    const addresses = isAddress(to) ? [to] : await lookUp(to, layers);
    if (addresses.length === 0 && !hasNames(record)) {
      throw new TranshipError("E_NETWORK", `${from} is redirected to ${to}, which has no address here`, {
        hint: `put the instance on a network with one called ${to}, or redirect the name to an address`,
      });
    }
    found.push(...addresses.map((address) => ({ address, names: [from] })));
  }
  return found;
}

export function nameRules({ network }: Pick<InstanceRecord, "network">): { from: string; to: string }[] {
  return (network.redirections ?? [])
    .filter(({ kind }) => kind === "name")
    .map(({ from, to }) => ({ from: from.toLowerCase(), to: to.toLowerCase() }));
}

/** As the package's hosts file has it, or else the resolver of this host. */
async function lookUp(name: string, layers: readonly string[]): Promise<string[]> {
  if (name === "localhost") return ["127.0.0.1"];
  const text = readLayerFile(layers, "etc/hosts")?.toString("utf8") ?? "";
  for (const line of text.split("\n")) {
    const [address = "", ...names] = (line.split("#")[0] ?? "").trim().split(/\s+/);
    if (isAddress(address) && names.some((one) => one.toLowerCase() === name)) return [address];
  }
  const { lookup } = await import("node:dns/promises");
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}
