// Holds an image against what every package has to be: all blobs there and right, no kernel part in any layer, no device
// that was not declared, an init where the Entrypoint names one, the files of the packing list. Findings are values; only what cannot be looked at throws.
import { isTranshipError, TranshipError } from "../base/errors.ts";
import { deviceName, harmlessDevices, isLeftOut } from "../formats/device.ts";
import type { Entry } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";
import { kernelPartByPath } from "../formats/kernel-part.ts";
import { type Descriptor, layerCompression, mediaType } from "../formats/oci.ts";
import { type Digest, splitDigest } from "../formats/oci-reference.ts";
import { Digester } from "./digest.ts";
import { FileEndsCollector } from "./file-ends.ts";
import { changesOfInherited } from "./inherited-directories.ts";
import { ObjectMaker } from "./layer-objects.ts";
import { defaultLimits, type LayerEvent, readBlobFile, readLayer } from "./layer-reader.ts";
import { anyDevice } from "./merged-tree.ts";
import type { ImageStore, StoredImage, StoredLayer } from "./store.ts";
import { unpackedCheck, type WalkTree } from "./unpacked-check.ts";
import { PackageContents, type Reread } from "./verify-contents.ts";

export interface VerifyFinding {
  /** Stable word for programs. */
  id: "blob" | "document" | "layer" | "kernel-part" | "device" | "init" | "contents" | "unpacked";
  severity: "error" | "warning";
  /** One sentence with the value concerned. */
  message: string;
  /** The blob concerned. */
  digest: Digest | undefined;
  /** Path inside the package, printable. */
  path: string | undefined;
}

export interface VerifyOptions {
  /** Also read blobs that no layer check reads: descriptor, evidence and whatever else refers to the image. Layers are always read. */
  readData?: boolean;
  /** Device nodes that the package may have: "c 1:3". Default the harmless ones. */
  devices?: ReadonlySet<string>;
  /** Also hold layers that are unpacked against their archives, walked by this. */
  walkUnpacked?: WalkTree;
  signal?: AbortSignal;
}

export const initPath = "/.tranship/init";

/** An empty list means: nothing is wrong. E_IMAGE_NOT_FOUND where there is no such image. */
export async function verifyImage(
  store: ImageStore,
  reference: string,
  options: VerifyOptions = {},
): Promise<VerifyFinding[]> {
  const findings: VerifyFinding[] = [];
  const { target, name } = store.resolve(reference);
  let image: StoredImage;
  try {
    image = store.imageOf(target, name);
  } catch (error) {
    return [asFinding("document", error, target.digest)];
  }
  findings.push(...indexFindings(store, target.digest));
  const seen: Seen = { init: { present: false, executable: false }, contents: new PackageContents() };
  for (const layer of image.layers) {
    seen.contents.beginLayer();
    findings.push(...(await verifyLayer(store, layer, options, seen)));
  }
  findings.push(...(await inheritedFindings(store, image, options)));
  findings.push(...initFindings(image, seen.init), ...(await contentsFindings(store, image, seen.contents)));
  findings.push(...(await verifyArtifacts(store, image, options.readData === true)));
  return findings;
}

function indexFindings(store: ImageStore, digest: Digest): VerifyFinding[] {
  const damage = store.indexDamage();
  if (damage === undefined) return [];
  const message = `index.json of the store ${damage}: its copy counts until \`tranship repair\` has written it anew`;
  return [{ id: "document", severity: "warning", message, digest, path: undefined }];
}

interface InitSeen {
  present: boolean;
  executable: boolean;
}

/** What the layers tell together. */
interface Seen {
  init: InitSeen;
  contents: PackageContents;
}

async function contentsFindings(
  store: ImageStore,
  image: StoredImage,
  contents: PackageContents,
): Promise<VerifyFinding[]> {
  const { digest } = image.manifest.config;
  const reread: Reread = (at) => {
    const layer = image.layers[at];
    if (layer === undefined) throw new TranshipError("E_INTERNAL", `there is no layer ${at}`);
    return readLayer({ store, layer }, { devices: anyDevice });
  };
  return ((await contents.findings(reread)) ?? []).map(({ severity, message, path }) => ({
    id: "contents",
    severity,
    message,
    digest,
    path: escapeBytes(path),
  }));
}

function asFinding(id: VerifyFinding["id"], error: unknown, digest: Digest): VerifyFinding {
  if (!isTranshipError(error)) throw error;
  return { id, severity: "error", message: error.message, digest, path: undefined };
}

async function verifyLayer(
  store: ImageStore,
  layer: StoredLayer,
  options: VerifyOptions,
  { init, contents }: Seen,
): Promise<VerifyFinding[]> {
  const { digest, mediaType: type } = layer.descriptor;
  const findings: VerifyFinding[] = [];
  if (layerCompression(type) === undefined) {
    return [
      {
        id: "layer",
        severity: "error",
        message: `layer ${digest} has the media type ${type}`,
        digest,
        path: undefined,
      },
    ];
  }
  const found = (
    id: VerifyFinding["id"],
    entry: Entry,
    reason: string,
    severity: VerifyFinding["severity"] = "error",
  ): void => {
    const path = escapeBytes(entry.path);
    findings.push({ id, severity, message: `${path} ${reason}`, digest, path });
  };
  const declared = options.devices ?? harmlessDevices;
  const unpacked = unpackedCheck({ store, layer }, options);
  try {
    // Undeclared devices are reported one by one, so the reader lets them pass.
    const limits = { ...defaultLimits, devices: anyDevice };
    let current: Entry | undefined;
    const ends = new FileEndsCollector();
    const maker = new ObjectMaker();
    const entry = (event: LayerEvent & { type: "entry" }): void => {
      noteInit(event.entry, event.hardlinkTo !== undefined, init);
      const named = kernelPartByPath(event.entry.path, event.entry.kind);
      if (named !== undefined) found("kernel-part", event.entry, `is a part of a kernel: it ${named}`);
      const device = undeclaredDevice(event.entry, declared);
      if (device !== undefined && isLeftOut(event.entry.path, device))
        found(
          "device",
          event.entry,
          `is the device ${device}: it is left out where the package runs`,
          "warning",
        );
      else if (device !== undefined)
        found("device", event.entry, `is the device ${device}, which is not declared`);
      current = named === undefined && event.entry.kind === "file" ? event.entry : undefined;
      if (current !== undefined) ends.begin();
    };
    for await (const events of readLayer({ store, layer }, limits)) {
      for (const event of events) {
        const object = maker.add(event);
        if (object !== undefined) {
          contents.add(object);
          unpacked?.add(object);
        } else {
          contents.remove(event);
          unpacked?.mark(event);
        }
        if (event.type === "entry") entry(event);
        else if (event.type === "data" && current !== undefined) {
          const taken = ends.push(event.offset, event.bytes);
          if (taken !== undefined) await taken;
        } else if (event.type === "end" && current !== undefined) {
          const reason = await ends.verdict();
          if (reason !== undefined) found("kernel-part", current, `${reason}, under another name`);
        } else if (event.type === "whiteout" && event.path === initPath) init.present = false;
      }
    }
    for (const change of (await unpacked?.changes()) ?? []) {
      const message = `of the unpacked layer ${layer.diffId}: ${change}`;
      findings.push({ id: "unpacked", severity: "error", message, digest, path: undefined });
    }
  } catch (error) {
    findings.push(asFinding("layer", error, digest));
  }
  return findings;
}

async function inheritedFindings(
  store: ImageStore,
  { layers, manifest }: StoredImage,
  options: VerifyOptions,
): Promise<VerifyFinding[]> {
  const { digest } = manifest.config;
  try {
    return (await changesOfInherited(store, layers, options)).map((change) => ({
      id: "unpacked",
      severity: "error",
      message: `of what directories inherit from lower layers: ${change}`,
      digest,
      path: undefined,
    }));
  } catch (error) {
    // A layer that cannot be read is among the findings already.
    if (isTranshipError(error, "E_IMAGE_CORRUPT")) return [];
    return [asFinding("layer", error, digest)];
  }
}

function undeclaredDevice(entry: Entry, declared: ReadonlySet<string>): string | undefined {
  const name = deviceName(entry);
  return name === undefined || declared.has(name) ? undefined : name;
}

function noteInit(entry: Entry, link: boolean, init: InitSeen): void {
  if (entry.path !== initPath) return;
  init.present = entry.kind === "file";
  init.executable = link || (entry.mode & 0o111) !== 0;
}

function initFindings(image: StoredImage, init: InitSeen): VerifyFinding[] {
  if (image.config.config?.Entrypoint?.[0] !== initPath || (init.present && init.executable)) return [];
  const what = init.present ? "is not executable" : "is in no layer";
  const message = `the Entrypoint is ${initPath}, which ${what}`;
  return [{ id: "init", severity: "error", message, digest: image.manifest.config.digest, path: initPath }];
}

/** Descriptor and referrers: documents always, their content where data is to be read, else only its size. */
async function verifyArtifacts(
  store: ImageStore,
  image: StoredImage,
  readData: boolean,
): Promise<VerifyFinding[]> {
  const findings: VerifyFinding[] = [];
  const own = image.descriptorManifest === undefined ? [] : [image.descriptorManifest];
  let referrers: Descriptor[] = [];
  try {
    referrers = store.referrers(image.manifestDescriptor.digest);
  } catch (error) {
    findings.push(asFinding("document", error, image.manifestDescriptor.digest));
  }
  for (const artifact of [...own, ...referrers]) {
    try {
      const manifest = store.readManifest(artifact);
      for (const blob of [manifest.config, ...manifest.layers])
        findings.push(...(await verifyBlob(store, blob, readData)));
    } catch (error) {
      findings.push(asFinding("document", error, artifact.digest));
    }
  }
  const subject = image.descriptorManifest && subjectOf(store, image.descriptorManifest);
  if (subject !== undefined && subject !== image.manifestDescriptor.digest) {
    const message = `the package descriptor belongs to ${subject}, not to ${image.manifestDescriptor.digest}`;
    findings.push({
      id: "document",
      severity: "error",
      message,
      digest: image.descriptorManifest?.digest,
      path: undefined,
    });
  }
  return findings;
}

function subjectOf(store: ImageStore, manifest: Descriptor): Digest | undefined {
  try {
    return store.readManifest(manifest).subject?.digest;
  } catch {
    return undefined; // already among the findings
  }
}

async function verifyBlob(store: ImageStore, blob: Descriptor, readData: boolean): Promise<VerifyFinding[]> {
  // The descriptor is always read: it is small and decides what runs.
  const read = readData || blob.mediaType === mediaType.descriptor;
  try {
    const digester = new Digester(blob.digest);
    if (!read) {
      const size = store.blobSize(blob.digest);
      if (size === blob.size) return [];
    }
    for await (const chunk of readBlobFile(store, blob)) digester.update(chunk);
    const found = digester.digest();
    if (found === blob.digest) return [];
    const message = `blob ${splitDigest(blob.digest).join(":")} has the digest ${found}`;
    return [{ id: "blob", severity: "error", message, digest: blob.digest, path: undefined }];
  } catch (error) {
    return [asFinding("blob", error, blob.digest)];
  }
}
