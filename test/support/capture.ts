// Where captures are made to fail: the tool in process, mount, network and ipc namespaces of the test's own, so that what is
// left is everything that was not there before, whoever else works on this host.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { installRoot } from "../../src/host/native.ts";
import { eventually } from "./enter.ts";
import { makeSmallRoot } from "./small-root.ts";

/** undefined where the host can run the tests; else why it cannot. */
export function whyNoCapture(): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/bin/busybox")) return "needs busybox-static";
  return false;
}

export interface Outcome {
  /** 128+n where a signal ended it. */
  status: number;
  stdout: string;
  stderr: string;
}

export interface Running {
  /** Of the tool itself, on this host. */
  pid: number;
  exit: Promise<Outcome>;
  stderr(): string;
  /** nsenter, which stops and continues with the tool. */
  outer: number;
  /** SIGCONT to what stopped itself at TRANSHIP_STOP_AT. */
  resume(): void;
}

export interface CaptureHost {
  /** Holds everything below. */
  readonly base: string;
  /** On this host: PID 1 of the namespaces. */
  readonly holder: number;
  /** The state root. */
  readonly state: string;
  /** A small machine: "rootfs:" and its directory. */
  readonly source: string;
  readonly machine: string;
  tool(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Outcome>;
  start(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Running>;
  /** Any other program, in the same namespaces. */
  inside(command: readonly string[]): Promise<Outcome>;
  /** Host pids of the processes that were started by the tool and are there now. */
  processes(): string[];
  /** A path as the tool sees it, for this process. */
  view(path: string): string;
  /** What is there now is no longer counted as left over: after a test's own mounts. */
  rebase(): void;
  /** What is there beyond the beginning; of the state: what no image needs. */
  leftovers(state?: string): string[];
}

/** As in runtime-fixture.ts. */
const mainProgram = process.env.TRANSHIP_TEST_MAIN ?? join(installRoot, "src/cli/main.ts");

export async function captureHost(t: TestContext): Promise<CaptureHost> {
  const base = mkdtempSync(join(tmpdir(), "tranship-capture-"));
  const source = join(base, "machine");
  makeSmallRoot(source);
  mkdirSync(join(base, "tmp"));
  // PID 1 of the namespaces waits for our end, and buries who loses its parent.
  const script =
    "mount --make-rprivate / && ip link set lo up && exec 3<&0 && { cat <&3 >/dev/null & echo ready; wait $!; }";
  const outer = spawn("unshare", ["-f", "-p", "-m", "-n", "-i", "--mount-proc", "sh", "-c", script], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  await new Promise<void>((resolve, reject) => {
    outer.stdout.once("data", () => resolve());
    outer.once("exit", () => reject(new Error("no private namespaces can be made here")));
  });
  const holder = childOf(outer.pid ?? 0) ?? 0;
  await eventually("PID 1 waits", () => commandOf(childOf(holder) ?? 0).startsWith("cat"));
  t.after(async () => {
    const ended = new Promise((resolve) => outer.once("exit", resolve));
    outer.stdin.end();
    await ended;
    rmSync(base, { recursive: true, force: true });
  });
  return new Host(base, source, holder);
}

class Host implements CaptureHost {
  readonly base: string;
  readonly state: string;
  readonly source: string;
  readonly machine: string;
  readonly holder: number;
  #before: string[] = [];

  constructor(base: string, source: string, holder: number) {
    this.base = base;
    this.state = join(base, "state");
    this.source = source;
    this.machine = `rootfs:${source}`;
    this.holder = holder;
    this.rebase();
  }

  view(path: string): string {
    return `/proc/${this.holder}/root${path}`;
  }

  rebase(): void {
    this.#before = [...this.#mounts(), ...this.#links(), ...this.processes()];
  }

  async tool(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return await this.#spawn([process.execPath, mainProgram, ...args], env).exit;
  }

  async start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Running> {
    const { child, exit, stderr } = this.#spawn([process.execPath, mainProgram, ...args], env);
    const outer = child.pid ?? 0;
    let pid: number | undefined;
    await eventually("the tool runs", () => {
      pid = childOf(outer);
      return pid !== undefined && commandOf(pid).includes(mainProgram);
    });
    return { pid: pid ?? 0, outer, exit, stderr, resume: () => process.kill(outer, "SIGCONT") };
  }

  async inside(command: readonly string[]): Promise<Outcome> {
    return await this.#spawn(command, {}).exit;
  }

  #spawn(
    command: readonly string[],
    env: NodeJS.ProcessEnv,
  ): { child: ChildProcess; exit: Promise<Outcome>; stderr: () => string } {
    const { NODE_EXTRA_CA_CERTS: _, TRANSHIP_ROOT: __, ...inherited } = process.env;
    const enter = ["-t", String(this.holder), "-p", "-m", "-n", "-i", "--wd=/"];
    const child = spawn("nsenter", [...enter, ...command], {
      env: { ...inherited, TRANSHIP_ROOT: this.state, TMPDIR: join(this.base, "tmp"), TERM: "dumb", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own, as a shell gives it
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const exit = new Promise<Outcome>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        const killed = signal === "SIGKILL" ? 137 : signal === "SIGINT" ? 130 : 128;
        resolve({ status: code ?? killed, stdout, stderr });
      });
    });
    return { child, exit, stderr: () => stderr };
  }

  processes(): string[] {
    const proc = `/proc/${this.holder}/root/proc`;
    return readdirSync(proc)
      .filter((name) => /^\d+$/.test(name))
      .map(
        (pid) => `process ${pid} ${readProc(`${proc}/${pid}/cmdline`).replaceAll("\0", " ").slice(0, 200)}`,
      );
  }

  leftovers(state = this.state): string[] {
    const before = new Set(this.#before);
    const now = [...this.#mounts(), ...this.#links(), ...this.processes()];
    return [
      ...now.filter((one) => !before.has(one)),
      // Names of other people's network namespaces go from here when they are removed on the host.
      ...this.#before
        .filter((one) => !now.includes(one) && !/ nsfs nsfs /.test(one))
        .map((one) => `gone: ${one}`),
      ...["work", "locks", "journal", "instances", "volumes"].flatMap((name) =>
        namesBelow(this.view(join(state, name))),
      ),
      ...namesBelow(this.view(state)).filter((name) => name.endsWith(".tmp")),
      ...namesBelow(join(this.base, "tmp")).filter((name) => !name.includes("node-compile-cache")),
    ];
  }

  #mounts(): string[] {
    const lines = readFileSync(`/proc/${this.holder}/mountinfo`, "utf8").trim().split("\n");
    return lines.map((line) => `mount ${line}`);
  }

  #links(): string[] {
    const lines = readFileSync(`/proc/${this.holder}/net/dev`, "utf8").split("\n").slice(2);
    return lines.flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []).map((name) => `link ${name}`);
  }
}

/** Waits for what dies by itself, then holds that nothing is left. */
export async function nothingLeft(host: CaptureHost, state = host.state): Promise<void> {
  for (let round = 0; round < 200 && host.leftovers(state).length > 0; round++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(host.leftovers(state), []);
}

export interface Expected {
  code: string;
  /** Default 1. */
  status?: number;
  /** Of the message: the value concerned. */
  says: RegExp;
  hint?: RegExp;
}

/** A clear error, no image, no blob, and nothing left. */
export async function failsCleanly(host: CaptureHost, outcome: Outcome, expected: Expected): Promise<void> {
  tells(outcome, expected);
  await nothingLeft(host);
  await noImage(host);
}

export function tells(outcome: Outcome, expected: Expected): void {
  const { stderr, status, stdout } = outcome;
  const error = /^error\[(E_[A-Z_]+)\]: ([\s\S]*)$/m.exec(stderr);
  assert.equal(error?.[1], expected.code, stderr);
  const [message = "", hint = ""] = (error?.[2] ?? "").split("\n  hint: ");
  assert.match(message, expected.says, stderr);
  assert.match(hint, expected.hint ?? /\S/, stderr);
  assert.equal(status, expected.status ?? 1, stderr);
  assert.doesNotMatch(stderr, /\n\s+at .*\.ts:\d+/, "no stack without --log-level debug");
  assert.doesNotMatch(stdout, /@sha256:/, "no image is named");
}

export async function noImage(host: CaptureHost): Promise<void> {
  const listed = await host.tool(["images", "-q"]);
  assert.deepEqual([listed.status, listed.stdout.trim()], [0, ""], listed.stderr);
  assert.deepEqual(blobs(host), []);
}

export function blobs(host: CaptureHost): string[] {
  return namesBelow(host.view(join(host.state, "store/blobs/sha256")));
}

/** Not through links: one in a layer leads out of it. */
function namesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name),
  );
}

function childOf(pid: number): number | undefined {
  const [first] = readProc(`/proc/${pid}/task/${pid}/children`).trim().split(" ");
  return first === undefined || first === "" ? undefined : Number(first);
}

function commandOf(pid: number): string {
  return readProc(`/proc/${pid}/cmdline`);
}

function readProc(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Waits until the process has stopped itself at a step. */
export async function stopped(running: Running): Promise<void> {
  const isStopped = (pid: number) => /^\d+ \(.*\) T /s.test(readProc(`/proc/${pid}/stat`));
  await eventually("the tool stops at the step", () => {
    assert.notEqual(readProc(`/proc/${running.outer}/stat`), "", `it ended before: ${running.stderr()}`);
    return isStopped(running.pid) && isStopped(running.outer);
  });
}

/** Host pids of all processes below one. */
export function descendants(pid: number): number[] {
  const children = readdirOrNone(`/proc/${pid}/task`).flatMap((task) =>
    readProc(`/proc/${pid}/task/${task}/children`)
      .trim()
      .split(" ")
      .filter((word) => word !== "")
      .map(Number),
  );
  return [...children, ...children.flatMap(descendants)];
}

/** The first process below one whose command line fits. */
export function descendant(pid: number, command: RegExp): number | undefined {
  return descendants(pid).find((child) => command.test(commandOf(child).replaceAll("\0", " ")));
}

function readdirOrNone(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
