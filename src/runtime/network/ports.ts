// Published ports: the flags -p and -P as values. Pure.
import { TranshipError } from "../../base/errors.ts";
import { parseAddress } from "./subnet.ts";
import { formatAddress6, parseAddress6 } from "./subnet6.ts";

export type Protocol = "tcp" | "udp";

export interface PortRequest {
  /** "" = every IPv4 address of the host, "::" = every IPv6 address. */
  hostAddress: string;
  /** 0 = any free one. */
  hostPort: number;
  containerPort: number;
  protocol: Protocol;
}

/** A request whose host port is settled. */
export type PublishedPort = PortRequest;

const maxRange = 1000;

export function isSix({ hostAddress }: PortRequest): boolean {
  return hostAddress.includes(":");
}

/** What stands for every address of its family. */
export function anyOf(port: PortRequest): string {
  return isSix(port) ? "::" : "0.0.0.0";
}

export function isAny({ hostAddress }: PortRequest): boolean {
  return hostAddress === "" || hostAddress === "::";
}

/** [ip:]hostPort:containerPort[/proto], ip::containerPort, containerPort; ports may be ranges of equal length. Host port 0 is any free one. */
export function parsePublish(text: string): PortRequest[] {
  const match =
    /^(?:(?:(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):)?(\d+(?:-\d+)?)?:)?(\d+(?:-\d+)?)(?:\/(tcp|udp))?$/.exec(
      text,
    );
  if (match === null) throw invalid(text);
  const [, given = "", host = "", container = "", protocol = "tcp"] = match;
  const address = given === "" ? "" : hostAddress(given);
  if (address === undefined) throw invalid(text);
  const inside = range(container, text);
  const outside = /^0*$/.test(host) ? inside.map(() => 0) : range(host, text);
  if (outside.length !== inside.length) throw invalid(text, "both ranges must have the same length");
  return inside.map((containerPort, index) => ({
    hostAddress: address,
    hostPort: outside[index] ?? 0,
    containerPort,
    protocol: protocol as Protocol,
  }));
}

/** -P: every port that the image exposes ("80/tcp"), on any free port. */
export function exposedPorts(exposed: readonly string[]): PortRequest[] {
  return [...new Set(exposed.map((text) => text.replace(/\/tcp$/, "")))].flatMap((text) => {
    const match = /^(\d+)(?:\/(tcp|udp))?$/.exec(text);
    const port = Number(match?.[1] ?? 0);
    if (port < 1 || port > 65535) return [];
    return [
      {
        hostAddress: "",
        hostPort: 0,
        containerPort: port,
        protocol: (match?.[2] ?? "tcp") as Protocol,
      },
    ];
  });
}

/** PORT[-PORT][/PROTO], as "8080/tcp" each. */
export function parseExpose(text: string): string[] {
  const [, ports = "", protocol = "tcp"] = /^(\d+(?:-\d+)?)(?:\/(tcp|udp))?$/.exec(text) ?? [];
  if (ports === "") throw invalid(text, "write --expose PORT[-PORT][/tcp|udp]");
  return range(ports, text).map((port) => `${port}/${protocol}`);
}

/** As `docker ps` and `podman ps` say them: 0.0.0.0:8080->80/tcp, [::]:6000-6009->6000-6009/udp. Ports that follow one another on both sides are a range. */
export function describePorts(ports: readonly PublishedPort[]): string {
  const ranges: { first: PublishedPort; length: number }[] = [];
  for (const port of ports) {
    const range = ranges.find(({ first, length }) => follows(port, first, length));
    if (range === undefined) ranges.push({ first: port, length: 1 });
    else range.length++;
  }
  const upTo = (port: number, length: number): string =>
    length === 1 ? `${port}` : `${port}-${port + length - 1}`;
  return ranges
    .map(
      ({ first, length }) =>
        `${hostOf(first)}:${upTo(first.hostPort, length)}->${upTo(first.containerPort, length)}/${first.protocol}`,
    )
    .join(", ");
}

function follows(port: PublishedPort, first: PublishedPort, by: number): boolean {
  return (
    port.hostAddress === first.hostAddress &&
    port.protocol === first.protocol &&
    port.hostPort === first.hostPort + by &&
    port.containerPort === first.containerPort + by
  );
}

/** ADDRESS:PORT, with an IPv6 address in brackets. */
export function hostEnd(port: PublishedPort): string {
  return `${hostOf(port)}:${port.hostPort}`;
}

function hostOf(port: PublishedPort): string {
  return isSix(port) ? `[${port.hostAddress}]` : port.hostAddress || "0.0.0.0";
}

function hostAddress(text: string): string | undefined {
  if (!text.startsWith("[")) {
    return parseAddress(text) === undefined ? undefined : text === "0.0.0.0" ? "" : text;
  }
  const value = parseAddress6(text.slice(1, -1));
  return value === undefined ? undefined : formatAddress6(value);
}

function range(text: string, whole: string): number[] {
  const [first = 0, last = first] = text.split("-").map(Number);
  if (first < 1 || last > 65535 || last < first || last - first >= maxRange) throw invalid(whole);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function invalid(text: string, hint?: string): TranshipError {
  return new TranshipError("E_USAGE", `not a published port: ${JSON.stringify(text)}`, {
    hint:
      hint ??
      "write 8080:80, 127.0.0.1:8080:80, [::1]:8080:80, 5353:53/udp or 80 for any free port of the host",
  });
}
