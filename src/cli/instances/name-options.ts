// What names lead to: --add-host, --dns and --dns-search. Pure.
import { TranshipError } from "../../base/errors.ts";
import { isAddress } from "../../formats/ip-address.ts";
import type { NetworkOptions } from "../../runtime/network/plug.ts";
import { list, type OptionValues } from "../verb.ts";

export function addedHosts(options: OptionValues): NonNullable<NetworkOptions["connect"]> {
  return list(options, "addHost").map((entry) => {
    // A name has neither; an address of IPv6 has more of the second.
    const [, from = "", to = ""] = /^([^=:]+)[=:](.+)$/.exec(entry) ?? [];
    const address = to.replace(/^\[(.*)\]$/, "$1");
    if (!/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,252})$/.test(from) || !isAddress(address))
      throw usage(
        `not a host: ${JSON.stringify(entry)}`,
        "write NAME:ADDRESS, with an address of IPv4 or IPv6",
      );
    return { kind: "name", from, to: address };
  });
}

export function resolverOptions(options: OptionValues): Pick<NetworkOptions, "resolver"> {
  const [servers, search] = [list(options, "dns"), list(options, "dnsSearch")];
  for (const server of servers)
    if (!isAddress(server))
      throw usage(`--dns: not an address: ${JSON.stringify(server)}`, "give the address of a name server");
  for (const domain of search)
    if (!/^(\.|[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,252}))$/.test(domain))
      throw usage(`--dns-search: not a domain: ${JSON.stringify(domain)}`, "write for example example.org");
  return servers.length + search.length === 0 ? {} : { resolver: { servers, search } };
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
