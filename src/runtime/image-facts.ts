// The documents of an image, as far as a start wants them, and what was read of them before.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { adler32 } from "../formats/adler32.ts";
import type { ContainerConfig } from "../formats/oci.ts";
import { makeDirectory, readText, writeFileAtomic } from "../host/files.ts";
import type { StateRoot } from "../host/state-root.ts";
import { ImageStore } from "../image/store.ts";
import type { Descriptor } from "../package/descriptor.ts";
import type { RunFacts } from "../package/run-facts.ts";

/** What a start wants of the documents of an image. */
export interface ImageFacts {
  readonly os: string;
  readonly architecture: string;
  readonly diffIds: readonly string[];
  readonly config: ContainerConfig;
  /** null: no package, but an image. */
  readonly packaged: PackagedDescriptor | null;
}

export interface PackagedDescriptor {
  readonly descriptor: Descriptor;
  readonly facts: RunFacts;
  /** init.bin, base64. */
  readonly plan: string;
}

export async function packagedOf(text: string, name: string): Promise<PackagedDescriptor> {
  const { compileDescriptor } = await import("../package/compiled.ts");
  const { descriptor, facts, plan } = compileDescriptor(text, name);
  return { descriptor, facts, plan: Buffer.from(plan).toString("base64") };
}

/**
 * Reading the documents of an image means hashing them, and loading what hashes takes longer than all else before a start. So what
 * was read is kept by the digest of what the name means; as with unpacked layers, what stands in the state root is believed.
 */
export async function readImage(
  root: StateRoot,
  reference: string,
): Promise<ImageFacts & { digest: string }> {
  const store = new ImageStore(root);
  const { name, target } = store.resolve(reference);
  const file = join(cacheDirectory(root), factsName(target.digest));
  const known = readFacts(file);
  if (known !== undefined) return { ...known, digest: target.digest };
  const image = store.imageOf(target, name);
  const yaml = store.descriptorYaml(image);
  const facts: ImageFacts = {
    os: image.config.os,
    architecture: image.config.architecture,
    diffIds: image.layers.map((layer) => layer.diffId),
    config: image.config.config ?? {},
    packaged: yaml === undefined ? null : await packagedOf(new TextDecoder().decode(yaml), reference),
  };
  keepFacts(root, store, file, facts);
  return { ...facts, digest: target.digest };
}

/** The number counts what ImageFacts has been. */
function factsName(digest: string): string {
  return `${digest.replace(":", "-")}.7.json`;
}

function cacheDirectory(root: StateRoot): string {
  return join(root.path, "cache/images");
}

function readFacts(file: string): ImageFacts | undefined {
  try {
    const [check = "", text = ""] = (readText(file) ?? "").split("\n");
    if (check === checkOf(text)) return JSON.parse(text) as ImageFacts;
  } catch {}
  return undefined; // damaged: read from the image again and written anew
}

/** Of what has been written: it tells a damaged disk, and costs a start nothing that can be measured. */
function checkOf(text: string): string {
  return adler32(Buffer.from(text)).toString(16);
}

function keepFacts(root: StateRoot, store: ImageStore, file: string, facts: ImageFacts): void {
  const directory = cacheDirectory(root);
  makeDirectory(directory);
  const text = JSON.stringify(facts);
  writeFileAtomic(file, `${checkOf(text)}\n${text}\n`, { volatile: true });
  // Those of images that are no more.
  const named = new Set(store.index().manifests.map((entry) => factsName(entry.digest)));
  for (const name of readdirSync(directory))
    if (!named.has(name)) rmSync(join(directory, name), { force: true });
}
