// What names lead to: --add-host, --dns, --dns-search and --dns-option. Pure.
import { TranshipError } from "../../base/errors.ts";
import { isAddress } from "../../formats/ip-address.ts";
import { hostGateway, type NetworkOptions } from "../../runtime/network/plug.ts";
import { list, type OptionValues } from "../verb.ts";

export function addedHosts(options: OptionValues): NonNullable<NetworkOptions["connect"]> {
  return list(options, "addHost").map((entry) => {
    // A name has neither; an address of IPv6 has more of the second.
    const [, from = "", to = ""] = /^([^=:]+)[=:](.+)$/.exec(entry) ?? [];
    const address = to.replace(/^\[(.*)\]$/, "$1");
    if (!/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,252})$/.test(from) || !(isAddress(address) || to === hostGateway))
      throw usage(
        `not a host: ${JSON.stringify(entry)}`,
        `write NAME:ADDRESS, with an address of IPv4 or IPv6, or NAME:${hostGateway} for this host`,
      );
    return { kind: "name", from, to: address };
  });
}

export function resolverOptions(options: OptionValues): Pick<NetworkOptions, "resolver"> {
  const [servers, search] = [list(options, "dns"), list(options, "dnsSearch")];
  const words = [...list(options, "dnsOption"), ...list(options, "dnsOpt")];
  for (const server of servers)
    if (!isAddress(server))
      throw usage(`--dns: not an address: ${JSON.stringify(server)}`, "give the address of a name server");
  for (const domain of search)
    if (!/^(\.|[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,252}))$/.test(domain))
      throw usage(`--dns-search: not a domain: ${JSON.stringify(domain)}`, "write for example example.org");
  for (const word of words)
    if (!/^[a-z0-9-]+(:\d+)?$/.test(word))
      throw usage(
        `--dns-option: not an option: ${JSON.stringify(word)}`,
        "write for example ndots:1; resolv.conf(5) has them all",
      );
  if (servers.length + search.length + words.length === 0) return {};
  return { resolver: { servers, search, ...(words.length === 0 ? {} : { options: words }) } };
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
