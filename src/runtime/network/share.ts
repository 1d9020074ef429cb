// --network container:ID: an instance in the network of another one, its owner. What they share is a namespace, which lives as long as any
// process in it. So the owner may end and be started again while others go on: it comes back into the same namespace. When the owner is
// removed, its devices are taken from those that are left, as its addresses are free from then on.
import { existsSync, statSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { type NetworkNamespace, rewireArguments } from "../../host/enter-network.ts";
import { errnoOf, writeFileAtomic } from "../../host/files.ts";
import { processAlive } from "../../host/lock.ts";
import { nativePath } from "../../host/native.ts";
import { run } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { findInstance, type Instance, readableInstances, readInstance } from "../find.ts";
import { mainProcess } from "../processes.ts";
import { statusOf } from "../state.ts";
import { deviceNames } from "./devices.ts";

/** The instance that has the network which `text` shares: where that one shares another's itself, the other. E_INSTANCE_NOT_FOUND. */
export function networkOwner(root: StateRoot, text: string): Instance {
  const instance = findInstance(root, text);
  const { container } = instance.record.network;
  return container === undefined ? instance : findInstance(root, container);
}

/** What the package's own or --hostname, -p ... would contradict: as docker refuses it. */
export function refuseConflicts(given: Readonly<Record<string, boolean>>): void {
  const [first] = Object.entries(given).find(([, there]) => there) ?? [];
  if (first === undefined) return;
  throw new TranshipError("E_USAGE", `conflicting options: ${first} and the network of another instance`, {
    hint: "give it to the instance whose network this one shares",
  });
}

/** The network that an instance at its start finds: that of its owner. E_INSTANCE_STATE where the owner does not run. */
export function joinOwner(root: StateRoot, { record }: Instance): NetworkNamespace {
  const { container = "" } = record.network;
  const owner = readInstance(root, container);
  if (owner === undefined) {
    throw new TranshipError(
      "E_INSTANCE_NOT_FOUND",
      `the instance ${container.slice(0, 12)}, whose network ${record.name} shares, was removed`,
      { hint: `make ${record.name} anew with the network of another instance` },
    );
  }
  const found = statusOf(owner.paths, container).state === "running" ? namespaceOf(owner) : undefined;
  if (found === undefined) {
    throw new TranshipError(
      "E_INSTANCE_STATE",
      `cannot join the network of ${owner.record.name}, which is not running`,
      { hint: `start it with \`tranship start ${owner.record.name}\`` },
    );
  }
  step("share the network");
  try {
    writeFileAtomic(owner.paths.shared, "", { volatile: true });
  } catch (cause) {
    if (errnoOf((cause as Error).cause) !== "ENOENT") throw cause;
    throw new TranshipError("E_INSTANCE_NOT_FOUND", `the instance ${owner.record.name} was just removed`);
  }
  return found;
}

/** The network of an instance that others have kept while it did not run. */
export function keptNamespace(root: StateRoot, { record, paths }: Instance): NetworkNamespace | undefined {
  if (!existsSync(paths.shared)) return undefined;
  for (const sharer of sharersOf(root, record.id)) {
    const found = namespaceOf(sharer);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Instances made to share the network of this one. */
function sharersOf(root: StateRoot, id: string): Instance[] {
  return readableInstances(root).filter(({ record }) => record.network.container === id);
}

/** Of the running instance itself, or of those that share its network. */
export function liveNamespace(root: StateRoot, instance: Instance): NetworkNamespace | undefined {
  return namespaceOf(instance) ?? keptNamespace(root, instance);
}

/** Of one that runs itself. */
export function namespaceOf({ paths, record }: Instance): NetworkNamespace | undefined {
  const main = mainProcess(paths, record.id);
  if (main === undefined) return undefined;
  try {
    const inode = statSync(`/proc/${main.pid}/ns/net`).ino;
    // Only then is it that of this very process.
    return processAlive(main.pid, main.startTime) ? { pid: main.pid, inode } : undefined;
  } catch {
    return undefined; // it has just ended
  }
}

/** Before an instance is removed: its devices leave those that still have its network. */
export async function leaveShared(root: StateRoot, instance: Instance): Promise<void> {
  const kept = keptNamespace(root, instance);
  const unplug = deviceNames(instance.record);
  if (kept === undefined || unplug.length === 0) return;
  step("leave the shared network");
  // Where it fails the namespace has just ended, and its devices with it.
  await run(nativePath("enter"), rewireArguments(kept, { unplug }));
}
