// Points in time as docker's --since and --until take them.
import { TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";

/** Milliseconds since the epoch of a time (RFC 3339 or its beginning, seconds since the epoch) or of a duration before now. */
export function timeOf(option: string, word: string): number {
  if (/^\d{9,}(\.\d{1,9})?$/.test(word)) return Number(word) * 1000;
  if (/^\d{4}-\d\d(-\d\d)?/.test(word)) {
    // Without a zone it is local time, as in docker.
    const time = Date.parse(/^\d{4}-\d\d-\d\d$/.test(word) ? `${word}T00:00:00` : word);
    if (!Number.isNaN(time)) return time;
  } else if (/^[0-9.]+[a-z0-9.]*$/.test(word)) {
    return Date.now() - parseDuration(word);
  }
  throw new TranshipError("E_USAGE", `${option}: not a time: ${JSON.stringify(word)}`, {
    hint: "write 10m, a time such as 2024-05-01T12:00:00Z, or seconds since 1970",
  });
}
