// Which keys a schema knows, asked of its JSON Schema: keys that it does not know are kept, and reported.
import { z } from "zod";
import { nearest } from "../base/nearest.ts";

/** The part of JSON Schema that says what may be where. */
interface Shape {
  properties?: Record<string, Shape>;
  items?: Shape;
  additionalProperties?: Shape | boolean;
  anyOf?: Shape[];
  oneOf?: Shape[];
}

export interface UnknownKey {
  path: (string | number)[];
  /** The known key that is nearest, where one is near. */
  meant: string | undefined;
}

const shapes = new WeakMap<z.ZodType, Shape>();

function shapeOf(schema: z.ZodType): Shape {
  let shape = shapes.get(schema);
  if (shape === undefined) {
    shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Shape;
    shapes.set(schema, shape);
  }
  return shape;
}

/** Keys of a plain value that the schema has no word for; those that begin with x- are somebody's own on purpose. */
export function unknownKeys(schema: z.ZodType, value: unknown): UnknownKey[] {
  const found: UnknownKey[] = [];
  walk([shapeOf(schema)], value, [], found);
  return found;
}

/** Alternatives count together: a key is known where any of them knows it. */
function walk(given: readonly Shape[], value: unknown, path: (string | number)[], found: UnknownKey[]): void {
  const shapes = given.flatMap(alternatives);
  if (Array.isArray(value)) {
    const items = shapes.flatMap((shape) => shape.items ?? []);
    if (items.length > 0) value.forEach((item, i) => void walk(items, item, [...path, i], found));
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const known = shapes.flatMap((shape) => Object.keys(shape.properties ?? {}));
  if (known.length === 0) return; // free names, such as variables
  for (const [key, inner] of Object.entries(value)) {
    const below = shapes.flatMap((shape) =>
      Object.hasOwn(shape.properties ?? {}, key) ? (shape.properties?.[key] ?? []) : [],
    );
    if (below.length > 0) walk(below, inner, [...path, key], found);
    else if (!key.startsWith("x-")) found.push({ path: [...path, key], meant: nearest(key, known) });
  }
}

function alternatives(shape: Shape): Shape[] {
  const more = [...(shape.anyOf ?? []), ...(shape.oneOf ?? [])];
  return more.length === 0 ? [shape] : more.flatMap(alternatives);
}
