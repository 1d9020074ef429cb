// Ports of the host: a lease for each that is published, so that two instances never want the same.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import { errnoOf } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { claim, free, holder, leases } from "./lease.ts";
import { anyOf, isAny, isSix, type PortRequest, type PublishedPort } from "./ports.ts";

/** Takes the host ports; each that was 0 becomes a free one. E_PORT_TAKEN names who has it. */
export async function leasePorts(
  root: StateRoot,
  id: string,
  requests: readonly PortRequest[],
): Promise<PublishedPort[]> {
  const taken: PublishedPort[] = [];
  try {
    for (const request of requests) taken.push(await lease(root, id, request, taken.at(-1)));
    return taken;
  } catch (error) {
    for (const port of taken) free(root, "ports", leaseName(port), id);
    throw error;
  }
}

/** `last`: the port taken before. One that is free on IPv4 is asked for on IPv6 too, so that both are the same where that can be. */
async function lease(
  root: StateRoot,
  id: string,
  request: PortRequest,
  last: PublishedPort | undefined,
): Promise<PublishedPort> {
  if (request.hostPort !== 0) return await leaseOne(root, id, request);
  const twin =
    request.hostAddress === "::" && last?.hostAddress === "" && last.containerPort === request.containerPort;
  if (twin) {
    try {
      return await leaseOne(root, id, { ...request, hostPort: last.hostPort });
    } catch (error) {
      if (!isTranshipError(error, "E_PORT_TAKEN")) throw error;
    }
  }
  return await leaseAny(root, id, request);
}

export function leaseName(port: PortRequest): string {
  return `${port.protocol}-${port.hostAddress || "0.0.0.0"}-${port.hostPort}`;
}

async function leaseOne(root: StateRoot, id: string, request: PortRequest): Promise<PublishedPort> {
  const other = otherLease(root, request);
  if (other !== undefined) throw portTaken(request, `the instance ${other.slice(0, 12)}`);
  const probe = await listenTest(request);
  if (probe === "EADDRNOTAVAIL") {
    throw new TranshipError("E_USAGE", `the host has no address ${request.hostAddress}`, {
      hint: "see its addresses with `ip address`",
    });
  }
  if (probe !== undefined) throw portTaken(request, listenerOf(request) ?? "another program");
  if (!claim(root, "ports", leaseName(request), id)) {
    throw portTaken(
      request,
      `the instance ${(holder(root, "ports", leaseName(request)) ?? "").slice(0, 12)}`,
    );
  }
  return request;
}

async function leaseAny(root: StateRoot, id: string, request: PortRequest): Promise<PublishedPort> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await freePort(request);
    const candidate = { ...request, hostPort: port };
    if (otherLease(root, candidate) === undefined && claim(root, "ports", leaseName(candidate), id))
      return candidate;
  }
  throw new TranshipError("E_PORT_TAKEN", `no free ${request.protocol} port was found on the host`, {
    hint: "name one with -p HOSTPORT:PORT",
  });
}

/** An instance whose lease covers the same port: an address stands for itself, no address for all. */
function otherLease(root: StateRoot, port: PortRequest): string | undefined {
  const found = leases(root, "ports").find(({ name }) => {
    const [protocol, address, number] = name.split("-");
    if (protocol !== port.protocol || Number(number) !== port.hostPort) return false;
    if (address?.includes(":") !== isSix(port)) return false;
    return address === anyOf(port) || isAny(port) || address === port.hostAddress;
  });
  return found?.id;
}

function portTaken(port: PortRequest, who: string): TranshipError {
  return new TranshipError(
    "E_PORT_TAKEN",
    `port ${port.hostPort}/${port.protocol} of the host is taken by ${who}`,
    {
      hint: `choose another with -p OTHER:${port.containerPort}, or -p ${port.containerPort} for any free one`,
    },
  );
}

/** undefined: nobody listens there. */
function listenTest(port: PortRequest): Promise<string | undefined> {
  return bind(port).then(
    () => undefined,
    (cause: unknown) => errnoOf(cause) ?? "EADDRINUSE",
  );
}

async function freePort(port: PortRequest): Promise<number> {
  return await bind({ ...port, hostPort: 0 });
}

/** Binds and lets go at once; the port that it was. */
async function bind(port: PortRequest): Promise<number> {
  const host = port.hostAddress || "0.0.0.0";
  const ipv6Only = isSix(port);
  // Loaded only where a port is published.
  const [{ createServer }, { createSocket }] = await Promise.all([import("node:net"), import("node:dgram")]);
  return await new Promise((resolve, reject) => {
    if (port.protocol === "tcp") {
      const server = createServer();
      server.on("error", reject);
      server.listen({ host, port: port.hostPort, exclusive: true, ipv6Only }, () => {
        const address = server.address();
        server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
      });
      return;
    }
    const socket = createSocket({ type: ipv6Only ? "udp6" : "udp4", ipv6Only });
    socket.on("error", reject);
    socket.bind({ address: host, port: port.hostPort, exclusive: true }, () => {
      const bound = socket.address().port;
      socket.close(() => resolve(bound));
    });
  });
}

/** Which process of the host listens there, as far as we may see it. */
function listenerOf(port: PortRequest): string | undefined {
  const hex = port.hostPort.toString(16).toUpperCase().padStart(4, "0");
  for (const file of [port.protocol, `${port.protocol}6`]) {
    const lines = readFileSync(`/proc/self/net/${file}`, "latin1").split("\n");
    for (const line of lines) {
      const fields = line.trim().split(/\s+/);
      const listening = fields[3] === "0A" || (port.protocol === "udp" && fields[3] === "07");
      if (fields[1]?.endsWith(`:${hex}`) !== true || !listening) continue;
      const owner = ownerOfSocket(fields[9] ?? "");
      if (owner !== undefined) return owner;
    }
  }
  return undefined;
}

function ownerOfSocket(inode: string): string | undefined {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) !== `socket:[${inode}]`) continue;
        return `${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} (process ${pid})`;
      }
    } catch {} // gone, or not ours to see
  }
  return undefined;
}

/** The ports of leases that an instance holds, whatever its launch record says. */
export function leasedPorts(root: StateRoot, id: string): PublishedPort[] {
  return leases(root, "ports").flatMap((lease) => {
    const [protocol = "", address = "", port = ""] = lease.name.split("-");
    if (lease.id !== id || (protocol !== "tcp" && protocol !== "udp")) return [];
    return [
      {
        protocol,
        hostAddress: address === "0.0.0.0" ? "" : address,
        hostPort: Number(port),
        containerPort: 0,
      },
    ];
  });
}
