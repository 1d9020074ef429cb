// Flags that say on which networks an instance is.
import { TranshipError } from "../../base/errors.ts";
import { networkRule } from "../../redirect/endpoints.ts";
import type { NetworkOptions, NetworkRequest } from "../../runtime/network/plug.ts";
import { list, type OptionValues, text } from "../verb.ts";

export function networkOptions(
  options: OptionValues,
): Pick<NetworkOptions, "network" | "networks" | "networkOf"> {
  const words = list(options, "network");
  const [only = "bridge"] = words;
  const alone = words.length < 2;
  const container = /^container:(.+)$/s.exec(only)?.[1];
  if (alone && container !== undefined) {
    refuseAddressing(options);
    // Its files of names are that one's too.
    refuse(options, "addHost", "dns", "dnsSearch");
    return { network: "container", networkOf: container };
  }
  if (alone && (only === "host" || only === "none")) {
    refuseAddressing(options);
    return { network: only };
  }
  const requests = (words.length === 0 ? ["bridge"] : words).map(parseNetwork);
  return {
    network: "bridge",
    networks: requests.map((one, index) => (index === 0 ? withFlags(one, options) : one)),
  };
}

function refuseAddressing(options: OptionValues): void {
  refuse(options, "ip", "ip6", "networkAlias");
}

/** What contradicts the network that was asked for. */
function refuse(options: OptionValues, ...names: string[]): void {
  const given = names.find((name) => text(options, name) !== undefined || list(options, name).length > 0);
  if (given === undefined) return;
  const what = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw usage(
    `conflicting options: --${what} and the network ${list(options, "network")[0] ?? ""}`,
    "leave one of them out",
  );
}

function withFlags(one: NetworkRequest, options: OptionValues): NetworkRequest {
  return {
    ...one,
    ...addressing({ ip: text(options, "ip"), ip6: text(options, "ip6") }),
    aliases: [...one.aliases, ...list(options, "networkAlias").map(alias)],
  };
}

/** --connect FROM=TO: what is asked for at one address leads to the other. */
export function connections(options: OptionValues): NonNullable<NetworkOptions["connect"]> {
  return list(options, "connect").map((entry) => {
    const [, from = "", to = ""] = /^([^=]+)=([^=]+)$/.exec(entry) ?? [];
    const rule = { kind: "connect", from, to } as const;
    try {
      networkRule(rule, 0);
    } catch (error) {
      throw usage(
        `not a connection: ${JSON.stringify(entry)}`,
        `write IP:PORT=IP:PORT; ${(error as TranshipError).hint ?? ""}`,
      );
    }
    return rule;
  });
}

/** NAME, or docker's longer form name=NAME,alias=NAME,ip=ADDRESS,ip6=ADDRESS. */
function parseNetwork(word: string): NetworkRequest {
  if (!word.includes("=")) return { network: named(word), aliases: [] };
  const found: { name?: string; ip?: string; ip6?: string } = {};
  const aliases: string[] = [];
  for (const part of word.split(",")) {
    const [, key, value = ""] = /^(name|alias|ip|ip6)=(.+)$/.exec(part) ?? [];
    if (key === "alias") aliases.push(alias(value));
    else if (key === "name" || key === "ip" || key === "ip6") found[key] = value;
    else
      throw usage(
        `not a network: ${JSON.stringify(word)}`,
        "write NAME, or name=NAME,alias=NAME,ip=ADDRESS,ip6=ADDRESS",
      );
  }
  return { network: named(found.name ?? ""), aliases, ...addressing(found) };
}

function addressing({
  ip,
  ip6,
}: {
  ip?: string | undefined;
  ip6?: string | undefined;
}): Pick<NetworkRequest, "address" | "address6"> {
  return { ...(ip === undefined ? {} : { address: ip }), ...(ip6 === undefined ? {} : { address6: ip6 }) };
}

function named(word: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(word) && word !== "host" && word !== "none") return word;
  const known = word === "host" || word === "none" || word.startsWith("container:");
  throw usage(
    known ? `the network ${word} cannot be one of several` : `not a network: ${JSON.stringify(word)}`,
    "give bridge, host, none, container:INSTANCE or names of networks of yours",
  );
}

/** Names for /etc/hosts. */
export function alias(name: string): string {
  if (/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,252})$/.test(name)) return name;
  throw usage(`not a name on a network: ${JSON.stringify(name)}`, "use letters, digits, _ . and -");
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
