// Which elements of a list are which of its new values: as few as possible are written.

export interface Match<T> {
  /** Index in the old list; undefined: a new element. */
  old: number | undefined;
  /** undefined: the old element goes. */
  value: T | undefined;
}

/** Beyond so many comparisons equal elements in a changed stretch are no longer looked for. */
const maxComparisons = 4_000_000;

/** In the order of the new list, with those that go where they stood. `same`: nothing is to be written; `known`: it is the same thing, changed. */
export function matchLists<T>(
  old: readonly T[],
  values: readonly T[],
  same: (a: T, b: T) => boolean,
  known: (a: T, b: T) => boolean,
): Match<T>[] {
  let head = 0;
  while (head < old.length && head < values.length && same(old[head] as T, values[head] as T)) head++;
  let tail = 0;
  const most = Math.min(old.length, values.length) - head;
  while (tail < most && same(old[old.length - 1 - tail] as T, values[values.length - 1 - tail] as T)) tail++;
  const middle = { from: head, to: old.length - tail };
  const wanted = values.slice(head, values.length - tail);
  const matches: Match<T>[] = values.slice(0, head).map((value, i) => ({ old: i, value }));
  let [at, done] = [middle.from, 0];
  for (const [i, j] of [
    ...common(old.slice(middle.from, middle.to), wanted, same),
    undefinedPair(middle, wanted),
  ]) {
    pairUp(matches, { old, from: at, to: middle.from + i }, wanted.slice(done, j), known);
    if (j < wanted.length) matches.push({ old: middle.from + i, value: wanted[j] });
    [at, done] = [middle.from + i + 1, j + 1];
  }
  for (let i = 0; i < tail; i++)
    matches.push({ old: old.length - tail + i, value: values[values.length - tail + i] });
  return matches;
}

/** Stands behind the last pair, so that the rest is dealt with as every stretch before a pair. */
function undefinedPair(middle: { from: number; to: number }, wanted: readonly unknown[]): [number, number] {
  return [middle.to - middle.from, wanted.length];
}

/** A stretch without equal elements: what is known keeps its element where the order allows it. */
function pairUp<T>(
  matches: Match<T>[],
  stretch: { old: readonly T[]; from: number; to: number },
  values: readonly T[],
  known: (a: T, b: T) => boolean,
): void {
  const { old, to } = stretch;
  let at = stretch.from;
  const go = (until: number): void => {
    for (; at < until; at++) matches.push({ old: at, value: undefined });
  };
  for (const value of values) {
    let found = at;
    while (found < to && !known(old[found] as T, value)) found++;
    if (found < to) {
      go(found);
      matches.push({ old: at++, value });
    } else matches.push({ old: undefined, value });
  }
  go(to);
}

/** Longest common subsequence: pairs of indexes. */
function common<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): [number, number][] {
  if (a.length === 0 || b.length === 0 || a.length * b.length > maxComparisons) return [];
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] = same(a[i] as T, b[j] as T)
        ? at(i + 1, j + 1) + 1
        : Math.max(at(i + 1, j), at(i, j + 1));
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (same(a[i] as T, b[j] as T) && at(i, j) === at(i + 1, j + 1) + 1) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}
