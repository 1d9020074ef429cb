// Publishing the ports of an instance: elements in the maps of the rules, and on IPv6 native/proxy where the rules cannot.
import type { Log } from "../../base/log.ts";
import { forgetFlowsArguments } from "../../host/enter-network.ts";
import { nativePath } from "../../host/native.ts";
import { run, runChecked } from "../../host/process.ts";
import { rootlessUser } from "../../host/rootless-user.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import type { Attachment } from "../record.ts";
import { networkNames } from "./devices.ts";
import { free, holder } from "./lease.ts";
import { leaseName } from "./port-leases.ts";
import { anyOf, isAny, isSix, type PublishedPort } from "./ports.ts";
import { needsProxy, startProxy, stopProxy } from "./proxy.ts";
import { addPortsText, deletePortsText } from "./rules.ts";
import { lockNetwork } from "./up.ts";

export interface Publishing {
  readonly root: StateRoot;
  /** Of the instance. */
  readonly id: string;
  /** The network that the ports lead to; undefined: to none. */
  readonly front: Attachment | undefined;
  /** Who starts the instance: without it, and before the instance has a network, its proxy ends. */
  readonly starter: number;
  readonly log: Log;
}

/** Call with the lock of the network held. E_PORT_TAKEN. */
export async function publish(to: Publishing, ports: readonly PublishedPort[]): Promise<void> {
  const { root, front } = to;
  if (ports.length === 0 || front === undefined) return;
  const proxied = ports.filter((port) => needsProxy(port, front));
  if (proxied.length > 0) {
    step("start the proxy");
    await startProxy(to, front, proxied);
  }
  step("publish ports");
  const { table } = networkNames(root);
  const text = [
    addPortsText(
      table,
      front.address,
      ports.filter((port) => !isSix(port)),
    ),
    // [::1] is never forwarded.
    front.address6 === null
      ? ""
      : addPortsText(
          table,
          front.address6,
          ports.filter((port) => isSix(port) && port.hostAddress !== "::1"),
        ),
  ].join("");
  if (text !== "") await runChecked("nft", ["-f", "-"], { input: text });
  const unknown = await forgetFlows(ports);
  if (unknown !== "")
    to.log.warn(`clients of UDP that sent before the instance started may not reach it: ${unknown}`);
  if (rootlessUser() === undefined) return;
  // Of an ordinary user: the host's own ports are others' to give, and on IPv4 only.
  const { addForwards } = await import("../../host/rootless/outside.ts");
  await addForwards(
    root.path,
    ports.filter((port) => !isSix(port)),
  );
}

/**
 * Where a flow of UDP leads is decided at its first packet, and it ends only when nobody has sent for a while: of TCP there is a first packet for
 * each connection. After the rules have changed, so that what comes next goes by them. "" or why that cannot be done.
 */
async function forgetFlows(ports: readonly PublishedPort[]): Promise<string> {
  const ends = ports
    .filter(({ protocol }) => protocol === "udp")
    .map((port) => ({
      protocol: port.protocol,
      address: isAny(port) ? anyOf(port) : port.hostAddress,
      port: port.hostPort,
    }));
  if (ends.length === 0) return "";
  step("forget flows");
  const { status, stderr } = await run(nativePath("enter"), forgetFlowsArguments(ends));
  return status === 0 ? "" : stderr.trim();
}

/** Leads the ports of a running instance to another of its networks. */
export async function republish(to: Publishing, ports: readonly PublishedPort[]): Promise<void> {
  const { root, id } = to;
  const mine = ports.filter((port) => holder(root, "ports", leaseName(port)) === id);
  if (mine.length === 0) return;
  const lock = await lockNetwork(root);
  try {
    step("withdraw ports");
    await withdraw(root, id, mine);
    await publish(to, mine);
  } finally {
    lock.release();
  }
}

async function withdraw(root: StateRoot, id: string, ports: readonly PublishedPort[]): Promise<void> {
  const { table } = networkNames(root);
  await stopProxy(root, id);
  if (rootlessUser() !== undefined) {
    const { removeForwards } = await import("../../host/rootless/outside.ts");
    await removeForwards(root.path, ports);
  }
  const all = await run("nft", ["-f", "-"], { input: deletePortsText(table, ports) });
  // A transaction fails as a whole where one is missing: then one by one.
  if (all.status !== 0)
    for (const port of ports) await run("nft", ["-f", "-"], { input: deletePortsText(table, [port]) });
  // Whoever gets the address next is not to get what was meant for this one. Why it cannot be done was said at the start.
  await forgetFlows(ports);
}

/** Takes the elements out of the maps and gives the leases back. What is no longer there is no error. */
export async function unpublish(root: StateRoot, id: string, ports: readonly PublishedPort[]): Promise<void> {
  const mine = ports.filter((port) => holder(root, "ports", leaseName(port)) === id);
  if (mine.length === 0) return;
  const lock = await lockNetwork(root);
  try {
    step("unpublish ports");
    await withdraw(root, id, mine);
    for (const port of mine) free(root, "ports", leaseName(port), id);
  } finally {
    lock.release();
  }
}
