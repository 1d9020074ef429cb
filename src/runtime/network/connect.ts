// Networks of an instance that is there already, running or not. The record says what is wanted and comes first; the file `rewiring` says that
// the network of a running one may not follow it yet, so that the next command finishes what a killed one began (finishRewiring).
import { existsSync, rmSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { rewireArguments } from "../../host/enter-network.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { nativePath } from "../../host/native.ts";
import { runChecked } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { whileLocked } from "../end.ts";
import { noteOther } from "../events/note.ts";
import { findInstance, type Instance } from "../find.ts";
import { takenAt } from "../identity/identity.ts";
import { type InstanceRecord, writeRecord } from "../record.ts";
import { statusOf } from "../state.ts";
import { addressesOf, attachmentsOf, defaultNetwork, networksOf, withAttachments } from "./attachments.ts";
import { findDefinition, readDefinition } from "./definition.ts";
import { deviceNames, isDeviceOf } from "./devices.ts";
import { free, leases } from "./lease.ts";
import { refreshNames } from "./names.ts";
import { attach, type NetworkRequest } from "./plug.ts";
import { republish } from "./publish.ts";
import { liveNamespace } from "./share.ts";
import { hostDevices } from "./undo.ts";
import { ensureNetworks } from "./up.ts";
import { frontOf, gatewaysOf, vethsOf } from "./wire.ts";

/** E_NETWORK, E_NETWORK_NOT_FOUND, E_INSTANCE_NOT_FOUND, E_INSTANCE_STATE, E_USAGE. */
export async function connectInstance(
  root: StateRoot,
  text: string,
  request: NetworkRequest,
  log: Log,
): Promise<void> {
  await changed(root, text, log, (record) => {
    refuseMode(record);
    const others = attachmentsOf(record);
    const made = attach(root, record.id, request, others);
    return { attachments: [...others, made], event: "connect", network: made.network };
  });
}

/** The address is free afterwards. */
export async function disconnectInstance(
  root: StateRoot,
  text: string,
  network: string,
  log: Log,
): Promise<void> {
  const name = network === defaultNetwork ? network : nameOf(root, network);
  await changed(root, text, log, (record) => {
    refuseMode(record);
    const all = attachmentsOf(record);
    const left = all.filter((one) => one.network !== name);
    if (left.length === all.length) {
      throw new TranshipError("E_NETWORK", `instance ${record.name} is not connected to network ${name}`, {
        hint: `\`tranship inspect ${record.name}\` shows its networks`,
      });
    }
    return { attachments: left, event: "disconnect", network: name };
  });
}

/** One that was removed has a name only. */
function nameOf(root: StateRoot, network: string): string {
  return readDefinition(root, network) === undefined ? findDefinition(root, network).name : network;
}

function refuseMode({ name, network: { mode } }: InstanceRecord): void {
  if (mode === "bridge") return;
  const what = mode === "container" ? "the network of another instance" : `the network ${mode}`;
  throw new TranshipError("E_INSTANCE_STATE", `${name} has ${what} and cannot be connected to any other`, {
    hint: "run it with --network bridge, or a network of yours",
  });
}

interface Change {
  attachments: ReturnType<typeof attachmentsOf>;
  event: "connect" | "disconnect";
  network: string;
}

async function changed(
  root: StateRoot,
  text: string,
  log: Log,
  decide: (record: InstanceRecord) => Change,
): Promise<void> {
  await whileLocked(root, findInstance(root, text), "network", async (instance) => {
    const { record, paths } = instance;
    if (statusOf(paths, record.id).state === "starting") {
      throw new TranshipError("E_INSTANCE_STATE", `${record.name} is starting`, { hint: "try again" });
    }
    const change = decide(record);
    const next = { ...record, network: withAttachments(record.network, change.attachments) };
    try {
      await apply({ root, log }, { paths, record: next });
    } catch (error) {
      // What cannot be in force must not stand in the record. Where that fails too, the next command tries again.
      await apply({ root, log }, instance).catch(() => {});
      throw error;
    }
    const attributes = { container: record.id, instance: record.name };
    noteOther(root, { type: "network", action: change.event, id: change.network, attributes });
  });
}

interface Where {
  root: StateRoot;
  log: Log;
}

async function apply(where: Where, instance: Instance): Promise<void> {
  step("rewiring");
  writeFileAtomic(instance.paths.rewiring, "", { volatile: instance.record.autoRemove });
  step("network record");
  writeRecord(instance.paths, instance.record);
  await finishRewiring(where, instance);
}

/** Brings the network of an instance in line with its record. Call with its lock held. */
export async function finishRewiring({ root, log }: Where, instance: Instance): Promise<void> {
  const { paths, record } = instance;
  if (!existsSync(paths.rewiring)) return;
  const live = liveNamespace(root, instance);
  if (live !== undefined) {
    const { launch } = statusOf(paths, record.id);
    const up = await ensureNetworks(root, networksOf(record), log);
    const wanted = deviceNames(record);
    const there = hostDevices().filter((device) => isDeviceOf(record.id, device));
    const taken = takenAt(record, launch);
    step("rewire");
    await runChecked(
      nativePath("enter"),
      rewireArguments(live, {
        unplug: there.filter((device) => !wanted.includes(device)),
        plug: vethsOf(up, record, taken).filter(({ name }) => !there.includes(name)),
        gateways: gatewaysOf(up, attachmentsOf(record)),
      }),
    );
    const front = frontOf(up, attachmentsOf(record));
    await republish({ root, id: record.id, front, starter: live.pid, log }, launch?.ports ?? []);
    await refreshNames(root);
  }
  step("free addresses");
  for (const { id, name } of leases(root, "addresses"))
    if (id === record.id && !addressesOf(record).includes(name)) free(root, "addresses", name, id);
  step("rewired");
  rmSync(paths.rewiring, { force: true });
}
