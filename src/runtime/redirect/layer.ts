// The files behind redirections, below `redirect/` in the directory of an instance, made with it and removed with it:
//
//   points, hidden   layers of ours above those of the package, points above hidden: places to mount at and copies; whiteouts
//   N/upper, N/work  of the N-th rule where it is an overlay (write-copy): the instance's own copy. Where its disk is limited they are on that: disk/ has what it begins with
//   N/points, N/hidden  the same layers for that overlay
//   N/mask           whiteouts between the package's folder and the host's: what of the host stays out of sight
//   N/view           the place where a bind or an overlay is mounted before the OCI runtime binds it into the instance; empty for everybody else
//   package          the same for the layers of the package, which overlays take their folder from
import { chmodSync, lchownSync, lstatSync, lutimesSync, mkdirSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFilePlain } from "../../host/files.ts";
import { runChecked } from "../../host/process.ts";
import { step } from "../../host/steps.ts";
import { secretsBelow } from "../../redirect/host-paths.ts";
import type { LayerEntry } from "../../redirect/mount-plan.ts";
import type { InstancePaths } from "../instance-paths.ts";
import { entryInLayers } from "../layers.ts";
import type { InstanceRecord, InstanceRedirections } from "../record.ts";
import { contentOfDisk } from "./mounts.ts";

interface Building {
  /** Of a draft. */
  readonly paths: InstancePaths;
  readonly record: InstanceRecord;
  readonly rules: InstanceRedirections["rules"];
  /** Of the package, topmost first. */
  readonly layers: readonly string[];
}

/** In a draft: whoever is killed here leaves nothing that the next command does not remove. */
export async function buildRedirections(
  paths: InstancePaths,
  record: InstanceRecord,
  entries: readonly LayerEntry[],
  layers: readonly string[],
): Promise<void> {
  const { rules = [], host = [] } = record.redirections ?? {};
  const directory = paths.redirect;
  step("redirections");
  mkdirSync(directory, { mode: 0o700 });
  const building = { paths, record, rules, layers };
  for (const [index, { made }] of rules.entries()) {
    if (made.as !== "overlay") continue;
    makeOverlay(building, index);
    if (made.host === null) continue;
    const mask = join(directory, String(index), "mask");
    for (const secret of secretsBelow(made.host, host))
      await whiteout(`${mask}${secret.slice(made.host.length)}`, (path) =>
        mkdirSync(path, { recursive: true }),
      );
  }
  for (const entry of entries) await makeEntry(building, entry);
  // What is thrown away at the end need not survive a power failure.
  if (!record.autoRemove) await runChecked("sync", ["--file-system", directory]);
}

/** The root of an overlay has the attributes of its upper directory. */
function makeOverlay(building: Building, index: number): void {
  mkdirSync(join(building.paths.redirect, String(index)), { mode: 0o700 });
  const { upper, work } = contentOfDisk(building.paths, building.record, index);
  mkdirSync(dirname(upper), { recursive: true, mode: 0o700 });
  mkdirSync(work, { mode: 0o700 });
  makeLike(upper, original(building, index, ""));
}

async function makeEntry(building: Building, { overlay, path, kind, source }: LayerEntry): Promise<void> {
  const { redirect } = building.paths;
  const own = overlay === null ? redirect : join(redirect, String(overlay));
  const layer = join(own, kind === "whiteout" ? "hidden" : "points");
  const place = `${layer}${path}`;
  const parents = (parent: string): void =>
    makeParents(building, { layer, overlay, path: parent.slice(layer.length) });
  if (kind === "whiteout") return await whiteout(place, parents);
  parents(dirname(place));
  if (kind === "directory") return makeLike(place, original(building, overlay, path));
  if (kind === "file") return writeFilePlain(place, "", 0o644);
  const { path: from = "", host = false } = source ?? {};
  const found = host ? from : entryInLayers(building.layers, from)?.place;
  const words = ["--archive", "--reflink=auto", "--no-target-directory", ...(host ? ["--dereference"] : [])];
  if (found !== undefined) await runChecked("cp", [...words, "--", found, place]);
}

async function whiteout(place: string, parents: (directory: string) => void): Promise<void> {
  parents(dirname(place));
  await runChecked("mknod", ["--mode=0", "--", place, "c", "0", "0"]);
}

/** Directories above an entry look as they do in the layers below: those of the topmost layer count. */
function makeParents(building: Building, at: { layer: string; overlay: number | null; path: string }): void {
  const { layer, overlay, path } = at;
  if (statSync(`${layer}${path}`, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (path !== "" && path !== "/") makeParents(building, { layer, overlay, path: dirname(path) });
  makeLike(`${layer}${path === "/" ? "" : path}`, original(building, overlay, path));
}

/** What the layers below show at a path of a layer. */
function original({ rules, layers }: Building, overlay: number | null, path: string): Stats | undefined {
  if (overlay === null) return entryInLayers(layers, path)?.stat;
  const made = rules[overlay]?.made;
  if (made?.as !== "overlay") return undefined;
  const own = made.package === null ? undefined : entryInLayers(layers, `${made.package}${path}`)?.stat;
  const host = made.host === null ? undefined : statSync(`${made.host}${path}`, { throwIfNoEntry: false });
  return own ?? host;
}

function makeLike(path: string, like: Stats | undefined): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o755 });
  if (like?.isDirectory() !== true) return;
  lchownSync(path, like.uid, like.gid);
  chmodSync(path, like.mode & 0o7777);
  lutimesSync(path, like.atime, like.mtime);
}
