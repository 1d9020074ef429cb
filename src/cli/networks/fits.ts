// --filter of the verbs of networks: docker's keys.
import { TranshipError } from "../../base/errors.ts";
import type { Network } from "../../runtime/network/list.ts";
import { timeOf } from "../instances/time-of.ts";

type Fits = (network: Network) => boolean;

const keys = ["driver", "id", "label", "name", "scope", "type", "dangling"];

export function networkFilter(entry: string): Fits {
  const cut = entry.indexOf("=");
  const key = entry.slice(0, Math.max(cut, 0));
  const value = entry.slice(cut + 1);
  switch (keys.includes(key) ? key : "") {
    case "driver":
      return ({ driver }) => driver === value;
    case "id":
      return ({ id }) => id.startsWith(value);
    case "label":
      return hasLabel(value);
    case "name":
      return ({ name }) => name.includes(value);
    case "scope":
      return () => value === "local";
    case "type":
      if (value !== "builtin" && value !== "custom")
        throw noFilter(entry, "write type=builtin or type=custom");
      return ({ predefined }) => predefined === (value === "builtin");
    case "dangling":
      return ({ used, predefined }) => (!used && !predefined) === /^(1|true)$/i.test(value);
    default:
      throw noFilter(entry, `write KEY=VALUE, where KEY is one of ${keys.join(", ")}`);
  }
}

export function pruneFilter(entry: string): Fits {
  const [, key, value = ""] = /^(until|label!?)=(.*)$/s.exec(entry) ?? [];
  if (key === undefined) throw noFilter(entry, "write until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]");
  if (key === "until") {
    const time = timeOf("--filter until", value);
    return ({ createdAt }) => Date.parse(createdAt ?? "") < time;
  }
  const fits = hasLabel(value);
  return key === "label" ? fits : (network) => !fits(network);
}

function hasLabel(text: string): Fits {
  const cut = text.indexOf("=");
  if (cut < 0) return ({ labels }) => labels[text] !== undefined;
  return ({ labels }) => labels[text.slice(0, cut)] === text.slice(cut + 1);
}

function noFilter(entry: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", `not a filter: ${JSON.stringify(entry)}`, { hint });
}
