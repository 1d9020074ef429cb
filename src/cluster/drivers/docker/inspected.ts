// What the engine tells of a container, as far as we look at it.
import type { NetworkBinding } from "../../api/shapes.ts";
import type { SeenContainer } from "../containers.ts";
import { endpointNetwork } from "./endpoint-place.ts";

export interface Inspected {
  Id: string;
  Image: string;
  State: { Running: boolean; Status: string; ExitCode: number; OOMKilled: boolean; Error: string };
  HostConfig: { NetworkMode: string };
  NetworkSettings: {
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
    Networks: Record<string, { IPAddress: string; MacAddress: string }> | null;
  };
}

/** `holder`: the container whose network it shares. */
export function seenOf(container: Inspected, holder: Inspected | undefined): SeenContainer {
  const { State: state } = container;
  const running = state.Running || state.Status === "created";
  const { [endpointNetwork]: endpoint, ...networks } = (holder ?? container).NetworkSettings.Networks ?? {};
  const [network] = Object.values(networks);
  return {
    running,
    ...(running ? {} : { exitCode: state.ExitCode, reason: reasonOf(container) }),
    runtimeId: container.Id,
    imageDigest: container.Image,
    bindings: bindingsOf(container),
    address: network?.IPAddress || undefined,
    mac: network?.MacAddress || undefined,
    asksFrom: endpoint?.IPAddress || undefined,
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
