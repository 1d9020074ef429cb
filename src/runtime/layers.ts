// Reading a file of an image from its unpacked layers, without mounting them.
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";

const maxFile = 4 << 20;

/**
 * The regular file `path` (relative) as an overlay of `layers` (topmost first) would show it; undefined where it is absent,
 * larger than 4 MiB, or where a symbolic link leads there: what layers hold is not ours, and is not followed.
 */
export function readLayerFile(layers: readonly string[], path: string): Buffer | undefined {
  for (const layer of layers) {
    const found = look(layer, path);
    if (found === "below") continue;
    return found !== "here" ? undefined : readPlain(join(layer, path));
  }
  return undefined;
}

export function inLayers(layers: readonly string[], path: string): boolean {
  for (const layer of layers) {
    const found = look(layer, path);
    if (found !== "below") return found === "here";
  }
  return false;
}

/** Something of that name is there, be it a link that leads nowhere. */
export function namedInLayers(layers: readonly string[], path: string): boolean {
  const found = layers.map((layer) => look(layer, path)).find((one) => one !== "below");
  return found === "here" || found === "other";
}

/** Whether an overlay of `layers` (topmost first) shows anything at this absolute, canonical path of bytes. */
export function hasObject(layers: readonly string[], path: string): boolean {
  for (const layer of layers) {
    let stat: ReturnType<typeof lstatSync>;
    try {
      stat = lstatSync(Buffer.from(`${layer}${path}`, "latin1"));
    } catch {
      continue; // not in this layer
    }
    if (stat !== undefined) return !(stat.isCharacterDevice() && stat.rdev === 0);
  }
  return false;
}

/** below: this layer says nothing about it; other: neither a file nor a directory. */
function look(layer: string, path: string): "here" | "other" | "gone" | "below" {
  const names = path.split("/");
  for (let depth = 1; depth <= names.length; depth++) {
    const part = join(layer, ...names.slice(0, depth));
    const stat = lstatSync(part, { throwIfNoEntry: false });
    if (stat === undefined) return "below";
    const whiteout = stat.isCharacterDevice() && stat.rdev === 0;
    if (whiteout) return "gone";
    const last = depth === names.length;
    if (!last && !stat.isDirectory()) return "gone";
    if (last) return stat.isFile() || stat.isDirectory() ? "here" : "other";
  }
  return "below";
}

function readPlain(path: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > maxFile) return undefined;
    const bytes = Buffer.alloc(stat.size);
    let used = 0;
    for (let n = 1; used < bytes.length && n > 0; used += n) {
      n = readSync(fd, bytes, used, bytes.length - used, used);
    }
    return bytes.subarray(0, used);
  } finally {
    closeSync(fd);
  }
}

/** What an overlay of `layers` (topmost first) shows at a canonical path: where it lies and what it is; undefined: nothing. */
export function entryInLayers(
  layers: readonly string[],
  path: string,
): { place: string; stat: Stats } | undefined {
  const names = path.split("/").filter((name) => name !== "");
  for (const layer of layers) {
    for (let depth = 0; ; depth++) {
      const place = join(layer, ...names.slice(0, depth));
      const stat = lstatSync(place, { throwIfNoEntry: false });
      if (stat === undefined) break;
      const last = depth === names.length;
      if (stat.isCharacterDevice() && stat.rdev === 0) return undefined;
      if (last) return { place, stat };
      if (!stat.isDirectory()) return undefined;
    }
  }
  return undefined;
}
