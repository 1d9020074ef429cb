// The in-process engine against other ways to do the same, with what is aimed at: single calls, the clock, starts, loopback, whole programs.
// Rounds are interleaved; a ratio is that of medians, native = 1. `--rows files,clock,start,loopback,programs`: only these. `--rounds N`.
import { clockRows, fileRows } from "./engine-calls.ts";
import { loopbackRows } from "./engine-loopback.ts";
import { leftOut } from "./engine-ways.ts";
import { programRows, startRows } from "./engine-whole.ts";

/** As many rounds as take some two minutes on two idle cores. */
const parts: Record<string, { rounds: number; run: (rounds: number) => Promise<string> }> = {
  files: { rounds: 15, run: fileRows },
  clock: { rounds: 15, run: clockRows },
  start: { rounds: 13, run: startRows },
  loopback: { rounds: 7, run: loopbackRows },
  programs: { rounds: 7, run: programRows },
};

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : (process.argv[at + 1] ?? "");
}

const names = option("--rows")?.split(",") ?? Object.keys(parts);
const rounds = option("--rounds");
for (const name of names)
  if (parts[name] === undefined)
    throw new Error(`--rows ${name}: there are ${Object.keys(parts).join(", ")}; separate them by commas`);
if (rounds !== undefined && !/^[1-9]\d*$/.test(rounds))
  throw new Error(`--rounds ${rounds}: give a number of 1 or more`);

for (const name of names) {
  const part = parts[name];
  if (part === undefined) continue;
  const count = rounds === undefined ? part.rounds : Number(rounds);
  const began = Date.now();
  const told = await part.run(count);
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(`**${name}** (${count} rounds, ${seconds} s)\n\n${told}\n`);
}
console.log(
  `Medians of interleaved rounds, n of them (the second number: of tracers); in brackets the ratio to native, and that of processor time. [a to b]: of single rounds. "-": fails, or does not redirect for this program.`,
);
if (leftOut.size > 0) console.log(`\nLeft out, as not on this host: ${[...leftOut].join(", ")}.`);
