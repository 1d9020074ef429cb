// Names inside a layer: what they mean, and which of them are refused.
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";

export type LayerName =
  | { type: "object"; path: ByteString }
  /** The object of that path in lower layers is gone. */
  | { type: "whiteout"; path: ByteString }
  /** What lower layers have in that directory is gone. */
  | { type: "opaque"; path: ByteString }
  /** Book-keeping of an old union file system; means nothing to us. */
  | { type: "ignored"; path: ByteString };

const maxPath = 4096;
const maxName = 255;

/** "./a//b/" -> "/a/b". A leading slash means the root of the layer. E_LAYER_HOSTILE where it leads upwards or is too long. */
export function layerPath(name: ByteString): ByteString {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw hostile(name, "leads upwards");
  if (name.includes("\0")) throw hostile(name, "holds a NUL byte");
  if (name.length > maxPath || parts.some((part) => part.length > maxName))
    throw hostile(name, "is too long");
  return `/${parts.join("/")}`;
}

export function layerName(name: ByteString): LayerName {
  const path = layerPath(name);
  const slash = path.lastIndexOf("/");
  const parent = slash === 0 ? "/" : path.slice(0, slash);
  const last = path.slice(slash + 1);
  if (path.slice(0, slash).includes("/.wh.")) throw hostile(name, "has a whiteout as a directory");
  if (!last.startsWith(".wh.")) return { type: "object", path };
  if (last === ".wh..wh..opq") return { type: "opaque", path: parent };
  if (last.startsWith(".wh..wh.")) return { type: "ignored", path };
  const hidden = last.slice(4);
  if (hidden === "" || hidden === "." || hidden === "..") throw hostile(name, "is a whiteout of nothing");
  return { type: "whiteout", path: parent === "/" ? `/${hidden}` : `${parent}/${hidden}` };
}

export function hostile(name: ByteString, why: string): TranshipError {
  const shown = JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name);
  return new TranshipError("E_LAYER_HOSTILE", `layer entry ${shown} ${why}`, {
    hint: "the image was not made by an honest tool; do not use it",
    details: { name: name.slice(0, maxPath) },
  });
}
