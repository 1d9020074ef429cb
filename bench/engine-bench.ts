// The in-process engine against other ways to do the same: what single calls cost, and what starting programs costs, natively, under the engine, and
// under PRoot, fakechroot and libfaketime where they are installed. Rounds are interleaved; a ratio is that of medians, native = 1.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePolicy } from "../src/redirect/policy-codec.ts";
import { makeTable } from "../src/redirect/rules.ts";
import { aRule, enginePolicy } from "../test/support/engine-policy.ts";
import { median } from "./measure.ts";

const top = join(import.meta.dirname, "..");
const at = process.argv.indexOf("--rounds");
const rounds = at < 0 ? 7 : Number(process.argv[at + 1]);
const place = mkdtempSync(join(tmpdir(), "tranship-engine-bench-"));
process.on("exit", () => rmSync(place, { recursive: true, force: true }));

function make(program: string, ...words: string[]): void {
  const made = spawnSync(program, words, { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`${program} ${words.join(" ")}: ${made.stderr}`);
}

make("make", "-s", "-C", join(top, "native"), "bin/engine");
const engine = join(top, "native/bin/engine");
const source = join(top, "native/engine/test/cost.c");
const cost = join(place, "cost");
const still = join(place, "cost-static");
make("gcc", "-O2", "-D_GNU_SOURCE", "-o", cost, source);
make("gcc", "-O2", "-D_GNU_SOURCE", "-static", "-o", still, source);

// The same depth on both sides, so that the kernel walks as far: /tmp/.../a/b/file, and a rule that leads there from a place that is not there.
const files = join(place, "files/srv/app");
mkdirSync(files, { recursive: true });
writeFileSync(join(files, "file"), "text\n");
const from = join(place, "legacy");
const rule = aRule({ from, to: "/srv/app", mode: "full", match: "folder" }, 0);
const policy = join(place, "policy.bin");
writeFileSync(policy, encodePolicy(enginePolicy({ files: makeTable([rule]), node: "bench" })));
const clock = "--clock-offset=-315360000";
const under = [engine, `--policy=${policy}`, `--package=${join(place, "files")}`, clock];
const has = (name: string): boolean => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;

/** How a program is called, and which file it is given; undefined where that way does not redirect. */
interface Way {
  words: readonly string[];
  redirects: boolean;
}

const ways = new Map<string, Way>([
  ["native", { words: [], redirects: false }],
  ["engine", { words: under, redirects: true }],
  ["engine, trap by seccomp", { words: [...under.slice(0, 3), "--trap=seccomp", clock], redirects: true }],
]);
if (has("proot")) ways.set("PRoot", { words: ["proot", "-b", `${files}:${from}`], redirects: true });
if (has("fakechroot")) ways.set("fakechroot", { words: ["fakechroot"], redirects: false });
if (has("faketime")) ways.set("libfaketime", { words: ["faketime", "-f", "-10y"], redirects: false });

function costs({ words, redirects }: Way, program: string): Map<string, number> {
  const file = redirects ? join(from, "file") : join(files, "file");
  const [name = "", ...args] = [...words, program, file];
  const result = spawnSync(name, args, { encoding: "utf8" });
  const lines = result.status === 0 ? result.stdout.trim().split("\n") : [];
  return new Map(
    lines.map((line): [string, number] => [line.replace(/ [\d.]+$/, ""), Number(/[\d.]+$/.exec(line)?.[0])]),
  );
}

/** Milliseconds of wall time for one start, over ten of them. */
function start(words: readonly string[]): number {
  const [name = "", ...args] = words;
  const began = process.hrtime.bigint();
  for (let n = 0; n < 10; n++) if (spawnSync(name, args, { stdio: "ignore" }).status !== 0) return Number.NaN;
  return Number(process.hrtime.bigint() - began) / 10e6;
}

const ten = `for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done`;
const samples = new Map<string, Map<string, number[]>>();
function note(way: string, what: string, value: number): void {
  const of = samples.get(way) ?? new Map<string, number[]>();
  samples.set(way, of);
  of.set(what, [...(of.get(what) ?? []), value]);
}
for (let round = -1; round < rounds; round++) {
  for (const [name, way] of ways) {
    const told = [...costs(way, cost)];
    const more = name === "native" || name.startsWith("engine") ? [...costs(way, still)] : [];
    const starts: [string, number][] = [
      ["start of true", start([...way.words, "/bin/true"])],
      ["sh with ten of true", start([...way.words, "/bin/sh", "-c", ten])],
    ];
    // The round before the first fills caches and is not counted.
    if (round < 0) continue;
    for (const [what, value] of told) note(name, `${what}, ns`, value);
    for (const [what, value] of more) note(name, `${what}, static, ns`, value);
    for (const [what, value] of starts) note(name, `${what}, ms`, value);
  }
}

const names = [...ways.keys()];
const native = samples.get("native") ?? new Map<string, number[]>();
console.log(`| | ${names.join(" | ")} |`);
console.log(`|---|${names.map(() => "---|").join("")}`);
for (const [what, own] of native) {
  const cells = names.map((name) => {
    const list = samples.get(name)?.get(what);
    if (list === undefined) return "-";
    const value = median(list);
    return name === "native"
      ? value.toFixed(what.endsWith("ms") ? 2 : 0)
      : `${value.toFixed(what.endsWith("ms") ? 2 : 0)} (${(value / median(own)).toFixed(2)}x)`;
  });
  console.log(`| ${what} | ${cells.join(" | ")} |`);
}
console.log(
  `\nMedians of ${rounds} interleaved rounds. fakechroot and libfaketime redirect no path here; the file is then asked for where it is.`,
);
