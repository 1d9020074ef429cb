// What single calls cost: native/engine/test/cost.c and cost.go. Each gives the median of many short batches.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Aim, Figures, type Row } from "./engine-figures.ts";
import {
  clockPeers,
  dispatchWay,
  engineWay,
  filePeers,
  files,
  installed,
  make,
  nativeWay,
  place,
  seccompWay,
  turn,
  type Way,
} from "./engine-ways.ts";
import type { Sample } from "./measure.ts";

const sources = join(import.meta.dirname, "../native/engine/test");

interface Program {
  /** Behind the names of its rows. */
  title: string;
  words: (way: Way) => readonly string[];
  calls: readonly string[];
}

function compiled(
  title: string,
  calls: readonly string[],
  batches: number,
  flags: readonly string[],
): Program {
  const path = join(place, `cost${flags.join("")}-${calls.length}`);
  make("gcc", "-O2", "-D_GNU_SOURCE", ...flags, "-o", path, join(sources, "cost.c"));
  writeFileSync(join(files, "file"), "text\n");
  // A tracer makes a call some fifty times as dear.
  const count = (way: Way): string => String(way.slow ? Math.ceil(batches / 20) : batches);
  return { title, words: (way) => [path, join(way.home, "file"), count(way), ...calls], calls };
}

function go(batches: number): Program[] {
  if (!installed("go")) return [];
  const path = join(place, "cost-go");
  const settings = ["GO111MODULE=off", `GOCACHE=${join(place, "go")}`, "GOFLAGS=-p=1"];
  make("env", ...settings, "go", "build", "-o", path, join(sources, "cost.go"));
  return [{ title: ", Go", words: () => [path, String(batches)], calls: ["time.Now"] }];
}

/** By call; of a way that shall shift the clock and does not for this program: none. */
function costs(way: Way, program: Program, shifted: boolean): Map<string, Sample> {
  const [name = "", ...args] = [...way.words, ...program.words(way)];
  const result = spawnSync(name, args, { encoding: "utf8" });
  const lines = result.status === 0 ? result.stdout.trim().split("\n") : [];
  const found = lines.map((line): [string, Sample] => {
    const words = line.split(" ");
    const [wall, cpu] = words.splice(-2).map(Number);
    return [words.join(" "), { wall: wall ?? Number.NaN, cpu: cpu ?? Number.NaN }];
  });
  const samples = new Map(found);
  const years = new Date().getUTCFullYear() - (samples.get("year")?.wall ?? Number.NaN);
  return shifted && way !== nativeWay && years < 9 ? new Map() : samples;
}

async function run(
  ways: readonly Way[],
  programs: readonly Program[],
  rows: readonly Row[],
  rounds: number,
  shifted: boolean,
): Promise<string> {
  const figures = new Figures(
    rows,
    ways.map((way) => way.name),
  );
  // The round before the first fills caches and is not counted.
  for (let round = -1; round < rounds; round++)
    for (const program of programs)
      for (const way of ways) {
        await turn();
        for (const [call, sample] of costs(way, program, shifted))
          if (round >= 0) figures.note(`${call}${program.title}`, way.name, sample);
      }
  return figures.table();
}

const way = engineWay.name;
const most = (value: number): Aim => ({ way, kind: "ratio", value });
const nothingDone: Aim = { way, kind: "more", value: 60 };

export async function fileRows(rounds: number): Promise<string> {
  const calls = ["open+close", "stat", "getpid", "read", "uname"];
  const programs = [compiled("", calls, 61, []), compiled(", static", calls, 61, ["-static"])];
  const aims: Record<string, Aim> = {
    ...{ "open+close": most(1.1), stat: most(1.1) },
    ...{ getpid: nothingDone, read: nothingDone },
  };
  const rows = programs.flatMap(({ title }) =>
    calls.map((call): Row => {
      const aim = aims[call];
      return { name: `${call}${title}`, unit: "ns", ...(aim === undefined ? {} : { aim }) };
    }),
  );
  const table = await run(
    [nativeWay, engineWay, dispatchWay, seccompWay, ...filePeers()],
    programs,
    rows,
    rounds,
    false,
  );
  return `${table}\n\nThe file is redirected by all but native, dispatch alone and strace. CPU time is that of the program, without a tracer's.`;
}

export async function clockRows(rounds: number): Promise<string> {
  const calls = ["clock_gettime", "raw clock_gettime"];
  const programs = [compiled("", calls, 101, []), compiled(", static", calls, 101, ["-static"]), ...go(101)];
  const rows: Row[] = [
    ...["", ", static"].flatMap((title): Row[] => [
      { name: `clock_gettime${title}`, unit: "ns", aim: most(1.15) },
      { name: `raw clock_gettime${title}`, unit: "ns" },
    ]),
    { name: "time.Now, Go", unit: "ns", aim: most(1.15) },
  ];
  const table = await run([nativeWay, engineWay, seccompWay, ...clockPeers()], programs, rows, rounds, true);
  return `${table}\n\nThe clock is ten years back; a way that does not show that to the program has no figure.`;
}
