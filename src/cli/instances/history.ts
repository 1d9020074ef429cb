// tranship history: every run of an instance, or of a package, also of instances that are gone.
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import { formatAge, formatDuration } from "../../base/units.ts";
import { historyOf, type Run } from "../../runtime/events/history.ts";
import { mostCounted } from "../../runtime/events/written.ts";
import { findAny, readInstance } from "../../runtime/find.ts";
import { statusOf } from "../../runtime/state.ts";
import { bytesSize } from "../amounts.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run({ args: [word], options }: Call, context: Context): Promise<undefined> {
  const all = historyOf(context.root);
  const found = word === undefined ? all : fitting(all, word, idOf(context, word));
  if (word !== undefined && found.length === 0) {
    throw new TranshipError("E_INSTANCE_NOT_FOUND", `no run of ${JSON.stringify(word)} is known`, {
      hint: "give an instance, also a removed one, or a package; `tranship history` lists all runs",
    });
  }
  const last = text(options, "last");
  if (last !== undefined && !/^\d+$/.test(last)) {
    throw new TranshipError("E_USAGE", `--last: not a number: ${JSON.stringify(last)}`, {
      hint: "write for example -n 10",
    });
  }
  const kept = last === undefined ? found : Number(last) === 0 ? [] : found.slice(-Number(last));
  const runs = kept.map((one) => ({ ...one, state: stateOf(context, one) }));
  const format = text(options, "format") ?? "table";
  if (format !== "table") context.print(printRows(runs.map(rowOf), format));
  else context.print(table(runs, options.trunc === false));
}

/** An instance that is there goes by its present name. */
function idOf(context: Context, word: string): string | undefined {
  try {
    return findAny(context.root, word).record.id;
  } catch (error) {
    if (isTranshipError(error, "E_INSTANCE_NOT_FOUND") || isTranshipError(error, "E_ID_AMBIGUOUS"))
      return undefined;
    throw error;
  }
}

function fitting(all: readonly Run[], word: string, id: string | undefined): Run[] {
  if (id !== undefined) return all.filter((one) => one.id === id);
  const tagged = word.includes(":") || word.includes("@") ? word : `${word}:latest`;
  const byName = all.filter((one) => one.name === word || one.image === word || one.image === tagged);
  if (byName.length > 0) return byName;
  return /^[0-9a-f]+$/.test(word) ? all.filter((one) => one.id.startsWith(word)) : [];
}

type State = "running" | "ended" | "unknown";

/** One without an end runs, or died with everything that could have told; the next command that changes something then tells it. */
function stateOf(context: Context, one: Run): State {
  if (one.endedAt !== undefined) return "ended";
  const instance = readInstance(context.root, one.id);
  return instance !== undefined && statusOf(instance.paths, one.id).state === "running"
    ? "running"
    : "unknown";
}

type Shown = Run & { state: State };

function rowOf({ launch: _, ...one }: Shown): object {
  return one;
}

function table(runs: readonly Shown[], whole: boolean): string {
  const titles = [
    "INSTANCE ID",
    "NAME",
    "IMAGE",
    "STARTED",
    "RAN",
    "STATUS",
    "CPU",
    "PEAK MEM",
    "FILES",
    "BREACHES",
  ];
  const cells = runs.map((one) => [
    whole ? one.id : one.id.slice(0, 12),
    one.name,
    one.image,
    whole ? one.startedAt : `${formatAge(Date.now() - Date.parse(one.startedAt))} ago`,
    formatDuration(
      (one.endedAt === undefined ? Date.now() : Date.parse(one.endedAt)) - Date.parse(one.startedAt),
    ),
    statusText(one),
    one.cpuSeconds === null ? "-" : `${one.cpuSeconds.toFixed(2)}s`,
    one.peakBytes === null ? "-" : bytesSize(one.peakBytes),
    one.files === null ? "-" : one.files >= mostCounted ? `${one.files}+` : String(one.files),
    breachText(one.breaches),
  ]);
  return printTable(titles, cells);
}

function breachText(breaches: Readonly<Record<string, number>>): string {
  const words = Object.entries(breaches).map(([limit, count]) => `${limit} ${count}`);
  return words.length === 0 ? "-" : words.join(", ");
}

function statusText({ state, status, signal }: Shown): string {
  if (state !== "ended") return state;
  if (status === null) return "unknown";
  return signal === null ? String(status) : `${status} (signal ${signal})`;
}
