// What the runtime needs of a package: its unpacked layers, its run configuration, its descriptor and the plan that init carries out.
//
// Which descriptor counts: the one that `run --descriptor` names, before the one of the package's index, before the plan that lies
// in the layers. The first two are compiled here and given to init; text is read once for each package, as reading YAML costs
// more than a start.
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ContainerConfig, Healthcheck } from "../formats/oci.ts";
import type { StateRoot } from "../host/state-root.ts";
import { type ImageStore, openStore } from "../image/store.ts";
import { changedConfig } from "../package/container-config.ts";
import type { Descriptor } from "../package/descriptor.ts";
import { decodeInitPlan } from "../package/init-codec.ts";
import type { InitPlan } from "../package/init-plan.ts";
import { checkCarriedOut } from "../package/not-carried-out.ts";
import type { RunFacts } from "../package/run-facts.ts";
import { type PackagedDescriptor, packagedOf, readImage } from "./image-facts.ts";
import { inLayers, readLayerFile } from "./layers.ts";
import type { LinkedPackage } from "./links.ts";
import { clean } from "./volumes/parse.ts";

export interface OpenPackage {
  readonly digest: string;
  /** Bottom first, as the image config names them; below them those of the packages that it links to. */
  readonly diffIds: readonly string[];
  /** In the order of `links`. */
  readonly linked: readonly LinkedPackage[];
  /** Directories, topmost first, as an overlay wants them. */
  readonly layers: readonly string[];
  readonly config: RunConfig;
  /** It brings its own init. */
  readonly isPackage: boolean;
  readonly plan: InitPlan | undefined;
  /** Of a package: what counts, with the defaults of its schema. undefined: an image without a descriptor. */
  readonly descriptor: Descriptor | undefined;
  /** Where the descriptor comes from; "inside": as it was captured. */
  readonly descriptorFrom: "file" | "package" | "inside";
  /** init.bin where it is another than the one in the layers. */
  readonly givenPlan: Uint8Array | undefined;
  readonly volumes: readonly PackageVolume[];
  /** What the descriptor says of it; null for an image that is no package. */
  readonly facts: RunFacts | null;
}

export interface PackageVolume {
  readonly path: string;
  readonly seed: boolean;
}

export interface RunConfig {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly user: string;
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string;
  readonly healthcheck?: Healthcheck;
}

export const initPath = "/.tranship/init";

export interface OpenOptions {
  /** A descriptor to take in place of the package's own. */
  descriptorFile?: string;
  /** Manual services that are started too. */
  services?: readonly string[];
  /** For an engine that can leave programs to the host. */
  inProcess?: boolean;
  /** Packages that stand for their ids, where `links` names those. */
  linked?: readonly string[];
  /** What it links to is not asked for: it need not be there. */
  alone?: boolean;
  /** Gives the directories of its layers, topmost first; absent: those of the state root, unpacked where they are not yet. */
  layers?: (
    descriptor: Descriptor | undefined,
    linked: readonly LinkedPackage[],
  ) => Promise<readonly string[]>;
}

export async function openPackage(
  root: StateRoot,
  reference: string,
  log: Log,
  options: OpenOptions = {},
): Promise<OpenPackage> {
  const { digest, ...image } = await readImage(root, reference);
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  if (image.os !== "linux" || image.architecture !== architecture) {
    log.warn(`${reference} is for ${image.os}/${image.architecture}, this host is linux/${architecture}`);
  }
  const file = options.descriptorFile;
  const found = file === undefined ? image.packaged : await packagedOf(readDescriptorFile(file), file);
  const asked = options.services ?? [];
  const chosen = asked.length === 0 ? found : await startedToo(found, asked, reference);
  if (chosen !== null) checkCarriedOut(chosen.descriptor, file ?? reference, options.inProcess === true);
  const own = chosen?.descriptor;
  const { linked, descriptor } =
    options.alone === true
      ? { linked: [], descriptor: own }
      : await withLinks(root, reference, own, options.linked ?? []);
  const diffIds = [...linked.flatMap((one) => one.diffIds), ...image.diffIds];
  const layers = await (options.layers?.(descriptor, linked) ?? layerDirectories(root, diffIds));
  const isPackage = inLayers(layers, initPath.slice(1));
  const inside = readLayerFile(layers, insidePlan);
  const plan = chosen === null ? undefined : Buffer.from(chosen.plan, "base64");
  const given = plan === undefined || inside?.equals(plan) === true ? undefined : plan;
  const insideRead = inside === undefined ? undefined : readPlan(inside, reference);
  const changed =
    given === undefined || chosen === null
      ? image.config
      : changedConfig(image.config, insideRead, chosen.descriptor);
  const config = runConfig(changed);
  const byInit = isPackage && (config.entrypoint.length === 0 || config.entrypoint[0] === initPath);
  if (file !== undefined && !byInit && chosen !== null && chosen.descriptor.services.length > 0) {
    const bake = `tranship package bake --descriptor ${file} ${reference}`;
    log.warn(
      `${reference} has no init that its command starts: the services of ${file} do not run; make it a package with \`${bake}\``,
    );
  }
  const read = given === undefined ? insideRead : readPlan(given, reference);
  return {
    digest,
    diffIds,
    linked,
    layers,
    config,
    isPackage: byInit,
    plan: read,
    descriptor,
    descriptorFrom: file !== undefined ? "file" : given === undefined ? "inside" : "package",
    givenPlan: given,
    volumes: volumesOf(config, read),
    facts: chosen?.facts ?? null,
  };
}

/** The descriptor as it is with what it links to. Loaded by those who link alone. */
async function withLinks(
  root: StateRoot,
  reference: string,
  descriptor: Descriptor | undefined,
  chosen: readonly string[],
): Promise<{ linked: readonly LinkedPackage[]; descriptor: Descriptor | undefined }> {
  if (descriptor === undefined || (descriptor.links.length === 0 && chosen.length === 0))
    return { linked: [], descriptor };
  const { linkedPackages, seenWith } = await import("./links.ts");
  const linked = await linkedPackages(root, reference, descriptor, chosen);
  return { linked, descriptor: seenWith(descriptor, linked) };
}

export const insidePlan = ".tranship/init.bin";
/** In images that were baked: what the engine beside it carries out where other tools start them. */
export const insidePolicy = ".tranship/policy.bin";
const maxDescriptorFile = 4 << 20;

function readDescriptorFile(file: string): string {
  try {
    const text = readFileSync(file, "utf8");
    if (text.length <= maxDescriptorFile) return text;
  } catch (cause) {
    throw new TranshipError("E_IO", `cannot read the descriptor ${file}`, { hint: "check its name", cause });
  }
  throw new TranshipError("E_LIMIT", `the descriptor ${file} is larger than ${maxDescriptorFile} bytes`);
}

/** With a plan that starts these services too. */
async function startedToo(
  found: PackagedDescriptor | null,
  names: readonly string[],
  reference: string,
): Promise<PackagedDescriptor> {
  const { withServices } = await import("./manual-services.ts");
  const { compileInitPlan, encodeInitPlan } = await import("../package/init-plan.ts");
  const descriptor = withServices(found?.descriptor, names, reference);
  const { facts } = found as PackagedDescriptor;
  const plan = Buffer.from(encodeInitPlan(compileInitPlan(descriptor))).toString("base64");
  return { descriptor, facts, plan };
}

/** Unpacks what is not unpacked yet. Topmost first; above the layers what their directories inherit, where they do. */
export async function layerDirectories(root: StateRoot, diffIds: readonly string[]): Promise<string[]> {
  const directories: string[] = [];
  for (const diffId of diffIds)
    directories.push(unpacked(root, diffId) ?? (await unpack(root, openStore(root), diffId)));
  if (directories.slice(1).some(mayInherit)) {
    const { ensureInherited } = await import("../image/inherited-directories.ts");
    const inherited = await ensureInherited(root, openStore(root), diffIds);
    if (inherited !== undefined) directories.push(inherited);
  }
  // The same layer twice shows nothing new, and overlayfs refuses it.
  return [...new Set(directories.reverse())];
}

/** Few layers lack entries for their directories: the others cost a start no more than the size of a list that is empty. */
function mayInherit(directory: string): boolean {
  const note = statSync(join(dirname(directory), "implied.json"), { throwIfNoEntry: false });
  return note?.size !== "[]\n".length;
}

/** As image/unpack.ts knows it; asked here, so that a start does not load what takes layers apart. */
function unpacked(root: StateRoot, diffId: string): string | undefined {
  const path = join(root.layers, diffId.slice(diffId.indexOf(":") + 1));
  return existsSync(join(path, "verified.json")) ? join(path, "fs") : undefined;
}

async function unpack(root: StateRoot, store: ImageStore, diffId: string): Promise<string> {
  const { ensureLayer } = await import("../image/unpack.ts");
  return await ensureLayer(root, store, diffId);
}

function runConfig(config: ContainerConfig): RunConfig {
  return {
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    environment: config.Env ?? [],
    workingDirectory: config.WorkingDir ?? "",
    user: config.User ?? "",
    exposedPorts: Object.keys(config.ExposedPorts ?? {}),
    volumes: Object.keys(config.Volumes ?? {}),
    labels: config.Labels ?? {},
    stopSignal: config.StopSignal ?? "",
    ...(config.Healthcheck === undefined ? {} : { healthcheck: config.Healthcheck }),
  };
}

function readPlan(bytes: Buffer, reference: string): InitPlan {
  try {
    return decodeInitPlan(bytes);
  } catch (cause) {
    throw new TranshipError(
      "E_DESCRIPTOR_INVALID",
      `the compiled descriptor of ${reference} cannot be read`,
      {
        hint: "capture the package anew with this version of Tranship",
        cause,
      },
    );
  }
}

function volumesOf(config: RunConfig, plan: InitPlan | undefined): PackageVolume[] {
  const planned = (plan?.volumes ?? []).map((volume) => ({
    path: volume.path,
    seed: volume.initial === "copy",
  }));
  const known = new Set(planned.map((volume) => volume.path));
  const others = config.volumes.map(clean).filter((path) => path !== "/" && !known.has(path));
  return [...planned, ...others.map((path) => ({ path, seed: true }))];
}
