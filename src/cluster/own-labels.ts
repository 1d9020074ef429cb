// What a container definition has no field for and our nodes can give, as labels of the container: a MAC address, and the system calls that its programs may make. Pure.
import type { ContainerDefinition, RegisterTaskDefinitionRequest, TaskDefinition } from "./api/shapes.ts";

export const macLabel = "com.tranship.mac-address";
/** Names with a space between them. */
export const callsLabel = "com.tranship.syscalls";

/** Of the container's own network. In lower case. */
export function macOf({ dockerLabels = {} }: ContainerDefinition): string | undefined {
  return dockerLabels[macLabel]?.toLowerCase();
}

/** Of the network that the containers of a task share. */
export function sharedMac({ containerDefinitions = [] }: TaskDefinition): string | undefined {
  return containerDefinitions.map(macOf).find((mac) => mac !== undefined);
}

/** Those that a capture learned: nothing else is allowed, and never more than without the label. */
export function callsOf({ dockerLabels = {} }: ContainerDefinition): string[] | undefined {
  return dockerLabels[callsLabel]?.split(" ");
}

/** The first thing that is wrong with them. */
export function labelProblem(
  container: ContainerDefinition,
  { networkMode = "bridge", containerDefinitions }: RegisterTaskDefinitionRequest,
): string | undefined {
  const told = (label: string, what: string): string =>
    `The label ${label} of container '${container.name}' ${what}.`;
  const mac = macOf(container);
  if (mac !== undefined) {
    if (!/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac) || mac === "00:00:00:00:00:00")
      return told(macLabel, `is not the address of one device: ${mac.slice(0, 60)}`);
    if (!["bridge", "awsvpc"].includes(networkMode) || container.disableNetworking)
      return told(macLabel, "needs a network that is the container's own: networkMode bridge or awsvpc");
    const others = containerDefinitions.map(macOf).filter((one) => one !== undefined && one !== mac);
    if (networkMode === "awsvpc" && others.length > 0)
      return told(macLabel, `differs from that of another container, whose network it shares: ${others[0]}`);
  }
  const calls = container.dockerLabels?.[callsLabel];
  if (calls !== undefined && !/^[a-z_][a-z0-9_]{0,40}(?: [a-z_][a-z0-9_]{0,40}){0,600}$/.test(calls))
    return told(callsLabel, "is not a list of names of system calls with a space between them");
  return undefined;
}
