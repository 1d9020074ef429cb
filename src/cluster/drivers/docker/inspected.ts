// What the engine tells of a container, as far as we look at it.
import type { NetworkBinding } from "../../api/shapes.ts";
import type { SeenContainer } from "../containers.ts";
import type { Health } from "../health-checks.ts";
import { endpointNetwork } from "./endpoint-place.ts";

export interface Inspected {
  Id: string;
  Image: string;
  State: {
    Running: boolean;
    Status: string;
    ExitCode: number;
    OOMKilled: boolean;
    Error: string;
    /** Only where it is checked. */
    Health?: { Status: string };
  };
  HostConfig: { NetworkMode: string };
  NetworkSettings: {
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
    Networks: Record<string, { IPAddress: string; MacAddress: string }> | null;
  };
}

/** An entry of GET /containers/json, as far as we look at it. */
export interface Listed {
  Id: string;
  Names: string[];
  State: string;
  /** For people, and the only place where a list has the health: "Up 5 seconds (healthy)". */
  Status: string;
}

/** undefined: the engine does not check it. */
export function listedHealth({ Status: status }: Listed): Health | undefined {
  const [, word = ""] = /\((?:health: )?([a-z]+)\)$/.exec(status) ?? [];
  return healthNames[word];
}

const healthNames: Readonly<Record<string, Health>> = {
  starting: "UNKNOWN",
  healthy: "HEALTHY",
  unhealthy: "UNHEALTHY",
};

/** `holder`: the container whose network it shares. */
export function seenOf(container: Inspected, holder: Inspected | undefined): SeenContainer {
  const { State: state } = container;
  const running = state.Running || state.Status === "created";
  const { [endpointNetwork]: endpoint, ...networks } = (holder ?? container).NetworkSettings.Networks ?? {};
  const [network] = Object.values(networks);
  const health = state.Running ? healthNames[state.Health?.Status ?? ""] : undefined;
  return {
    running,
    ...(running ? {} : { exitCode: state.ExitCode, reason: reasonOf(container) }),
    runtimeId: container.Id,
    imageDigest: container.Image,
    bindings: bindingsOf(container),
    address: network?.IPAddress || undefined,
    mac: network?.MacAddress || undefined,
    asksFrom: endpoint?.IPAddress || undefined,
    ...(health === undefined ? {} : { health }),
  };
}

function reasonOf({ State: { OOMKilled, Error: error } }: Inspected): string | undefined {
  if (OOMKilled) return "the container ran out of memory";
  return error === "" ? undefined : error;
}

/** One a port: the engine lists IPv4 and IPv6 apart. */
function bindingsOf({ NetworkSettings: { Ports } }: Inspected): NetworkBinding[] {
  return Object.entries(Ports ?? {}).flatMap(([key, bound]) => {
    const [port = "", protocol = "tcp"] = key.split("/");
    const [first] = bound ?? [];
    if (first === undefined) return [];
    return [
      {
        bindIP: first.HostIp,
        containerPort: Number(port),
        hostPort: Number(first.HostPort),
        protocol: protocol as "tcp" | "udp",
      },
    ];
  });
}
