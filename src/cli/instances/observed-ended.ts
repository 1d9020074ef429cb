// What native/supervise becomes at the end of an observed instance: what it missed is told before its files go.
import { formatSize } from "../../base/units.ts";
import { toldMisses } from "../../capture/misses/misses.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { type Instance, readInstance } from "../../runtime/find.ts";
import { foregroundEnded } from "../../runtime/foreground.ts";
import { readTetherLog } from "../../runtime/tether-log.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";
import { missesOf, observedLookups } from "./observed.ts";

const mostLines = 20;

export async function run({ args: [id = "", status] }: Call, context: Context): Promise<number> {
  const instance = readInstance(context.root, id);
  if (instance !== undefined) await tellMisses(instance, context);
  return await foregroundEnded(context.root, id, Number(status), context.log);
}

/** What came from the source, and what was refused. */
function tellFetched(instance: Instance, context: Context): void {
  const { record } = instance;
  const events = readTetherLog(instance);
  const fetched = events.filter(({ state }) => state === "fetched");
  const refused = events.filter(({ state }) => state === "refused");
  for (const { path, why } of refused.slice(0, mostLines))
    context.say(`tether: refused ${escapeBytes(path)}: ${why}`);
  if (refused.length > mostLines) context.say(`tether: refused ${refused.length - mostLines} more`);
  const bytes = formatSize(fetched.reduce((sum, { size }) => sum + size, 0));
  const next = record.autoRemove
    ? "--rm has taken it away; without --rm `tranship package freeze` could make the package whole"
    : `\`tranship package freeze ${record.name} -t REF\` makes the package whole`;
  if (fetched.length === 0) context.say("tether: nothing had to be fetched");
  else
    context.say(`tether: fetched ${fetched.length} names, ${bytes}, from ${record.tether?.machine}; ${next}`);
}

/** Never throws: an end must not fail for what it tells. */
async function tellMisses(instance: Instance, context: Context): Promise<void> {
  const { record } = instance;
  try {
    if (record.tether !== undefined) tellFetched(instance, context);
    const { lookups, gaps } = await observedLookups(instance);
    for (const gap of gaps) context.log.warn(`observed: ${gap}; there may be more misses`);
    const fetched = new Set(readTetherLog(instance).map(({ path }) => path));
    const judged = await missesOf(instance, lookups, undefined, context);
    // What the source was asked for has been told.
    const misses = judged.filter(({ path }) => !fetched.has(path));
    const told = toldMisses(misses);
    for (const miss of told.slice(0, mostLines)) {
      const why = miss.why === "" ? "" : `: ${miss.why}`;
      context.say(`missed: ${escapeBytes(miss.path)} by ${escapeBytes(miss.by)} (${miss.state}${why})`);
    }
    if (told.length > mostLines) context.say(`missed: ${told.length - mostLines} more`);
    const others = misses.length - told.length;
    const next = record.autoRemove
      ? "without --rm `tranship misses` could ask the source for them"
      : `\`tranship misses ${record.name} --against MACHINE\` asks the source`;
    if (record.tether !== undefined) return;
    if (others > 0)
      context.say(
        `observed: ${others} other paths were looked for and are on no list of the package; ${next}`,
      );
    else if (told.length === 0) context.say("observed: nothing was missed");
  } catch (error) {
    context.log.warn(`what was missed cannot be told: ${(error as Error).message}`);
  }
}
