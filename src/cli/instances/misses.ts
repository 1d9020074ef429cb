import { type Miss, missStates, toldMisses } from "../../capture/misses/misses.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import { withMachine } from "../capture/with-machine.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { missesOf, observedInstances, observedLookups, tetherMisses } from "./observed.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const address = text(options, "against");
  const found =
    address === undefined
      ? await misses(call, undefined, context)
      : await withMachine({ address, options, context, endsAtOnce: true }, (machine) =>
          misses(call, machine, context),
        );
  const shown = flag(options, "all") ? found : toldMisses(found);
  const rows = shown.map((miss) => ({
    path: escapeBytes(miss.path),
    use: miss.use,
    program: escapeBytes(miss.by),
    state: miss.state,
    why: miss.why,
  }));
  const format = text(options, "format") ?? "table";
  if (format !== "table") {
    context.print(printRows(rows, format));
    return;
  }
  if (rows.length > 0)
    context.print(
      printTable(
        ["PATH", "USE", "PROGRAM", "STATE"],
        rows.map((row) => [row.path, row.use, row.program, stateText(row)]),
      ),
    );
  const unknown = found.filter((miss) => miss.state === "unknown").length;
  if (unknown > 0 && !flag(options, "all"))
    context.say(
      `${unknown} more paths were looked for and are on no list of the package: --against MACHINE asks the source for them`,
    );
  else if (rows.length === 0) context.say("nothing was missed");
}

/** On the source, packed and absent say all by their names. */
function stateText({ state, why }: { state: string; why: string }): string {
  if (state === "left out" || state === "never packed" || state === "refused") return `${state}: ${why}`;
  return state === "reachable" ? `reachable, not packed: ${why}` : state;
}

async function misses(call: Call, machine: Machine | undefined, context: Context): Promise<Miss[]> {
  const all: Miss[] = [];
  const known = new Set<string>();
  for (const instance of observedInstances(context.root, call.args[0] ?? "")) {
    const { lookups, gaps } = await observedLookups(instance);
    for (const gap of gaps) context.log.warn(`${instance.record.name}: ${gap}; there may be more`);
    const judged = await missesOf(instance, lookups, machine, context);
    for (const miss of [...tetherMisses(instance), ...judged]) {
      if (known.has(miss.path)) continue;
      known.add(miss.path);
      all.push(miss);
    }
  }
  const rank = ({ state }: Miss): number => missStates.indexOf(state);
  return all.sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
}
