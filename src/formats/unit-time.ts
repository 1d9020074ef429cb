// Spans of time as systemd.time(7) writes them.

const units: Record<string, number> = {
  us: 0.001, usec: 0.001, ms: 1, msec: 1, "": 1000, s: 1000, sec: 1000, second: 1000, seconds: 1000, m: 60_000, min: 60_000, minute: 60_000,
  minutes: 60_000, h: 3_600_000, hr: 3_600_000, hour: 3_600_000, hours: 3_600_000, d: 86_400_000, day: 86_400_000, days: 86_400_000,
}; // biome-ignore format: a table

/** Milliseconds; undefined for "infinity", 0 and what is no span. */
export function parseTimeSpan(text: string): number | undefined {
  const words = [...text.trim().matchAll(/(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]*)\s*/g)];
  if (words.length === 0 || words.map(([all]) => all).join("") !== text.trim()) return undefined;
  let sum = 0;
  for (const [, count = "0", unit = ""] of words) {
    const size = units[unit];
    if (size === undefined) return undefined;
    sum += Number(count) * size;
  }
  return sum > 0 ? Math.round(sum) : undefined;
}
