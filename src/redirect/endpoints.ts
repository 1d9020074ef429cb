// The ends of a network redirection, as a descriptor writes them. An address is `IP`, `IP:PORT`, `*`, `*:PORT` or `:PORT`; IPv6 stands in brackets where a
// port follows. A name is a host name, without a port.
import { TranshipError } from "../base/errors.ts";
import type { NetworkRedirection } from "../package/descriptor.ts";

export interface Endpoint {
  /** 4 or 16 bytes; empty: any, or in `to` the one asked for. */
  readonly address: readonly number[];
  /** 0: any, or in `to` the one asked for. */
  readonly port: number;
}

export type NetworkRule =
  | {
      readonly kind: "connect" | "bind";
      readonly from: Endpoint;
      readonly to: Endpoint;
      readonly declared: number;
    }
  | { readonly kind: "name"; readonly from: string; readonly to: string; readonly declared: number };

/** `to` of a name may be an address: the name then stands for it. E_DESCRIPTOR_INVALID with the value. */
export function networkRule(given: NetworkRedirection, declared: number): NetworkRule {
  if (given.kind === "name")
    return { kind: "name", from: hostName(given.from), to: addressOrName(given.to), declared };
  const [from, to] = [endpoint(given.from), endpoint(given.to)];
  const mixed = from.address.length > 0 && to.address.length > 0 && from.address.length !== to.address.length;
  if (mixed) throw invalid(`${given.from} and ${given.to}`, "both addresses must be of one IP version");
  return { kind: given.kind, from, to, declared };
}

function endpoint(text: string): Endpoint {
  const parts =
    /^(?:\[([^\]]*)\]|(\*)|([0-9.]*)|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*))(?::(\d{1,5}))?$/.exec(
      text,
    );
  const [, bracketed, , four = "", six] = parts ?? [];
  const port = Number(parts?.[5] ?? 0);
  const bare = bracketed ?? six;
  const address = bare === undefined ? (four === "" ? [] : bytes4(four)) : bytes6(bare);
  const nothing = text === "" || (parts?.[5] !== undefined && port === 0);
  if (parts === null || address === undefined || port > 65535 || nothing)
    throw invalid(text, "write IP, IP:PORT, [IPv6]:PORT, * or *:PORT");
  return { address, port };
}

function hostName(text: string): string {
  if (!/^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(text) || bytes4(text) !== undefined)
    throw invalid(text, "write a host name of letters, digits, `-` and `.`");
  return text.toLowerCase();
}

function addressOrName(text: string): string {
  return bytes4(text) === undefined && bytes6(text) === undefined ? hostName(text) : text.toLowerCase();
}

function bytes4(text: string): number[] | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  return parts === undefined || parts.some((part) => part > 255) ? undefined : parts;
}

function bytes6(text: string): number[] | undefined {
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const four = embedded === null ? [] : bytes4(embedded[2] ?? "");
  if (four === undefined) return undefined;
  const halves = (embedded === null ? text : (embedded[1] ?? "").replace(/([^:]):$/, "$1")).split("::");
  if (!text.includes(":") || halves.length > 2) return undefined;
  const [front = [], back = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - four.length / 2 - front.length - back.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const words = [...front, ...Array.from({ length: missing }, () => "0"), ...back];
  if (!words.every((word) => /^[0-9a-fA-F]{1,4}$/.test(word))) return undefined;
  return [
    ...words.map((word) => Number.parseInt(word, 16)).flatMap((word) => [word >> 8, word & 0xff]),
    ...four,
  ];
}

function invalid(value: string, hint: string): TranshipError {
  return new TranshipError(
    "E_DESCRIPTOR_INVALID",
    `not an end of a network redirection: ${JSON.stringify(value)}`,
    {
      hint,
    },
  );
}
