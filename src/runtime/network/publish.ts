// Publishing the ports of an instance: elements in the maps of the rules, and on IPv6 native/proxy where the rules cannot.
import { run, runChecked } from "../../host/process.ts";
import { rootlessUser } from "../../host/rootless-user.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import type { Attachment } from "../record.ts";
import { networkNames } from "./devices.ts";
import { free, holder } from "./lease.ts";
import { leaseName } from "./port-leases.ts";
import { isSix, type PublishedPort } from "./ports.ts";
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
  if (rootlessUser() === undefined) return;
  // Of an ordinary user: the host's own ports are others' to give, and on IPv4 only.
  const { addForwards } = await import("../../host/rootless/outside.ts");
  await addForwards(
    root.path,
    ports.filter((port) => !isSix(port)),
  );
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
  if (all.status === 0) return;
  for (const port of ports) await run("nft", ["-f", "-"], { input: deletePortsText(table, [port]) });
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
