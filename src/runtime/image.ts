// What the runtime needs of a package: its unpacked layers, its run configuration, and what init's plan says of
// volumes and secrets. The descriptor itself is not read here: parsing YAML would cost more than the start.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ContainerConfig } from "../formats/oci.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { ImageStore, openStore, type StoredImage } from "../image/store.ts";
import { decodeInitPlan } from "../package/init-codec.ts";
import type { InitPlan } from "../package/init-plan.ts";
import { decodeRunFacts, type RunFacts, runFactsAnnotation } from "../package/run-facts.ts";
import { inLayers, readLayerFile } from "./layers.ts";
import { clean } from "./volumes/parse.ts";

export interface OpenPackage {
  readonly digest: string;
  /** Bottom first, as the image config names them. */
  readonly diffIds: readonly string[];
  /** Directories, topmost first, as an overlay wants them. */
  readonly layers: readonly string[];
  readonly config: RunConfig;
  /** It brings its own init. */
  readonly isPackage: boolean;
  readonly plan: InitPlan | undefined;
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
}

export const initPath = "/.tranship/init";

export async function openPackage(root: StateRoot, reference: string, log: Log): Promise<OpenPackage> {
  const { digest, ...image } = readImage(root, reference);
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  if (image.os !== "linux" || image.architecture !== architecture) {
    log.warn(`${reference} is for ${image.os}/${image.architecture}, this host is linux/${architecture}`);
  }
  const { diffIds } = image;
  const layers = await layerDirectories(root, diffIds);
  const config = runConfig(image.config);
  const isPackage = inLayers(layers, initPath.slice(1));
  const plan = readPlan(layers, reference);
  return {
    digest,
    diffIds,
    layers,
    config,
    isPackage: isPackage && (config.entrypoint.length === 0 || config.entrypoint[0] === initPath),
    plan,
    volumes: volumesOf(config, plan),
    facts: image.run,
  };
}

/** What a start wants of the documents of an image. */
interface ImageFacts {
  readonly os: string;
  readonly architecture: string;
  readonly diffIds: readonly string[];
  readonly config: ContainerConfig;
  readonly run: RunFacts | null;
}

/**
 * Reading the documents of an image means hashing them, and loading what hashes takes longer than all else before a start. So what
 * was read is kept by the digest of what the name means; as with unpacked layers, what stands in the state root is believed.
 */
function readImage(root: StateRoot, reference: string): ImageFacts & { digest: string } {
  const store = new ImageStore(root);
  const { name, target } = store.resolve(reference);
  const file = join(cacheDirectory(root), factsName(target.digest));
  const known = readFacts(file);
  if (known !== undefined) return { ...known, digest: target.digest };
  const image = store.imageOf(target, name);
  const facts: ImageFacts = {
    os: image.config.os,
    architecture: image.config.architecture,
    diffIds: image.layers.map((layer) => layer.diffId),
    config: image.config.config ?? {},
    run: runFactsOf(store, image, reference),
  };
  keepFacts(root, store, file, facts);
  return { ...facts, digest: target.digest };
}

function runFactsOf(store: ImageStore, image: StoredImage, reference: string): RunFacts | null {
  if (image.descriptorManifest === undefined) return null;
  const text = store.readManifest(image.descriptorManifest).annotations?.[runFactsAnnotation];
  return text === undefined ? null : decodeRunFacts(text, reference);
}

/** The number counts what ImageFacts has been. */
function factsName(digest: string): string {
  return `${digest.replace(":", "-")}.2.json`;
}

function cacheDirectory(root: StateRoot): string {
  return join(root.path, "cache/images");
}

function readFacts(file: string): ImageFacts | undefined {
  try {
    return readJson(file) as ImageFacts | undefined;
  } catch {
    return undefined; // damaged: read from the image again and written anew
  }
}

function keepFacts(root: StateRoot, store: ImageStore, file: string, facts: ImageFacts): void {
  const directory = cacheDirectory(root);
  makeDirectory(directory);
  writeFileAtomic(file, `${JSON.stringify(facts)}\n`, { volatile: true });
  // Those of images that are no more.
  const named = new Set(store.index().manifests.map((entry) => factsName(entry.digest)));
  for (const name of readdirSync(directory))
    if (!named.has(name)) rmSync(join(directory, name), { force: true });
}

/** Unpacks what is not unpacked yet. Topmost first. */
export async function layerDirectories(root: StateRoot, diffIds: readonly string[]): Promise<string[]> {
  const directories: string[] = [];
  for (const diffId of diffIds)
    directories.push(unpacked(root, diffId) ?? (await unpack(root, openStore(root), diffId)));
  // The same layer twice shows nothing new, and overlayfs refuses it.
  return [...new Set(directories.reverse())];
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
  };
}

function readPlan(layers: readonly string[], reference: string): InitPlan | undefined {
  const bytes = readLayerFile(layers, ".tranship/init.bin");
  if (bytes === undefined) return undefined;
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
