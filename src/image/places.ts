// Where an image was pulled from and pushed to, as its entry in index.json has it: references with the digest that each had there, latest
// first. What is damaged or missing here is looked for there.
import { isTranshipError } from "../base/errors.ts";
import { type Descriptor, refNameAnnotation } from "../formats/oci.ts";
import { type Digest, parseReference, type Reference } from "../formats/oci-reference.ts";
import type { ImageStore } from "./store.ts";

/** On an entry of index.json: "HOST/REPOSITORY:TAG@DIGEST ...". */
const placesAnnotation = "vnd.tranship.places";
/** On an entry of index.json: the digest that its name had at the registry that it was pulled from. */
export const pulledAnnotation = "vnd.tranship.pulled";

const maxPlaces = 8;

/** Places of an entry; what cannot be read as one is passed over. */
export function placesOf(entry: Descriptor): Reference[] {
  const listed = words(entry).flatMap(referenceOf);
  const name = entry.annotations?.[refNameAnnotation];
  const pulled = entry.annotations?.[pulledAnnotation];
  // Pulled before places were noted: a name with a registry says where.
  const own = listed.length > 0 || pulled === undefined || name === undefined ? [] : referenceOf(name);
  return [...listed, ...own.filter(({ registry }) => registry !== undefined)];
}

/** The annotations that make `place` the latest place of `entry`. */
export function notePlace(entry: Pick<Descriptor, "annotations">, place: string): Record<string, string> {
  const others = words(entry).filter((one) => one !== place);
  return { [placesAnnotation]: [place, ...others].slice(0, maxPlaces).join(" ") };
}

/** For what is made of an image and keeps its layers. */
export function placesKept(entry: Descriptor): Record<string, string> {
  const places = entry.annotations?.[placesAnnotation];
  return places === undefined ? {} : { [placesAnnotation]: places };
}

/** For a member of an index that others wrote: where it says that it is counts nothing. */
export function withoutPlaces(entry: Descriptor): Descriptor {
  const { [placesAnnotation]: _, ...annotations } = entry.annotations ?? {};
  return { ...entry, annotations };
}

/** Notes at each name of that digest that it is at `place` too. */
export async function addPlace(store: ImageStore, digest: Digest, place: string): Promise<void> {
  const lacks = (entry: Descriptor): boolean =>
    entry.digest === digest &&
    entry.annotations?.[refNameAnnotation] !== undefined &&
    words(entry)[0] !== place;
  if (!store.index().manifests.some(lacks)) return;
  await store.updateIndex(`note that ${digest} is at ${place}`, (manifests) =>
    manifests.map((entry) =>
      lacks(entry) ? { ...entry, annotations: { ...entry.annotations, ...notePlace(entry, place) } } : entry,
    ),
  );
}

function words(entry: Pick<Descriptor, "annotations">): string[] {
  return (entry.annotations?.[placesAnnotation] ?? "").split(" ").filter((word) => word !== "");
}

function referenceOf(text: string): Reference[] {
  try {
    return [parseReference(text)];
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    return [];
  }
}
