// The name that a path has in an image once its symbolic links are followed, from the unpacked layers, without mounting them.
import { lstatSync, readlinkSync } from "node:fs";

/** As Linux has it: more links than this are a loop. */
const maxLinks = 40;

/**
 * `path` is absolute, of bytes; so is the answer, also where nothing is there: as far as links lead. Nothing of the layers is followed by
 * the kernel but directories that are none of a link.
 */
export function canonicalIn(layers: readonly string[], path: string): string {
  const wanted = path.split("/").reverse();
  const done: string[] = [];
  let links = 0;
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      done.pop();
      continue;
    }
    const text = links < maxLinks ? linkIn(layers, [...done, name].join("/")) : undefined;
    if (text === undefined) {
      done.push(name);
      continue;
    }
    links++;
    if (text.startsWith("/")) done.length = 0;
    wanted.push(...text.split("/").reverse());
  }
  return `/${done.join("/")}`;
}

/** The text of the link that the topmost layer with this name has there. */
function linkIn(layers: readonly string[], path: string): string | undefined {
  for (const layer of layers) {
    const place = Buffer.from(`${layer}/${path}`, "latin1");
    try {
      const stat = lstatSync(place);
      return stat.isSymbolicLink() ? readlinkSync(place, "latin1") : undefined;
    } catch {} // not in this layer
  }
  return undefined;
}
