// The modes of native/trace, and native/witness, against strace, reprozip, care and proot, and a supervisor that records nothing (`floor`):
// `node bench/trace-bench.ts [--rounds N] [--only WORD]... [--ways NAME,NAME] [--json FILE]`.
// Rounds are interleaved; a figure is the ratio of the medians to the untraced run. CPU time is that of the tracer and all it traced.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { postgresWorkloads } from "./trace-postgres.ts";
import { buildFloor, ways as everyWay, goals, type Way } from "./trace-ways.ts";
import { commandWorkloads, serverWorkloads, type Workload } from "./trace-workloads.ts";

/** Seconds: for a server, of one request. */
interface Sample {
  time: number;
  cpu: number;
}

const limit = 120_000;

/** `bash` times the command, so that the CPU time of all that was waited for is known. */
function start(way: Way, work: Workload, scratch: string): { done: Promise<string>; pid: number } {
  work.prepare?.();
  const trace = openSync(join(scratch, "trace"), "w");
  const log = join(scratch, "log");
  const text = openSync(log, "w");
  const words = way.wrap(scratch, work.command);
  const script = `TIMEFORMAT='TIME %R %U %S'; time "$@"; echo "STATUS $?" >&2`;
  const child = spawn("bash", ["-c", script, "bash", ...words], {
    cwd: work.cwd,
    stdio: ["ignore", text, text, trace],
    detached: true,
  });
  closeSync(trace);
  closeSync(text);
  const pid = child.pid ?? 0;
  const timer = setTimeout(() => process.kill(-pid, "SIGKILL"), limit);
  const done = new Promise<string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      resolve(readFileSync(log, "latin1"));
    });
  });
  return { done, pid };
}

function times(log: string): { real: number; cpu: number } | undefined {
  const found = /TIME ([\d.]+) ([\d.]+) ([\d.]+)/.exec(log);
  if (found === null) return undefined;
  return { real: Number(found[1]), cpu: Number(found[2]) + Number(found[3]) };
}

async function runCommand(way: Way, work: Workload, scratch: string): Promise<Sample | undefined> {
  const began = process.hrtime.bigint();
  const log = await start(way, work, scratch).done;
  const time = Number(process.hrtime.bigint() - began) / 1e9;
  const said = times(log);
  if (said === undefined || !/STATUS 0/.test(log) || !work.check(log)) return undefined;
  return { time, cpu: said.cpu };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

async function runServer(way: Way, work: Workload, scratch: string): Promise<Sample | undefined> {
  const { done, pid } = start(way, work, scratch);
  const port = work.port ?? 0;
  let ended = false;
  void done.then(() => {
    ended = true;
  });
  const until = Date.now() + 20_000;
  while (!ended && Date.now() < until && !(await answers(port))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (ended || !(await answers(port))) {
    if (!ended) process.kill(-pid, "SIGKILL");
    await done;
    return undefined;
  }
  // The first load makes every name known; the second is the steady state.
  const first = await work.load?.();
  const rate = first ? await work.load?.() : 0;
  if (!ended) work.stop?.();
  const said = times(await done);
  return rate && said ? { time: 1 / rate, cpu: said.cpu } : undefined;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function installed({ program }: Way): boolean {
  return program === undefined || spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;
}

interface Row {
  workload: string;
  way: string;
  killed: boolean;
  absent: boolean;
  time: number;
  timeRatio: number;
  timeRange: readonly [number, number];
  cpuRatio: number;
  samples: readonly Sample[];
}

async function measure(work: Workload, rounds: number, scratch: string): Promise<Row[]> {
  const samples = new Map<string, Sample[]>(ways.map((way) => [way.name, []]));
  const killed = new Set<string>();
  const absent = new Set(ways.filter((way) => !installed(way)).map((way) => way.name));
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      if (killed.has(way.name) || absent.has(way.name)) continue;
      const sample = await (work.load ? runServer : runCommand)(way, work, scratch);
      if (sample) samples.get(way.name)?.push(sample);
      else killed.add(way.name);
    }
  }
  const native = samples.get("native") ?? [];
  const base = { time: median(native.map((s) => s.time)), cpu: median(native.map((s) => s.cpu)) };
  return ways.map((way) => {
    const own = samples.get(way.name) ?? [];
    const ratios = own.map((s) => s.time / base.time);
    return {
      workload: work.name,
      way: way.name,
      killed: killed.has(way.name),
      absent: absent.has(way.name),
      time: median(own.map((s) => s.time)),
      timeRatio: median(ratios),
      timeRange: [Math.min(...ratios), Math.max(...ratios)],
      cpuRatio: median(own.map((s) => s.cpu)) / base.cpu,
      samples: own,
    };
  });
}

function cell(row: Row): string {
  if (row.absent) return "not installed";
  if (row.killed) return "killed";
  if (row.way === "native") return `${(row.time * 1000).toPrecision(3)} ms`;
  const [low, high] = row.timeRange.map((value) => value.toFixed(2));
  return `${row.timeRatio.toFixed(2)} [${low}–${high}] cpu ${row.cpuRatio.toFixed(2)}`;
}

/** One line for each goal that was measured. */
function goalLines(rows: readonly Row[]): string {
  const lines = goals.flatMap((goal) => {
    const own = rows.filter((row) => goal.workload.test(row.workload) && row.way === goal.way);
    return own.map((row) => {
      const verdict = row.killed ? "killed" : row.timeRatio <= goal.most ? "met" : "missed";
      return `| ${row.workload} | ${row.way} | ${goal.most.toFixed(1)} | ${row.timeRatio.toFixed(2)} | ${verdict} |`;
    });
  });
  return ["| workload | way | goal: at most | measured | |", "|---|---|---|---|---|", ...lines].join("\n");
}

function table(rows: readonly Row[]): string {
  const works = [...new Set(rows.map((row) => row.workload))];
  const lines = [
    `| workload | ${ways.map((way) => way.name).join(" | ")} |`,
    `|---${"|---".repeat(ways.length)}|`,
  ];
  for (const work of works) {
    const cells = rows.filter((row) => row.workload === work).map(cell);
    lines.push(`| ${work} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

function version(command: string, args: readonly string[]): string {
  const done = spawnSync(command, args, { encoding: "utf8" });
  return `${done.stdout ?? ""}${done.stderr ?? ""}`.split("\n")[0] ?? "";
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    only: { type: "string", multiple: true },
    ways: { type: "string" },
    json: { type: "string" },
  },
});
const rounds = Number(values.rounds ?? 5);
const named = values.ways?.split(",");
const ways = everyWay.filter((way) => way.name === "native" || (named?.includes(way.name) ?? true));
const top = mkdtempSync(join(tmpdir(), "tranship-bench-"));
chmodSync(top, 0o755); // nginx serves as another user
try {
  buildFloor(top);
  const all = [...commandWorkloads(top), ...(await serverWorkloads(top)), ...(await postgresWorkloads(top))];
  const rows: Row[] = [];
  for (const work of all) {
    if (values.only?.some((word) => work.name.includes(word)) ?? true)
      rows.push(...(await measure(work, rounds, top)));
  }
  const peers = Object.fromEntries(
    ["strace", "reprozip", "care", "proot"].map((name) => [name, version(name, ["--version"])]),
  );
  console.log(table(rows));
  console.log(`\n${goalLines(rows)}`);
  const result = { rounds, kernel: version("uname", ["-r"]), peers, rows };
  if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 1)}\n`);
  else console.log(JSON.stringify({ ...result, rows: rows.map(({ samples: _, ...row }) => row) }));
} finally {
  rmSync(top, { recursive: true, force: true });
}
