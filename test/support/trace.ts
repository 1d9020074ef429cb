// Runs a command under native/trace and decodes what it wrote.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TraceDecoder, type TracePath, type TraceRecord } from "../../src/formats/trace-records.ts";

const native = join(import.meta.dirname, "../../native");
const program = join(native, "bin/trace");

export type Mode = "native" | "seccomp" | "notify" | "plain";

export interface Traced {
  status: number | null;
  signal: NodeJS.Signals | null;
  output: string;
  records: TraceRecord[];
}

export function make(command: string, args: readonly string[]): void {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.error ?? done.stderr}`);
}

/** The tracer is built on first use. */
export function buildTracer(): void {
  make("make", ["-s", "-C", native, "bin/trace"]);
}

/** A directory that is removed with `using`. */
export function scratch(): { path: string; [Symbol.dispose]: () => void } {
  const path = mkdtempSync(join(tmpdir(), "tranship-trace-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** stdout and stderr go together; standard input is /dev/null. */
export async function runTraced(mode: Mode, command: readonly string[], cwd: string): Promise<Traced> {
  using place = scratch();
  const file = join(place.path, "trace");
  const log = join(place.path, "log");
  const out = openSync(file, "w");
  const text = openSync(log, "w");
  const words = mode === "native" ? command : [program, "--fd", "3", "--mode", mode, "--", ...command];
  const child = spawn(words[0] ?? "", words.slice(1), { cwd, stdio: ["ignore", text, text, out] });
  const ended = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve([status, signal]));
  });
  closeSync(out);
  closeSync(text);
  const records = mode === "native" ? [] : decode(readFileSync(file));
  return { status: ended[0], signal: ended[1], output: readFileSync(log, "latin1"), records };
}

function decode(bytes: Uint8Array): TraceRecord[] {
  const decoder = new TraceDecoder();
  const records: TraceRecord[] = [];
  for (let at = 0; at < bytes.length; at += 997) records.push(...decoder.feed(bytes.slice(at, at + 997)));
  decoder.finish();
  return records;
}

/** `operation path` of each PATH record, and `operation! path` of each that failed; `operation+ path` where it existed. */
export function facts(records: readonly TraceRecord[]): Set<string> {
  const said = new Set<string>();
  for (const record of records) {
    if (record.type === "path") said.add(fact(record));
    if (record.type === "exec") said.add(`exec${record.result < 0 ? "!" : ""} ${record.path}`);
    if (record.type === "bind" && record.family === 1) said.add(`${record.kind} ${record.address}`);
  }
  return said;
}

function fact(record: TracePath): string {
  const mark = record.result < 0 ? "!" : record.existed ? "+" : "";
  const abi = record.i386 ? "i386 " : "";
  return `${abi}${record.operation}${mark} ${record.path}${record.second === "" ? "" : ` > ${record.second}`}`;
}
