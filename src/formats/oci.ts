// Wire types of the OCI image specification, with its own field names, and decoders that say what is wrong where.
import { TranshipError } from "../base/errors.ts";
import { strictJsonProblem } from "./json-strict.ts";
import { type Digest, isDigest } from "./oci-reference.ts";

export const mediaType = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  empty: "application/vnd.oci.empty.v1+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  /** The package descriptor: artifactType of its manifest and type of its YAML. */
  descriptor: "application/vnd.tranship.package.v1+yaml",
  evidence: "application/vnd.tranship.evidence.v1+json",
  /** Bill of materials, as other tools of the field call its type. */
  sbom: "application/spdx+json",
} as const;

/** Annotation of index.json that gives a manifest its name. */
export const refNameAnnotation = "org.opencontainers.image.ref.name";

/** JSON documents of an image are at most this large; registries have the same limit. */
export const maxDocument: number = 4 << 20;
const maxLayers = 1000;
const maxManifests = 100_000;

export interface Platform {
  architecture: string;
  os: string;
  "os.version"?: string;
  variant?: string;
}

export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  annotations?: Record<string, string>;
  platform?: Platform;
  artifactType?: string;
  urls?: string[];
}

export interface ImageIndex {
  schemaVersion: 2;
  mediaType?: string;
  artifactType?: string;
  manifests: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

export interface ImageManifest {
  schemaVersion: 2;
  mediaType?: string;
  artifactType?: string;
  config: Descriptor;
  layers: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

/** The execution parameters: field "config" of the image config. */
export interface ContainerConfig {
  User?: string;
  ExposedPorts?: Record<string, Record<string, never>>;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, Record<string, never>>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  Healthcheck?: Healthcheck;
}

/** Of docker: OCI has none. Times in nanoseconds; 0: the default. */
export interface Healthcheck {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

/**
 * When a layer of ours says that it was made. What is captured alike has to give the same image on every day, so it is no time at all; but some readers
 * (umoci's `stat`) fail where an entry of the history has none.
 */
export const noTime = "1970-01-01T00:00:00Z";

export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

export interface ImageConfig {
  created?: string;
  author?: string;
  architecture: string;
  os: string;
  variant?: string;
  config?: ContainerConfig;
  rootfs: { type: "layers"; diff_ids: Digest[] };
  history?: HistoryEntry[];
}

export function isIndexType(type: string): boolean {
  return type === mediaType.index || type === mediaType.dockerIndex;
}

export function isManifestType(type: string): boolean {
  return type === mediaType.manifest || type === mediaType.dockerManifest;
}

/** How a layer of this media type is compressed; undefined where the type is not one of a layer. */
export function layerCompression(type: string): "none" | "gzip" | "zstd" | undefined {
  switch (type) {
    case mediaType.layer:
    case mediaType.dockerLayer:
      return "none";
    case mediaType.layerGzip:
    case mediaType.dockerLayerGzip:
      return "gzip";
    case mediaType.layerZstd:
    case "application/vnd.docker.image.rootfs.diff.tar.zstd":
      return "zstd";
    default:
      return undefined;
  }
}

/** `what` opens every message: "manifest sha256:...". */
export function decodeIndex(text: string, what: string): ImageIndex {
  const value = object(parseDocument(text, what), what);
  const manifests = array(value.manifests, `${what}: manifests`, maxManifests);
  checkVersion(value, what);
  manifests.forEach((entry, i) => {
    checkDescriptor(entry, `${what}: manifests[${i}]`);
  });
  checkCommon(value, what);
  return value as unknown as ImageIndex;
}

export function decodeManifest(text: string, what: string): ImageManifest {
  const value = object(parseDocument(text, what), what);
  checkVersion(value, what);
  checkDescriptor(value.config, `${what}: config`);
  const layers = array(value.layers, `${what}: layers`, maxLayers);
  layers.forEach((layer, i) => {
    checkDescriptor(layer, `${what}: layers[${i}]`);
  });
  checkCommon(value, what);
  return value as unknown as ImageManifest;
}

export function decodeImageConfig(text: string, what: string): ImageConfig {
  const value = object(parseDocument(text, what), what);
  string(value.architecture, `${what}: architecture`);
  string(value.os, `${what}: os`);
  const rootfs = object(value.rootfs, `${what}: rootfs`);
  if (rootfs.type !== "layers") throw wrong(`${what}: rootfs.type`, '"layers"', rootfs.type);
  array(rootfs.diff_ids, `${what}: rootfs.diff_ids`, maxLayers).forEach((id, i) => {
    if (!isDigest(id)) throw wrong(`${what}: rootfs.diff_ids[${i}]`, "a digest", id);
  });
  if (value.config !== undefined && value.config !== null)
    checkContainerConfig(object(value.config, `${what}: config`), what);
  if (value.history !== undefined && value.history !== null) {
    array(value.history, `${what}: history`, 10 * maxLayers).forEach((entry, i) => {
      object(entry, `${what}: history[${i}]`);
    });
  }
  return withoutNulls(value) as unknown as ImageConfig;
}

function checkContainerConfig(config: Record<string, unknown>, what: string): void {
  for (const name of ["Env", "Entrypoint", "Cmd"]) {
    const list = config[name];
    if (list === undefined || list === null) continue;
    array(list, `${what}: config.${name}`, 100_000).forEach((entry, i) => {
      string(entry, `${what}: config.${name}[${i}]`);
    });
  }
  for (const name of ["User", "WorkingDir", "StopSignal"]) {
    if (config[name] !== undefined && config[name] !== null) string(config[name], `${what}: config.${name}`);
  }
  for (const name of ["ExposedPorts", "Volumes", "Labels"]) {
    if (config[name] !== undefined && config[name] !== null) object(config[name], `${what}: config.${name}`);
  }
}

/** Docker writes null where the specification leaves a field out. */
function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    if (field === null) continue;
    result[name] = name === "config" ? withoutNulls(field as Record<string, unknown>) : field;
  }
  return result;
}

function checkVersion(value: Record<string, unknown>, what: string): void {
  if (value.schemaVersion !== 2) throw wrong(`${what}: schemaVersion`, "2", value.schemaVersion);
}

function checkCommon(value: Record<string, unknown>, what: string): void {
  if (value.mediaType !== undefined) string(value.mediaType, `${what}: mediaType`);
  if (value.artifactType !== undefined) string(value.artifactType, `${what}: artifactType`);
  if (value.subject !== undefined) checkDescriptor(value.subject, `${what}: subject`);
  checkAnnotations(value.annotations, what);
}

function checkDescriptor(input: unknown, what: string): void {
  const value = object(input, what);
  string(value.mediaType, `${what}.mediaType`);
  if (!isDigest(value.digest)) throw wrong(`${what}.digest`, "a digest", value.digest);
  if (typeof value.size !== "number" || !Number.isSafeInteger(value.size) || value.size < 0) {
    throw wrong(`${what}.size`, "a count of bytes", value.size);
  }
  if (value.platform !== undefined && value.platform !== null) {
    const platform = object(value.platform, `${what}.platform`);
    string(platform.architecture, `${what}.platform.architecture`);
    string(platform.os, `${what}.platform.os`);
  }
  checkAnnotations(value.annotations, what);
}

function checkAnnotations(value: unknown, what: string): void {
  if (value === undefined || value === null) return;
  for (const [name, text] of Object.entries(object(value, `${what}: annotations`))) {
    string(text, `${what}: annotations[${JSON.stringify(name.slice(0, 60))}]`);
  }
}

/** JSON from strangers, bounded in size and depth, with no key twice in an object. `what` opens every message. */
export function parseDocument(text: string, what: string): unknown {
  if (text.length > maxDocument) {
    throw new TranshipError(
      "E_LIMIT",
      `${what} has ${text.length} characters, at most ${maxDocument} are accepted`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TranshipError("E_IMAGE_CORRUPT", `${what} is not JSON: ${JSON.stringify(text.slice(0, 40))}`, {
      cause,
    });
  }
  const problem = strictJsonProblem(text);
  if (problem !== undefined) throw new TranshipError("E_IMAGE_CORRUPT", `${what} ${problem}`);
  return value;
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(what, "an object", value);
  return value as Record<string, unknown>;
}

function array(value: unknown, what: string, most: number): unknown[] {
  if (!Array.isArray(value)) throw wrong(what, "a list", value);
  if (value.length > most) {
    throw new TranshipError("E_LIMIT", `${what} has ${value.length} elements, at most ${most} are accepted`);
  }
  return value;
}

function string(value: unknown, what: string): string {
  if (typeof value !== "string") throw wrong(what, "a text", value);
  return value;
}

function wrong(what: string, expected: string, value: unknown): TranshipError {
  const shown = value === undefined ? "missing" : (JSON.stringify(value) ?? String(value)).slice(0, 80);
  return new TranshipError("E_IMAGE_CORRUPT", `${what} must be ${expected}, is ${shown}`);
}
