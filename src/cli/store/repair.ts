// tranship repair: exit status 4 where something damaged is nowhere whole.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { exitStatus, TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import type { Entry } from "../../formats/entry.ts";
import { type Digest, parseReference, type Reference } from "../../formats/oci-reference.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { LayerItem } from "../../image/layer-item.ts";
import { registryEndpoint } from "../../image/registry/endpoint.ts";
import type { RegistryChoice } from "../../image/repair/registry-copies.ts";
import { type RepairedBlob, type RepairedTree, repairStore } from "../../image/repair/repair.ts";
import { openStore } from "../../image/store.ts";
import { isUnreadable } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import { listInstances } from "../../runtime/find.ts";
import type { InstanceState } from "../../runtime/state.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { registrySettings } from "../registry/settings.ts";
import { type Call, flag, list, type OptionValues, text } from "../verb.ts";
import { walkUnpacked } from "./walk-unpacked.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const dryRun = flag(call.options, "dryRun");
  const { index, blobs, trees } = await repairStore(openStore(context.root), {
    ...placesOf(call.options, context),
    itemsOf,
    walkUnpacked,
    usersOf: (diffId) => usersOf(context.root, diffId),
    dryRun,
    log: context.log,
    progress: context.progress,
    signal: context.signal,
  });
  const damaged = blobs.length + trees.length + (index === undefined ? 0 : 1);
  const left =
    blobs.filter((one) => one.from === undefined).length +
    trees.filter((one) => one.left !== undefined).length;
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table")
    context.print(printValue({ dryRun, damaged, left, index: index ?? null, blobs, trees }, format));
  else {
    const lines = [
      ...(index === undefined
        ? []
        : [`index.json ${index}: ${dryRun ? "can be written" : "written"} anew from its copy`]),
      ...blobs.map((one) => told(one, dryRun)),
      ...trees.map((one) => treeTold(one, dryRun)),
    ];
    context.print([...lines, summary(damaged, left, dryRun)].join("\n"));
  }
  if (blobs.some((one) => one.from === undefined))
    context.say(
      "what is left may be in a backup or at a registry: repair --from PLACE; else capture or pull it anew",
    );
  return left > 0 ? exitStatus.no : exitStatus.done;
}

/** Instances that run: those that are stopped find the layer as it is then. */
function usersOf(root: StateRoot, diffId: Digest): string | undefined {
  const users = listInstances(root)
    .filter(({ record, status }) => record.image.diffIds.includes(diffId) && isMounted(status.state))
    .map(({ record }) => record.name);
  if (users.length === 0) return undefined;
  return `${users.slice(0, 5).join(", ")} ${users.length === 1 ? "uses" : "use"} it: stop and repair again`;
}

const isMounted = (state: InstanceState): boolean => state === "starting" || state === "running";

function treeTold({ diffId, changes, left }: RepairedTree, dryRun: boolean): string {
  const [first = "", ...more] = changes;
  const others = more.length === 0 ? "" : `, and ${more.length} more`;
  const outcome = left ?? (dryRun ? "can be unpacked anew" : "unpacked anew");
  return `unpacked layer ${diffId} was changed (${first}${others}): ${outcome}`;
}

function told({ digest, size, what, damage, from }: RepairedBlob, dryRun: boolean): string {
  const outcome =
    from === undefined
      ? "nothing here holds its content"
      : `${dryRun ? "can be made" : "made"} whole from ${from}`;
  return `${what} ${digest} (${formatSize(size)}) ${damage}: ${outcome}`;
}

function summary(damaged: number, left: number, dryRun: boolean): string {
  if (damaged === 0) return "nothing is damaged";
  return `${damaged} damaged, ${damaged - left} ${dryRun ? "can be repaired" : "repaired"}, ${left} left`;
}

/** What lies on the disk comes first: a directory may be called as a host is. */
function placesOf(options: OptionValues, context: Context): { from: string[]; registries: RegistryChoice } {
  const from: string[] = [];
  const images: Reference[] = [];
  const registries: string[] = [];
  for (const given of list(options, "from")) {
    const layout = layoutOf(given);
    if (layout !== undefined) from.push(layout);
    else if (/^[./]/.test(given) || existsSync(given) || !/[.:/]/.test(given)) throw noPlace(given);
    else if (!given.includes("/")) registries.push(registryEndpoint(given).registry);
    else images.push(imageAt(given));
  }
  const known = !flag(options, "offline");
  return { from, registries: { images, registries, known, settings: registrySettings(options, context) } };
}

function imageAt(given: string): Reference {
  const reference = parseReference(given);
  if (reference.registry === undefined) throw noPlace(given);
  const { tag, digest } = reference;
  return tag === undefined && digest === undefined ? { ...reference, tag: "latest" } : reference;
}

/** A state root, or an image layout of any tool. */
function layoutOf(given: string): string | undefined {
  const path = resolve(given);
  return [join(path, "store"), path].find((layout) => existsSync(join(layout, "oci-layout")));
}

function noPlace(given: string): TranshipError {
  return new TranshipError("E_USAGE", `${given} is no state root, image layout, registry or image at one`, {
    hint: "name a directory that holds oci-layout, HOST[:PORT], or HOST[:PORT]/NAME:TAG",
  });
}

/** An unpacked layer in the orders in which layers are written: by path, as our own layer is made, and as a tree is walked. */
function* itemsOf(directory: string): Generator<AsyncIterable<LayerItem>> {
  const withoutRoot = (entries: Entry[]): Entry[] => entries.filter((entry) => entry.path !== "/");
  yield inOrder(directory, (entries) => withoutRoot(entries).sort((a, b) => (a.path < b.path ? -1 : 1)));
  yield inOrder(directory, (entries) => withoutRoot(entries).sort((a, b) => ownPlace(a) - ownPlace(b)));
  yield inOrder(directory, (entries) => entries);
  yield inOrder(directory, withoutRoot);
}

function ownPlace({ path }: Entry): number {
  const own = [
    "/.tranship",
    "/.tranship/init",
    "/.tranship/init.bin",
    "/.tranship/policy.bin",
    "/.tranship/engine",
  ];
  const at = own.indexOf(path);
  if (at >= 0) return at;
  return path === "/.tranship/run" ? own.length + 1 : own.length;
}

async function* inOrder(directory: string, order: (entries: Entry[]) => Entry[]): AsyncGenerator<LayerItem> {
  const files = new TreeFiles(directory);
  try {
    const entries: Entry[] = [];
    for await (const entry of files.walk("/")) if (!isUnreadable(entry)) entries.push(entry);
    const host = Buffer.from(directory).toString("latin1");
    for (const entry of order(entries)) yield { entry, hostFile: host + entry.path };
  } finally {
    await files.close();
  }
}
