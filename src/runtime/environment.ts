// Environment variables as lists of NAME=value. Pure.

/** Later ones win; the place of the first is kept. */
export function mergeEnvironment(...lists: readonly (readonly string[])[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of lists.flat()) {
    const cut = entry.indexOf("=");
    if (cut > 0) merged.set(entry.slice(0, cut), entry);
  }
  return [...merged.values()];
}
