// "Did you mean": the known word that is fewest changes of letters away from what was written.

/** undefined where no word is near: at most a third of the letters may differ. Case does not count. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  if (wanted.length > 64) return undefined;
  let best: { word: string; distance: number } | undefined;
  for (const one of known) {
    const most = Math.max(1, Math.floor(Math.max(wanted.length, one.length) / 3));
    if (Math.abs(one.length - wanted.length) > most) continue;
    const distance = changes(wanted, one.toLowerCase());
    if (distance <= most && (best === undefined || distance < best.distance)) best = { word: one, distance };
  }
  return best?.word;
}

/** Letters put in, left out, replaced or swapped with their neighbour. */
function changes(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
