// verified.json, the note beside an unpacked layer (or beside what directories inherit): what lies there was made whole, and of what. That it
// is there is believed; what it says only where it fits the name of its directory.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Digest, isDigest, splitDigest } from "../formats/oci-reference.ts";
import { readText, writeFileAtomic } from "../host/files.ts";
import { digestOf } from "./digest.ts";

const noteFile = "verified.json";
const inheritedWord = "inherited directories";

export type LayerNote =
  | { kind: "layer" }
  /** What was made for several layers together. */
  | { kind: "inherited"; layers: readonly Digest[] }
  /** It says nothing that can be: a disk was damaged, or a hand was there. */
  | { kind: "damaged" };

/** Beside the directory in root.layers; undefined where there is none. */
export function layerNote(place: string): LayerNote | undefined {
  const text = readText(join(place, noteFile));
  return text === undefined ? undefined : decode(text, place.slice(place.lastIndexOf("/") + 1));
}

export function hasLayerNote(place: string): boolean {
  return existsSync(join(place, noteFile));
}

function decode(text: string, hex: string): LayerNote {
  let note: { tranship?: unknown; diffId?: unknown; layers?: unknown } | null;
  try {
    note = JSON.parse(text);
  } catch {
    return { kind: "damaged" };
  }
  if (note?.tranship === "layer" && isDigest(note.diffId) && splitDigest(note.diffId)[1] === hex)
    return { kind: "layer" };
  const layers: unknown = note?.layers;
  if (note?.tranship === inheritedWord && Array.isArray(layers) && layers.every(isDigest)) {
    if (inheritedName(layers) === hex) return { kind: "inherited", layers };
  }
  return { kind: "damaged" };
}

/** What a directory of root.layers is called that was made for these layers together, lowest first. */
export function inheritedName(layers: readonly Digest[]): string {
  return splitDigest(digestOf(`inherited\n${layers.join("\n")}`))[1];
}

export function noteLayer(place: string, layer: { diffId: Digest; blob: Digest }): void {
  write(place, { tranship: "layer", version: 1, ...layer });
}

export function noteInherited(place: string, layers: readonly Digest[]): void {
  write(place, { tranship: inheritedWord, version: 1, layers });
}

function write(place: string, note: object): void {
  writeFileAtomic(join(place, noteFile), `${JSON.stringify(note)}\n`);
}
