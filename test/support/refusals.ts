// How long hostile input takes until it is refused. Told in each run; held in soak alone, as the load of a host is no fault of the reader.
import assert from "node:assert/strict";
import { after } from "node:test";

/** Milliseconds in which what is hostile is refused. */
const longest = 2000;

/** One for a file of tests: tells its slowest at the end. `what`: "layers", "registries". */
export function refusals(what: string): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  const times: { name: string; took: number }[] = [];
  after(() => {
    const [slowest] = times.sort((a, b) => b.took - a.took);
    if (slowest === undefined) return;
    const { name, took } = slowest;
    console.log(`# | hostile ${what} | ${times.length} refused | slowest ${took.toFixed(0)} ms: ${name} |`);
  });
  return async (name, work) => {
    const began = performance.now();
    const result = await work();
    const took = performance.now() - began;
    times.push({ name, took });
    if (process.env.TRANSHIP_SOAK === "1") assert.ok(took < longest, `${name}: ${took.toFixed(0)} ms`);
    return result;
  };
}
