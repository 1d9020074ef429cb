// tranship stats: docker's columns, once or as a live picture.

import { isTerminal } from "../../host/terminal.ts";
import { findInstance, type Instance, leaveOut, listInstances } from "../../runtime/find.ts";
import { type Sample, type Stats, sample, statsOf } from "../../runtime/usage/stats.ts";
import { bytesSize, humanSize } from "../amounts.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { printText } from "../streams.ts";
import { type Call, flag, text } from "../verb.ts";

/** Between two looks at the accounts. */
const interval = 1000;

export async function run({ args, options }: Call, context: Context): Promise<undefined> {
  const format = text(options, "format") ?? "table";
  const all = flag(options, "all");
  const whole = options.trunc === false;
  const named = args.map((name) => findInstance(context.root, name));
  const before = new Map<string, Sample>();
  for (let round = 0; !context.signal.aborted; round++) {
    const shown = named.length > 0 ? named : listed(context, all);
    const rows = shown.flatMap((instance) => {
      const now = sample(instance);
      const stats = statsOf(instance, before.get(instance.record.id), now);
      before.set(instance.record.id, now);
      return all || named.length > 0 || now.running ? [rowOf(stats, whole)] : [];
    });
    // The first look only begins the count of processor time.
    if (round > 0) show(rows, format, flag(options, "stream"));
    if (round > 0 && options.stream === false) return;
    await pause(interval, context.signal);
  }
}

function listed(context: Context, all: boolean): Instance[] {
  return listInstances(context.root, leaveOut).filter(({ status }) => all || status.state === "running");
}

interface Row {
  Container: string;
  ID: string;
  Name: string;
  CPUPerc: string;
  MemUsage: string;
  MemPerc: string;
  NetIO: string;
  BlockIO: string;
  PIDs: string;
}

function rowOf(stats: Stats, whole: boolean): Row {
  const id = whole ? stats.id : stats.id.slice(0, 12);
  if (!stats.running) {
    const none = {
      CPUPerc: "--",
      MemUsage: "-- / --",
      MemPerc: "--",
      NetIO: "--",
      BlockIO: "--",
      PIDs: "--",
    };
    return { Container: id, ID: id, Name: stats.name, ...none };
  }
  return {
    Container: id,
    ID: id,
    Name: stats.name,
    CPUPerc: `${stats.cpuPercent.toFixed(2)}%`,
    MemUsage: `${bytesSize(stats.memory)} / ${bytesSize(stats.memoryLimit)}`,
    MemPerc: `${stats.memoryPercent.toFixed(2)}%`,
    NetIO: `${humanSize(stats.received)} / ${humanSize(stats.sent)}`,
    BlockIO: `${humanSize(stats.read)} / ${humanSize(stats.written)}`,
    PIDs: String(stats.pids),
  };
}

const titles = ["INSTANCE ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"];

function show(rows: readonly Row[], format: string, live: boolean): void {
  // A picture that is drawn anew each time, where somebody looks at it.
  const clear = live && format === "table" && isTerminal(1) ? "\x1b[2J\x1b[H" : "";
  const cells = (row: Row): string[] => [
    row.ID, row.Name, row.CPUPerc, row.MemUsage, row.MemPerc, row.NetIO, row.BlockIO, row.PIDs,
  ]; // biome-ignore format: short
  const words =
    format === "table" ? printTable(titles, rows.map(cells)) : printRows(rows, format, "INSTANCE ID");
  printText(`${clear}${words}${words === "" || words.endsWith("\n") ? "" : "\n"}`);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
