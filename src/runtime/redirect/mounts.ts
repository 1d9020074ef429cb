// The mounts of an instance's redirections. In the namespace of its launch everything is put together below `redirect/` of its directory, by enter, which follows no
// link out of the tree that a link is in; the OCI runtime then binds it to its place.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import type { EnterMount, LowerDirectory } from "../../host/enter.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { isWithin } from "../../redirect/rules.ts";
import { layerDirectories } from "../image.ts";
import type { InstancePaths } from "../instance-paths.ts";
import { hasDisk } from "../limits/disk.ts";
import type { OciMount } from "../oci/config.ts";
import type { InstanceRecord, InstanceRedirection } from "../record.ts";
import { emptyLower, volumeData } from "../volumes/volumes.ts";

/** Ours first, then those of the package; topmost first. */
export async function instanceLayers(
  root: StateRoot,
  { paths, record }: { paths: InstancePaths; record: InstanceRecord },
): Promise<string[]> {
  return [...ownLayers(paths, record), ...(await layerDirectories(root, record.image.diffIds))];
}

export function ownLayers({ redirect }: InstancePaths, { redirections }: InstanceRecord): string[] {
  if (redirections === undefined) return [];
  return ["points", "hidden"].map((name) => join(redirect, name)).filter((path) => existsSync(path));
}

export interface EnterInput {
  root: StateRoot;
  paths: InstancePaths;
  record: InstanceRecord;
  /** Of the instance, as of instanceLayers(). */
  layers: readonly string[];
  /** Where the root of the instance is mounted by then. */
  rootfs: string;
  /** Device nodes of the package are kept closed by nothing else. */
  nodev: boolean;
  /** Paths as startEnter() takes them; false: as words of a command line. */
  bytes: boolean;
}

function worded({ bytes }: EnterInput, path: string): ByteString {
  return bytes ? Buffer.from(path).toString("latin1") : path;
}

/** After the overlay of the instance's root. */
export function enterMounts(input: EnterInput): EnterMount[] {
  const rules = input.record.redirections?.rules ?? [];
  return [...packageMount(input), ...rules.flatMap((rule, index) => ruleMount(input, rule, index))];
}

/** What overlays take their folders from: the layers of the package alone. */
function packageMount(input: EnterInput): EnterMount[] {
  const { paths, record, layers, root } = input;
  const rules = record.redirections?.rules ?? [];
  const needed = ({ made }: InstanceRedirection): boolean =>
    made.as === "overlay" ? made.package !== null : made.as === "bind" && made.apart;
  if (!rules.some(needed)) return [];
  const own = new Set(ownLayers(paths, record));
  const lowers = layers.filter((layer) => !own.has(layer));
  const target = worded(input, join(paths.redirect, "package"));
  return [{ kind: "overlay", target, lowers: [...lowers, ...emptyLower(root, lowers)], readOnly: true }];
}

export interface LookedAtOverlay {
  at: string;
  /** What the instance has written. */
  upper: string;
  /** Without and with that; nothing can be written. */
  before: EnterMount & { kind: "overlay" };
  after: EnterMount & { kind: "overlay" };
}

/** The overlays of rules, for looking at what an instance changed. `target` names places to mount at, which are there by then. */
export function overlaysToLookAt(
  input: EnterInput,
  target: (index: number, which: "before" | "after") => string,
): { first: EnterMount[]; overlays: LookedAtOverlay[] } {
  const overlays = (input.record.redirections?.rules ?? []).flatMap(({ made }, index) => {
    if (made.as !== "overlay") return [];
    const { upper } = writtenFor(input.paths, input.record, index);
    const lowers = [...lowersOf(input, made, index), ...emptyLower(input.root, [])];
    const common = { kind: "overlay", readOnly: true, renames: true } as const;
    const before = { ...common, target: worded(input, target(index, "before")), lowers: [...lowers] };
    const after = { ...common, target: worded(input, target(index, "after")), lowers: [upper, ...lowers] };
    return [{ at: made.at, upper, before, after }];
  });
  return { first: packageMount(input), overlays };
}

/** Whether something is mounted at its place. */
export function isMount(made: InstanceRedirection["made"]): boolean {
  return made.as === "bind" || made.as === "overlay" || made.as === "host";
}

/** What the instance writes through the N-th rule, an overlay; as writtenIn() for its root. */
function writtenFor(
  { disk, redirect }: InstancePaths,
  { limits }: InstanceRecord,
  index: number,
): { upper: string; work: string } {
  const own = join(hasDisk(limits) ? join(disk, "redirect") : redirect, String(index));
  return { upper: join(own, "upper"), work: join(own, "work") };
}

/** Where a draft has what writtenFor() will name. */
export function contentOfDisk(
  paths: InstancePaths,
  record: InstanceRecord,
  index: number,
): { upper: string; work: string } {
  return writtenFor({ ...paths, disk: join(paths.redirect, "disk") }, record, index);
}

/** Where the N-th rule's mount is put together. */
export function viewOf({ redirect }: InstancePaths, index: number): string {
  return join(redirect, String(index), "view");
}

function ruleMount(input: EnterInput, { made }: InstanceRedirection, index: number): EnterMount[] {
  const bytes = (path: string): ByteString => worded(input, path);
  const target = bytes(viewOf(input.paths, index));
  if (made.as === "overlay") return [overlayOf(input, made, index, target)];
  if (made.as !== "bind") return [];
  const packaged = { root: join(input.paths.redirect, "package"), path: made.source };
  const { root, path } = made.apart ? packaged : sourceOf(input, made.source);
  const readOnly = isReadOnly(input.record, made);
  return [{ kind: "bind-within", root: bytes(root), source: bytes(path), target, readOnly }];
}

type BindMade = Extract<InstanceRedirection["made"], { as: "bind" }>;

/** A root that cannot be written is not written through a rule either. */
function isReadOnly(record: InstanceRecord, made: BindMade): boolean {
  return made.readOnly || (record.readOnly && mountedOver(record, made.source) === undefined);
}

function mountedOver(record: InstanceRecord, path: string): InstanceRecord["mounts"][number] | undefined {
  return record.mounts
    .filter((mount) => isWithin(path, mount.target))
    .sort((a, b) => b.target.length - a.target.length)[0];
}

/** A path of the instance: the directory of this host that shows it, and the path below that. */
function sourceOf({ root, record, rootfs }: EnterInput, path: string): { root: string; path: string } {
  const covering = mountedOver(record, path);
  if (covering === undefined) return { root: rootfs, path };
  if (covering.kind === "tmpfs")
    throw new TranshipError("E_REDIRECTION", `${path} lies in the memory file system ${covering.target}`, {
      hint: "redirect to another path, or use a volume there",
    });
  const directory = covering.kind === "volume" ? volumeData(root, covering.source) : covering.source;
  return { root: directory, path: path.slice(covering.target.length) || "/" };
}

type OverlayMade = Extract<InstanceRedirection["made"], { as: "overlay" }>;

function lowersOf(input: EnterInput, made: OverlayMade, index: number): LowerDirectory[] {
  const { redirect } = input.paths;
  const own = (name: string): string[] =>
    [join(redirect, String(index), name)].filter((path) => existsSync(path));
  const fromPackage =
    made.package === null
      ? []
      : [{ root: worded(input, join(redirect, "package")), path: worded(input, made.package) }];
  const fromHost = made.host === null ? [] : [...own("mask"), worded(input, made.host)];
  return [...own("points"), ...own("hidden"), ...fromPackage, ...fromHost];
}

function overlayOf(input: EnterInput, made: OverlayMade, index: number, target: ByteString): EnterMount {
  const { paths, record } = input;
  const { upper, work } = writtenFor(paths, record, index);
  return {
    kind: "overlay",
    target,
    lowers: lowersOf(input, made, index),
    upper: { dir: upper, work },
    volatile: record.autoRemove,
    renames: true,
    // Nothing of the host becomes a device or another user here.
    nodev: input.nodev || made.host !== null,
    nosuid: made.host !== null,
  };
}

export interface RedirectedMounts {
  /** Before all others: what lies inside of them is mounted over them. */
  readonly first: readonly OciMount[];
  /** After the volumes: inside of these, or copies of mounts below what a rule leads to. */
  readonly later: readonly OciMount[];
  /** Where a rule decides instead of a file of the instance's own. */
  readonly instead: ReadonlySet<string>;
}

/** `others`: all other mounts of the instance but the kernel's. */
export function redirectedMounts(
  paths: InstancePaths,
  record: InstanceRecord,
  others: readonly OciMount[],
): RedirectedMounts {
  const mounts = (record.redirections?.rules ?? []).flatMap(({ made }, index) => {
    if (made.as === "host") return [bind(made.source, made.at, "rw", "nosuid", "nodev", "noexec")];
    if (made.as !== "bind" && made.as !== "overlay") return [];
    return [
      bind(viewOf(paths, index), made.at, made.as === "bind" && isReadOnly(record, made) ? "ro" : "rw"),
    ];
  });
  const inVolume = (mount: OciMount): boolean =>
    record.mounts.some(({ target }) => isWithin(mount.destination, target));
  const instead = new Set(mounts.map((mount) => mount.destination));
  const taken = new Set(others.map((mount) => mount.destination));
  const copies = mountsBelow(record, others).filter((mount) => !taken.has(mount.destination));
  return {
    first: mounts.filter((mount) => !inVolume(mount)),
    later: [...mounts.filter(inVolume), ...copies],
    instead,
  };
}

/** What is mounted below the folder that a rule leads to is seen through the rule as well; where it leads to the package's own, that alone is. */
function mountsBelow(record: InstanceRecord, others: readonly OciMount[]): OciMount[] {
  return (record.redirections?.rules ?? []).flatMap(({ made }) => {
    if (made.as !== "bind" || made.apart) return [];
    return others
      .filter(({ destination }) => destination !== made.source && isWithin(destination, made.source))
      .map((mount) => ({
        ...mount,
        destination: `${made.at}${made.source === "/" ? mount.destination : mount.destination.slice(made.source.length)}`,
        options: made.readOnly ? [...mount.options.filter((word) => word !== "rw"), "ro"] : mount.options,
      }));
  });
}

function bind(source: string, destination: string, ...options: string[]): OciMount {
  return { destination, type: "bind", source, options: ["rbind", "rprivate", ...options] };
}
