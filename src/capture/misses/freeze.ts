// A package and what its tethered instances fetched become a package that is whole: the layers that are there stay, what is missing is
// planned as by --add-misses, read from the source, and becomes one layer more.
import { TranshipError } from "../../base/errors.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { isBelow } from "../../formats/mountinfo.ts";
import {
  type PackedObject,
  type PackingList,
  packingListPath,
  parsePackingList,
  printPackingList,
} from "../../formats/packing-list.ts";
import { readText } from "../../host/files.ts";
import { step } from "../../host/steps.ts";
import { type BuiltImage, buildImage, type ImageLayer, originAnnotation } from "../../image/build.ts";
import type { LayerNote } from "../../image/layer-item.ts";
import { type BuiltLayer, writeLayer } from "../../image/layer-writer.ts";
import { contentsOfImage } from "../../image/merged-tree.ts";
import { type ContentsByName, PackingListMaker } from "../../image/packed-object.ts";
import { openStore, type StoredImage } from "../../image/store.ts";
import { StoreSession } from "../../image/store-session.ts";
import { ensureLayer } from "../../image/unpack.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { parseDescriptor, printDescriptor } from "../../package/yaml.ts";
import type { CaptureTools } from "../captured.ts";
import { type EvidenceDocument, readEvidenceDocument } from "../evidence/evidence-document.ts";
import { evidenceOf } from "../evidence/read-evidence.ts";
import { orInterrupted, throwIfInterrupted } from "../interrupt.ts";
import { type MakeBill, makeBill } from "../pack/bill.ts";
import { fetchPlanned } from "../pack/fetch-planned.ts";
import { layerItems, ownItems } from "../pack/pack.ts";
import { currentEntries } from "../pack/pack-entries.ts";
import { mergeDescriptors, mergeEvidence } from "../plan/merge-plans.ts";
import type { Plan } from "../plan/plan.ts";
import { planMisses } from "./plan-misses.ts";

export interface FreezeRequest {
  machine: Machine;
  /** The package as its instances have it: a name or a digest of the store. */
  base: string;
  reference: string;
  /** With CaptureTools.missed: what was fetched. */
  closure: boolean;
}

/** What freezing would add. */
export interface Frozen {
  readonly base: StoredImage;
  readonly descriptor: Descriptor;
  readonly evidence: EvidenceDocument;
  readonly list: PackingList;
  /** Of what was fetched and what that needs: only what the package lacks. */
  readonly plan: Plan;
  readonly missed: EvidenceDocument;
}

/** E_IMAGE_UNSUPPORTED where the image is no package of a capture. */
export async function planFreeze(request: FreezeRequest, tools: CaptureTools): Promise<Frozen> {
  const store = openStore(tools.root);
  const base = store.image(request.base);
  const yaml = store.descriptorYaml(base);
  const list = await packingListOf(base, tools);
  if (yaml === undefined || list === undefined) {
    throw new TranshipError("E_IMAGE_UNSUPPORTED", `${request.base} has no descriptor or no packing list`, {
      hint: "only packages made by a capture can be frozen; capture it anew",
    });
  }
  const descriptor = parseDescriptor(new TextDecoder().decode(yaml), request.base);
  const evidence = evidenceOf(tools.root, base.target.digest);
  // What its programs need is partly in the package: only `verify`, which sees both, can tell what is not.
  const quiet = { ...tools, log: { ...tools.log, warn: (text: string) => tools.log.debug(text) } };
  const captured = await planMisses(request.machine, descriptor, request.closure, quiet);
  const here = new Set([...list.objects, ...list.names].map(({ path }) => path));
  const wanted = (path: ByteString): boolean =>
    path !== "/" && !here.has(path) && !Object.hasOwn(evidence.excluded, escapeBytes(path));
  const groups = captured.plan.groups
    .map((group) => ({ ...group, files: group.files.filter(wanted) }))
    .filter((group) => group.files.length > 0);
  const missed = readEvidenceDocument(Buffer.from(captured.evidence), "what was fetched");
  return { base, descriptor, evidence, list, plan: { ...captured.plan, groups }, missed };
}

/** Layers of Tranship itself: the new package gets its own. */
const ownOrigins: ReadonlySet<string> = new Set(["tranship", "descriptor"]);

/** undefined where no layer of the image has one. */
async function packingListOf(base: StoredImage, tools: CaptureTools): Promise<PackingList | undefined> {
  const layer = base.layers.find(({ descriptor }) => originOf(descriptor) === "tranship");
  if (layer === undefined) return undefined;
  const directory = await ensureLayer(tools.root, openStore(tools.root), layer.diffId);
  const text = readText(`${directory}${packingListPath}`);
  return text === undefined ? undefined : parsePackingList(text);
}

function originOf({ annotations }: StoredImage["layers"][number]["descriptor"]): string {
  return annotations?.[originAnnotation] ?? "";
}

export interface FrozenImage extends BuiltImage {
  readonly added: BuiltLayer;
  /** Packed with other content than it was fetched with. */
  readonly notes: readonly LayerNote[];
}

/** Reads what is missing, and nothing else. */
export async function packFrozen(
  frozen: Frozen,
  request: FreezeRequest,
  tools: CaptureTools,
): Promise<FrozenImage> {
  const { machine, reference } = request;
  const current = await orInterrupted(tools.signal, () => currentEntries(machine, frozen.plan, false));
  const entries = new Map(current.entries);
  await addParents(machine, entries);
  await fetchPlanned(machine, entries, tools);
  const session = new StoreSession(openStore(tools.root));
  const task = tools.progress.begin("packing", undefined, "files");
  const check = (): void => throwIfInterrupted(tools.signal);
  const packed = new PackingListMaker(session);
  const notes: LayerNote[] = [];
  try {
    const from = { machine, entries, isLive: () => false, notes, signal: tools.signal };
    step("write the fetched layer");
    const paths = [...entries.keys()].filter((path) => path !== "/").sort();
    const added = await writeLayer(layerItems(from, paths), session, {
      progress: task,
      check,
      onPacked: packed.add,
    });
    const descriptor = mergeDescriptors(frozen.descriptor, frozen.plan.package);
    const list = joinLists(frozen.list, listOf(packed));
    const own = await writeLayer(ownItems(descriptor, Buffer.from(printPackingList(list))), session, {
      check,
    });
    task.end(`${added.entries} names`);
    const kept = frozen.base.layers
      .map((layer) => ({ ...layer, origin: originOf(layer.descriptor) }))
      .filter(({ origin }) => !ownOrigins.has(origin));
    throwIfInterrupted(tools.signal);
    const captured = new Date().toISOString();
    const sbom = await billOf(frozen, { request, packed: packed.contents, captured }, tools);
    step("name the image");
    const image = await buildImage(session, {
      reference,
      layers: [...kept, layerOf(added, "fetched"), layerOf(own, "tranship")],
      config: frozen.base.config.config ?? {},
      architecture: frozen.base.config.architecture,
      descriptorYaml: printDescriptor(descriptor),
      evidence: JSON.stringify(evidenceWith(frozen, list, tools)),
      captured,
      sbom,
    });
    return { ...image, added, notes: [...notes, ...added.notes] };
  } finally {
    await session.close();
  }
}

interface BillParts {
  request: FreezeRequest;
  /** Of the layer that was added. */
  packed: ContentsByName;
  captured: string;
}

/** Of the whole: what its layers have, and what was fetched, as the source's database of installed packages has it. */
async function billOf(
  { base, descriptor }: Frozen,
  { request, packed, captured }: BillParts,
  tools: CaptureTools,
): Promise<MakeBill> {
  const contents = await contentsOfImage(openStore(tools.root), base);
  for (const path of [...contents.keys()]) if (isBelow(path, "/.tranship")) contents.delete(path);
  for (const path of packed.keys()) {
    const digests = packed.get(path);
    if (digests !== undefined) contents.set(path, digests);
  }
  const { machine, reference } = request;
  const { os } = descriptor.origin;
  return await makeBill({
    files: machine.files,
    packed: contents,
    name: reference,
    created: captured,
    tool: tools.tool,
    system: os,
  });
}

function layerOf({ descriptor, diffId }: BuiltLayer, origin: string): ImageLayer {
  return { descriptor, diffId, origin };
}

function listOf(packed: PackingListMaker): PackingList {
  return parsePackingList(Buffer.concat([...packed.print([]).pieces]).toString("utf8"));
}

/** Directories of a layer above others count: each has to be there as the source has it. */
async function addParents(machine: Machine, entries: Map<ByteString, Entry>): Promise<void> {
  const parents = new Set<ByteString>();
  for (const path of entries.keys())
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
      parents.add(path.slice(0, at));
  const found = await Promise.all(
    [...parents].filter((path) => !entries.has(path)).map((path) => machine.files.stat(path)),
  );
  for (const entry of found) if (entry !== undefined) entries.set(entry.path, entry);
}

/** `added` goes before what is there of the same name. */
function joinLists(base: PackingList, added: PackingList): PackingList {
  const packed = new Set([...added.objects, ...added.names].map(({ path }) => path));
  const others = <T extends Pick<PackedObject, "path">>(list: readonly T[]): T[] =>
    list.filter(({ path }) => !packed.has(path));
  return {
    objects: [...others(base.objects), ...added.objects],
    names: [...others(base.names), ...added.names],
    absent: base.absent.filter((path) => !packed.has(path)),
  };
}

function evidenceWith(frozen: Frozen, list: PackingList, tools: CaptureTools): EvidenceDocument {
  const packed = new Set([...list.objects, ...list.names].map(({ path }) => path));
  const joined = mergeEvidence(frozen.evidence, frozen.missed, packed);
  return { ...joined, tool: tools.tool, captured: new Date().toISOString() };
}
