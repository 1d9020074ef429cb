// A plan is carried out: files of the source become layers, layers and descriptor become an image in the store.
import { readFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import type { Progress } from "../../base/log.ts";
import { formatSize } from "../../base/units.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { packingListPath } from "../../formats/packing-list.ts";
import { nativePath } from "../../host/native.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { type BuiltImage, buildImage, type ImageLayer } from "../../image/build.ts";
import type { LayerItem, LayerNote } from "../../image/layer-item.ts";
import { writeLayer } from "../../image/layer-writer.ts";
import { type OwnContent, ownDirectory, ownFile } from "../../image/own-item.ts";
import { type ContentsByName, PackingListMaker } from "../../image/packed-object.ts";
import { openStore } from "../../image/store.ts";
import { StoreSession } from "../../image/store-session.ts";
import type { Machine } from "../../machine/machine.ts";
import { containerConfig } from "../../package/container-config.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { compileInitPlan, encodeInitPlan } from "../../package/init-plan.ts";
import { printDescriptor } from "../../package/yaml.ts";
import { explainLiveData, isSmall, liveData, steadyItem } from "../data/live-data.ts";
import { recordDeviations, recordPacking } from "../evidence/evidence-document.ts";
import { orInterrupted, throwIfInterrupted } from "../interrupt.ts";
import { isKernelPart } from "../plan/kernel-parts.ts";
import { layerNames, type Plan } from "../plan/plan.ts";
import { planDigest } from "../plan/print-plan.ts";
import { plainPlace } from "../sandbox/laid-over.ts";
import { type MakeBill, makeBill } from "./bill.ts";
import { fetchPlanned } from "./fetch-planned.ts";
import { inodeOf, layerPaths } from "./layer-paths.ts";
import { currentEntries, type Deviation } from "./pack-entries.ts";

export interface PackRequest {
  root: StateRoot;
  machine: Machine;
  reference: string;
  plan: Plan;
  /** JSON text of the evidence document. */
  evidence: string;
  /** Pack what is there now where it is not what was planned. */
  acceptChanges: boolean;
  /** Name and version of what packs. */
  tool: string;
  progress: Progress;
  signal: AbortSignal;
}

export interface PackedImage extends BuiltImage {
  layers: { origin: string; entries: number; contentSize: number; compressedSize: number }[];
  notes: LayerNote[];
  /** Where the source was not what was planned, and that was accepted. */
  deviations: Deviation[];
}

export async function pack(request: PackRequest): Promise<PackedImage> {
  const { machine } = request;
  const kernel = request.plan.groups.flatMap((group) => group.files).find(isKernelPart);
  if (kernel !== undefined) {
    throw new TranshipError("E_KERNEL_PART", `the plan holds ${escapeBytes(kernel)}`, {
      hint: "remove it from the plan; the target brings its own kernel",
    });
  }
  const { plan, entries, deviations } = await orInterrupted(request.signal, () =>
    currentEntries(machine, request.plan, request.acceptChanges),
  );
  await fetchPlanned(machine, entries, request);
  const isLive = liveData(machine, plan);
  const session = new StoreSession(openStore(request.root));
  const notes: LayerNote[] = [];
  const layers: ImageLayer[] = [];
  const packed = new PackingListMaker(session);
  const summary: PackedImage["layers"] = [];
  let total = 0;
  for (const entry of entries.values()) if (entry.kind === "file") total += entry.size;
  const pathsOf = layerPaths(plan, entries);
  const task = request.progress.begin("packing", total);
  const check = (): void => throwIfInterrupted(request.signal);
  try {
    for (const name of [...layerNames, "tranship"] as const) {
      const items =
        name === "tranship"
          ? ownItems(plan.package, packed.print(plan.absent))
          : layerItems({ machine, entries, isLive, notes, signal: request.signal }, pathsOf(name));
      step(`write the ${name} layer`);
      const onPacked = name === "tranship" ? {} : { onPacked: packed.add };
      const built = await writeLayer(items, session, { progress: task, check, ...onPacked });
      if (built.entries === 0) continue;
      layers.push({ descriptor: built.descriptor, diffId: built.diffId, origin: name });
      notes.push(...built.notes);
      summary.push({
        origin: name,
        entries: built.entries,
        contentSize: built.contentSize,
        compressedSize: built.descriptor.size,
      });
    }
    task.end(
      `${entries.size} files, ${formatSize(total)} to ${formatSize(summary.reduce((sum, layer) => sum + layer.compressedSize, 0))}`,
    );
    throwIfInterrupted(request.signal);
    const captured = new Date().toISOString();
    const evidence = recordPacking(recordDeviations(request.evidence, deviations), {
      plan: planDigest(plan),
      packed: captured,
    });
    const sbom = await billOf(request, plan, packed.contents, captured);
    step("name the image");
    const image = await buildImage(session, {
      reference: request.reference,
      layers,
      config: containerConfig(plan.package),
      architecture: plan.package.origin.architecture,
      descriptorYaml: printDescriptor(plan.package),
      evidence,
      captured,
      sbom,
    });
    return { ...image, layers: summary, notes, deviations };
  } catch (error) {
    throw explainLiveData(error, isLive);
  } finally {
    await session.close();
  }
}

/** What files are of is asked of the machine's own database of installed packages. */
async function billOf(
  { machine, reference, tool }: PackRequest,
  { package: { origin } }: Plan,
  packed: ContentsByName,
  created: string,
): Promise<MakeBill> {
  return await makeBill({ files: machine.files, packed, name: reference, created, tool, system: origin.os });
}

export interface ItemSource {
  machine: Machine;
  entries: ReadonlyMap<ByteString, Entry>;
  /** Data that a running program may write to. */
  isLive(path: ByteString): boolean;
  notes: LayerNote[];
  signal: AbortSignal;
}

export async function* layerItems(from: ItemSource, paths: readonly ByteString[]): AsyncGenerator<LayerItem> {
  const { machine, entries, signal } = from;
  const inodes = new Map<string, ByteString>();
  for (const path of paths) {
    throwIfInterrupted(signal);
    const entry = entries.get(path);
    if (entry === undefined || entry.kind === "socket") continue;
    if (entry.kind !== "file") {
      yield { entry };
      continue;
    }
    const inode = inodeOf(entry);
    const first = inodes.get(inode);
    if (first !== undefined) {
      yield { entry, hardlinkTo: first };
      continue;
    }
    if (inode !== "") inodes.set(inode, path);
    if (from.isLive(path) && isSmall(entry)) {
      const item = await steadyItem(machine, path);
      if (item !== undefined) yield item;
      else from.notes.push({ path, reason: "data that was removed while it was packed" });
      continue;
    }
    const place = machine.placeOf?.(path);
    if (place === undefined && machine.content !== undefined)
      yield { entry, keptFile: machine.content.placeOf(entry) };
    // Read by the writer, which refuses a file that is not, or not any more, the one that was planned.
    else yield { entry, hostFile: place ?? plainPlace(machine, path) };
  }
}

/** The layer that is ours: init, the compiled descriptor and the packing list. The same for the same plan, files and build. */
export function* ownItems(descriptor: Descriptor, list: Uint8Array | OwnContent): Generator<LayerItem> {
  yield ownDirectory("/.tranship");
  yield ownFile("/.tranship/init", readFileSync(nativePath("init")), 0o755);
  yield ownFile("/.tranship/init.bin", encodeInitPlan(compileInitPlan(descriptor)), 0o644);
  yield ownFile(packingListPath, list, 0o644);
  yield ownDirectory("/.tranship/run");
}
