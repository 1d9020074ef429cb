// A change of one form carried over to the other. EMP's files say less than a descriptor, and a descriptor less than EMP's files: what
// the other form cannot say must survive. So the change is found in what both can say (before, after) and made to what is there (mine).
import { sameValue } from "../../formats/emp/shape-write.ts";

/** By what an object of a list is known again; undefined: only by being the same. `list` is the key that the list stands under. */
export type KeyOf = (list: string, item: Readonly<Record<string, unknown>>) => string | undefined;

/** `mine` with what differs between `before` and `after`. */
export function carryOver(mine: unknown, before: unknown, after: unknown, keyOf: KeyOf, list = ""): unknown {
  if (sameValue(before, after)) return mine;
  if (isList(mine) && isList(after) && isList(before ?? [])) {
    return listOver(mine, (before ?? []) as unknown[], after, keyOf, list);
  }
  if (!isRecord(mine) || !isRecord(after) || !isRecord(before ?? {})) return after;
  const old = (before ?? {}) as Record<string, unknown>;
  const result: Record<string, unknown> = { ...mine };
  for (const key of new Set([...Object.keys(old), ...Object.keys(after)])) {
    const value = carryOver(mine[key], old[key], after[key], keyOf, key);
    if (value === undefined) delete result[key];
    else result[key] = value;
  }
  return result;
}

function listOver(
  mine: readonly unknown[],
  before: readonly unknown[],
  after: readonly unknown[],
  keyOf: KeyOf,
  list: string,
): unknown[] {
  const name = namer(keyOf, list);
  const old = new Map(before.map(name()));
  const now = new Map(after.map(name()));
  const result: unknown[] = [];
  const seen = new Set<string>();
  for (const [key, value] of mine.map(name())) {
    seen.add(key);
    if (!old.has(key) && !now.has(key))
      result.push(value); // only this form knows it
    else if (now.has(key)) result.push(carryOver(value, old.get(key), now.get(key), keyOf, ""));
  }
  for (const [key, value] of now) if (!seen.has(key)) result.push(value);
  return result;
}

/** Names each element; of equal names by which of them it is. */
function namer(keyOf: KeyOf, list: string): () => (item: unknown) => [string, unknown] {
  return () => {
    const counts = new Map<string, number>();
    return (item) => {
      const key = (isRecord(item) ? keyOf(list, item) : undefined) ?? JSON.stringify(item);
      const count = counts.get(key) ?? 0;
      counts.set(key, count + 1);
      return [`${key}#${count}`, item];
    };
  };
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
