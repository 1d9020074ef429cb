// /proc/PID/mountinfo as values, and which of the mounts can be seen. proc_pid_mountinfo(5).
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "./entry.ts";

export interface MountInfo {
  id: number;
  parent: number;
  /** "major:minor". */
  device: string;
  /** The directory (or file) of the file system that is mounted. */
  root: ByteString;
  /** Where it is mounted, as seen from the process' root. */
  target: ByteString;
  /** Options of the mount, then of its file system: "rw", "nosuid", "lowerdir=/a". */
  options: ByteString[];
  superOptions: ByteString[];
  /** "shared:7", "master:3", "unbindable"; empty for a private mount. */
  propagation: string[];
  fstype: string;
  source: ByteString;
}

/** text: the file, read as latin1. E_PROTOCOL on a line that is none. */
export function parseMountInfo(text: ByteString): MountInfo[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(parseLine);
}

function parseLine(line: string): MountInfo {
  const fields = line.split(" ");
  const [id, parent, device, root, target, options] = fields;
  const dash = fields.indexOf("-", 6);
  // An empty source is two blanks in a row, and so still a field.
  const [fstype, source, superOptions] = dash < 0 ? [] : fields.slice(dash + 1);
  if (
    root === undefined || target === undefined || options === undefined || device === undefined ||
    fstype === undefined || source === undefined || !/^\d+$/.test(id ?? "") || !/^\d+$/.test(parent ?? "")
  ) {
    throw new TranshipError("E_PROTOCOL", `not a line of mountinfo: ${JSON.stringify(line.slice(0, 200))}`);
  } // biome-ignore format: a list
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescapeOctal(root),
    target: unescapeOctal(target),
    options: options.split(",").map(unescapeOctal),
    superOptions: (superOptions ?? "").split(",").filter(Boolean).map(unescapeOctal),
    propagation: fields.slice(6, dash),
    fstype: unescapeOctal(fstype),
    source: unescapeOctal(source),
  };
}

function unescapeOctal(text: string): ByteString {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Whether path is dir or below it. */
export function isBelow(path: ByteString, dir: ByteString): boolean {
  return path === dir || dir === "/" || path.startsWith(`${dir}/`);
}

/** The mounts that a path can reach: none that another one covers, wholly or by its parent directory. In tree order. */
export function visibleMounts(mounts: readonly MountInfo[]): MountInfo[] {
  const ids = new Set(mounts.map((mount) => mount.id));
  const children = new Map<number, MountInfo[]>();
  const tops: MountInfo[] = [];
  for (const mount of mounts) {
    // The first mount of a namespace can be its own parent; in a chroot the parent is not listed.
    const siblings = children.get(mount.parent);
    if (!ids.has(mount.parent) || mount.parent === mount.id) tops.push(mount);
    else if (siblings === undefined) children.set(mount.parent, [mount]);
    else siblings.push(mount);
  }
  const visible: MountInfo[] = [];
  const pending = uncovered(tops).reverse();
  for (let mount = pending.pop(); mount !== undefined; mount = pending.pop()) {
    const below = uncovered(children.get(mount.id) ?? []);
    children.delete(mount.id); // each once, whatever a hostile list says
    const top = mount.target;
    if (!below.some((child) => child.target === top)) visible.push(mount);
    for (const child of below.reverse()) pending.push(child);
  }
  return visible;
}

/** Of mounts on one parent, those that no other one lies above. */
function uncovered(siblings: readonly MountInfo[]): MountInfo[] {
  const sorted = [...siblings].sort((a, b) => compare(`${a.target}/`, `${b.target}/`));
  const kept: MountInfo[] = [];
  for (const mount of sorted) {
    const last = kept.at(-1);
    if (last === undefined || !isBelow(mount.target, last.target)) kept.push(mount);
  }
  return kept;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
