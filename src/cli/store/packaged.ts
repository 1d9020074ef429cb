// A package of the store with the text of its descriptor: what the verbs of descriptors begin with.
import { readFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { ioError } from "../../host/files.ts";
import { type ImageStore, openStore, type StoredImage } from "../../image/store.ts";
import type { Context } from "../context.ts";

export interface Packaged {
  store: ImageStore;
  image: StoredImage;
  /** YAML, as it is stored; empty where the image has none and is given one. */
  text: string;
}

/** `given`: a descriptor stands for the package's own, which it then need not have. E_IMAGE_UNSUPPORTED for an image without one. */
export function packagedOf(context: Context, reference: string, given = false): Packaged {
  const store = openStore(context.root);
  const image = store.image(reference);
  const yaml = store.descriptorYaml(image);
  if (yaml !== undefined || given) return { store, image, text: new TextDecoder().decode(yaml) };
  throw new TranshipError("E_IMAGE_UNSUPPORTED", `${reference} is an image without a package descriptor`, {
    hint: `make it a package with \`tranship package bake --descriptor FILE ${reference}\`; \`tranship inspect\` shows its config`,
  });
}

/** The name under which a changed package is kept: --tag, or the one it has. */
export function nameFor({ image }: Packaged, reference: string, tag: string | undefined): string {
  const name = tag ?? image.name;
  if (name !== undefined) return name;
  throw new TranshipError("E_USAGE", `${reference} has no name`, {
    hint: "give the changed package one: -t NAME",
  });
}

/** A file's text; "-" is standard input. */
export function readGiven(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    throw ioError(`cannot read ${file === "-" ? "standard input" : file}`, cause);
  }
}
