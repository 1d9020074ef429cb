// Whether tests run with their full counts (`npm run soak`) or with sampled ones (`npm test`), and how far a long one is.
import { appendFileSync } from "node:fs";

export const soaking = process.env.TRANSHIP_SOAK === "1";

/** Calls `one` for 0 to count - 1, one after the other. TRANSHIP_PROGRESS names a file that is told of long loops, about once a minute and at their end. */
export async function times(
  count: number,
  what: string,
  one: (index: number) => Promise<void>,
): Promise<void> {
  const tell = progress(count, what);
  for (let index = 0; index < count; index++) {
    await one(index);
    tell();
  }
}

/** What is called after each of `count` runs. */
export function progress(count: number, what: string): () => void {
  const file = process.env.TRANSHIP_PROGRESS;
  const began = Date.now();
  let [done, told] = [0, began];
  return () => {
    done++;
    if (file === undefined || (done < count && Date.now() - told < 60_000)) return;
    told = Date.now();
    const minutes = ((told - began) / 60_000).toFixed(1);
    appendFileSync(file, `${new Date(told).toISOString()} ${what}: ${done} of ${count}, ${minutes} min\n`);
  };
}
