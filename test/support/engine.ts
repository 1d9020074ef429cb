// The in-process engine and the programs that it is tried with; each is built once a test file.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const native = join(import.meta.dirname, "../../native");
export const engine = join(process.env.TRANSHIP_NATIVE ?? join(native, "bin"), "engine");

/** The engine is for one processor. */
export const cannotRun = process.arch === "x64" ? false : "the in-process engine is for x86-64";

/** Files of one test file; gone with its process. */
export const place = mkdtempSync(join(tmpdir(), "tranship-engine-"));
process.on("exit", () => rmSync(place, { recursive: true, force: true }));

/** How a program is linked: with the C library of this host, dynamically or not, or with musl, statically. */
export const linkings = ["dynamic", "static", "musl"] as const;
export type Linking = (typeof linkings)[number];

const musl = ["-static", "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"];

/** Compiles native/engine/test/NAME.c and returns the program's path. */
export function compile(name: string, linking: Linking): string {
  const to = join(place, `${name}-${linking}`);
  const ways = { dynamic: [], static: ["-static", "-DSTATIC"], musl: [...musl, "-DSTATIC"] };
  const flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-w", ...ways[linking]];
  const source = join(native, `engine/test/${name}.c`);
  const compiler = linking === "musl" ? "musl-gcc" : "gcc";
  const made = spawnSync(compiler, [...flags, "-o", to, source, "-lpthread", "-lrt", "-ldl"], {
    encoding: "utf8",
  });
  if (made.status !== 0) throw new Error(`${compiler} ${source}: ${made.stderr}`);
  return to;
}

export interface Ended {
  /** 128 + n after signal n, as shells have it. */
  status: number;
  stdout: string;
  stderr: string;
}

export interface How {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  input?: string;
  argv0?: string;
  uid?: number;
}

/** Runs a command to its end, for a minute at most. */
export function run(command: readonly string[], how: How = {}): Promise<Ended> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    env: how.env ?? process.env,
    cwd: how.cwd ?? place,
    timeout: 60_000,
    killSignal: "SIGKILL",
    ...(how.argv0 === undefined ? {} : { argv0: how.argv0 }),
    ...(how.uid === undefined ? {} : { uid: how.uid, gid: how.uid }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("latin1").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.on("error", () => {}).end(how.input ?? "");
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      // Else a minute that was too short looks like a program that something killed.
      if (child.killed) stderr += "killed by this test after a minute\n";
      resolve({ status: code ?? 128 + signalNumber(signal), stdout, stderr });
    });
  });
}

const numbers: Record<string, number> = {
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGSYS: 31,
};

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : (numbers[signal] ?? 127);
}

/** Runs all of them, `width` at once. */
export async function all<T>(
  list: readonly T[],
  width: number,
  one: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = list[next++]; item !== undefined; item = list[next++]) await one(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
