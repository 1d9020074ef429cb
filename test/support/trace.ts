// Runs a command under native/trace and decodes what it wrote.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TraceDecoder, type TracePath, type TraceRecord } from "../../src/formats/trace-records.ts";
import { soaking } from "./counts.ts";

const nativeDirectory = join(import.meta.dirname, "../../native");
const program = join(nativeDirectory, "bin/trace");

/** How a program is run: untraced, or in a mode of the tracer, perhaps without what older kernels lack. */
export interface Way {
  mode: "native" | "seccomp" | "notify" | "plain";
  without?: string;
}

export const native: Way = { mode: "native" };

/** What each kernel of that age lacks; every switch alone in soak. */
const sampled: readonly Way[] = [
  { mode: "seccomp" },
  { mode: "notify" },
  { mode: "plain" },
  { mode: "seccomp", without: "syscall-info,vm-readv,pidfd,openat2,faccessat2" },
  { mode: "notify", without: "sync-wake-up,pidfd,openat2" },
  { mode: "plain", without: "seize,exit-kill,vm-readv,syscall-info,pidfd,openat2,faccessat2" },
];
const switches = ["seize", "exit-kill", "vm-readv", "syscall-info", "pidfd", "openat2", "faccessat2"];
const each = (["seccomp", "plain"] as const).flatMap((mode) =>
  switches.map((without): Way => ({ mode, without })),
);
export const ways: readonly Way[] = soaking ? [...sampled, ...each] : sampled;

export function wayName(way: Way): string {
  return way.without === undefined ? way.mode : `${way.mode} without ${way.without}`;
}

export function traceWords(way: Way): string[] {
  const without = way.without === undefined ? [] : ["--without", way.without];
  return [program, "--fd", "3", "--mode", way.mode, ...without];
}

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
  make("make", ["-s", "-C", nativeDirectory, "bin/trace"]);
}

/** A directory that is removed with `using`. */
export function scratch(): { path: string; [Symbol.dispose]: () => void } {
  const path = mkdtempSync(join(tmpdir(), "tranship-trace-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** stdout and stderr go together; standard input is /dev/null. */
/** `input`, and `more` from descriptor 4 on: descriptors that the command inherits. */
export async function runTraced(
  way: Way,
  command: readonly string[],
  cwd: string,
  { input, more = [] }: { input?: number; more?: readonly number[] } = {},
): Promise<Traced> {
  using place = scratch();
  const file = join(place.path, "trace");
  const log = join(place.path, "log");
  const out = openSync(file, "w");
  const text = openSync(log, "w");
  const words = way.mode === "native" ? command : [...traceWords(way), "--", ...command];
  const child = spawn(words[0] ?? "", words.slice(1), {
    cwd,
    stdio: [input ?? "ignore", text, text, out, ...more],
  });
  const ended = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve([status, signal]));
  });
  closeSync(out);
  closeSync(text);
  const records = way.mode === "native" ? [] : decode(readFileSync(file));
  return { status: ended[0], signal: ended[1], output: readFileSync(log, "latin1"), records };
}

export function decode(bytes: Uint8Array): TraceRecord[] {
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
