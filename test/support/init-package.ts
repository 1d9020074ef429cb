// A package without an image: a root directory with init, its plan and the actor (native/init/test/actor.c), run in
// namespaces of its own.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { type Descriptor, newDescriptor, type Program, type Service } from "../../src/package/descriptor.ts";
import { compileInitPlan, encodeInitPlan } from "../../src/package/init-plan.ts";

const execute = promisify(execFile);
const native = join(import.meta.dirname, "../../native");
export const init = join(native, "bin/init");

/** Why the tests of this file cannot run here, or false. */
export const cannotRun: string | false =
  process.getuid?.() === 0 ? false : "needs root: makes pid, mount and network namespaces";

export function descriptor(parts: Partial<Descriptor>): Descriptor {
  const origin = { os: { id: "debian", version: "11" }, kernel: "5.10.0", architecture: "amd64" };
  return { ...newDescriptor({ id: "t_1", name: "t", version: "1", publisher: "" }, origin), ...parts };
}

/** Each entry: what the actor does, and what the service is like otherwise. The program has the service's name. */
export function services(
  entries: Record<string, Partial<Service> & { does: string[]; as?: Partial<Program> }>,
): Pick<Descriptor, "programs" | "services"> {
  const list = Object.entries(entries);
  return {
    programs: list.map(([name, { does, as }]) => ({ name, command: ["/bin/actor", ...does], ...as })),
    services: list.map(([name, { does: _, as: __, ...rest }]) => ({ name, program: name, ...rest })),
  };
}

/** Compiles native/init/test/NAME.c, if there is one, and what else it needs, once per test file. */
const built = new Map<string, Promise<string>>();
const buildFolder = mkdtempSync(join(tmpdir(), "tranship-init-build-"));
process.on("exit", () => rmSync(buildFolder, { recursive: true, force: true }));

export function build(name: string, compiler: string, ...more: string[]): Promise<string> {
  const to = join(buildFolder, name);
  const flags = [
    "-std=gnu11",
    "-D_GNU_SOURCE",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-O1",
    "-I",
    join(native, "common"),
  ];
  const kernel =
    compiler === "musl-gcc" ? ["-static", "-idirafter", "/usr/include", "-idirafter", kernelHeaders()] : [];
  const own = join(native, `init/test/${name}.c`);
  const sources = existsSync(own) ? [own, ...more] : more;
  const done =
    built.get(name) ?? execute(compiler, [...flags, ...kernel, "-o", to, ...sources]).then(() => to);
  built.set(name, done);
  return done;
}

function kernelHeaders(): string {
  return `/usr/include/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
}

export const commonSources = [join(native, "common/die.c"), join(native, "common/frame.c")];

export function initSources(...except: string[]): string[] {
  return readdirSync(join(native, "init"))
    .filter((name) => name.endsWith(".c") && !except.includes(name))
    .sort()
    .map((name) => join(native, "init", name));
}

export interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

export interface StartOptions {
  env?: Record<string, string>;
  /** false: init is not PID 1. */
  pid?: boolean;
  /** Shell text run before init, in its mount namespace; $ROOT is the package's root. */
  prepare?: string;
  /** Do not read stdout. */
  deaf?: boolean;
  input?: string;
}

export interface Running {
  /** As this host sees it. */
  readonly pid: number;
  signal(signal: NodeJS.Signals | number): void;
  /** Closes the reading end of stdout. */
  hangUp(): void;
  readonly ended: Promise<Result>;
  stdout(): string;
  /** Children of init, as "name state". */
  children(): string[];
  /** A file of the package as the instance sees it, also on mounts of its own. */
  read(path: string): string;
}

export class InitPackage {
  readonly root: string;
  readonly #running: ChildProcess[] = [];

  constructor(root: string) {
    this.root = root;
  }

  path(inside: string): string {
    return join(this.root, inside);
  }

  write(inside: string, content: string | Uint8Array, mode = 0o644): void {
    mkdirSync(dirname(this.path(inside)), { recursive: true });
    writeFileSync(this.path(inside), content, { mode });
  }

  read(inside: string): string {
    return existsSync(this.path(inside)) ? readFileSync(this.path(inside), "utf8") : "";
  }

  lines(inside: string): string[] {
    return this.read(inside).split("\n").slice(0, -1);
  }

  json(inside: string): Record<string, unknown> {
    return JSON.parse(this.read(inside));
  }

  /** Lines of the log, decoded. */
  log(file = "all.log"): Record<string, string>[] {
    return this.lines(`.tranship/run/log/${file}`).map((line) => JSON.parse(line));
  }

  plan(parts: Partial<Descriptor>, file = ".tranship/init.bin"): void {
    this.write(file, encodeInitPlan(compileInitPlan(descriptor(parts))));
  }

  async run(args: readonly string[] = [], options: StartOptions = {}): Promise<Result> {
    return (await this.start(args, options)).ended;
  }

  async start(args: readonly string[] = [], options: StartOptions = {}): Promise<Running> {
    const separate = options.pid === false ? [] : ["--pid", "--fork", "--kill-child"];
    const script = `mount -t proc none "$ROOT/proc"; ${options.prepare ?? ":"}; exec env -i "$@"`;
    const env = { PATH: "/bin", ...options.env };
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const child = spawn(
      "unshare",
      [
        ...separate,
        "--mount",
        "--net",
        "sh",
        "-c",
        script,
        "sh",
        ...words,
        "/usr/sbin/chroot",
        this.root,
      ].concat(["/.tranship/init", ...args]),
      { env: { PATH: process.env.PATH ?? "", ROOT: this.root }, stdio: ["pipe", "pipe", "pipe"] },
    );
    this.#running.push(child);
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    let stdout = "";
    let stderr = "";
    if (options.deaf !== true) child.stdout.on("data", (data: Buffer) => (stdout += data.toString("latin1")));
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString("latin1")));
    const ended = once(child, options.deaf === true ? "exit" : "close").then(
      ([status]): Result => ({ status: typeof status === "number" ? status : -1, stdout, stderr }),
    );
    const outer = child.pid ?? 0;
    const pid = options.pid === false ? outer : await firstChild(outer);
    return {
      pid,
      signal: (signal) => void process.kill(pid, signal),
      hangUp: () => void child.stdout.destroy(),
      ended,
      stdout: () => stdout,
      children: () => childrenOf(pid).map(stateOf).filter(Boolean),
      read: (path) => readFileSync(`/proc/${pid}/root${path}`, "utf8"),
    };
  }

  async ready(): Promise<void> {
    await until(
      () => this.read(".tranship/run/state.json").includes('{"ready":true'),
      "the instance is ready",
    );
  }

  async end(): Promise<void> {
    for (const child of this.#running) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** "" where it has just ended. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const end = stat.lastIndexOf(")");
    return `${stat.slice(stat.indexOf("(") + 1, end)} ${stat[end + 2]}`;
  } catch {
    return "";
  }
}

async function firstChild(outer: number): Promise<number> {
  let pid = 0;
  await until(() => {
    pid = childrenOf(outer)[0] ?? 0;
    return pid > 0 || ["", "Z"].includes(stateOf(outer).slice(-1));
  }, "init has started");
  return pid;
}

/** Asks every 10 ms; a guard of 20 s against hanging, not an assertion on time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let round = 0; round < 2000; round++) {
    if (condition()) return;
    await pause(10);
  }
  throw new Error(`waited in vain: ${what}`);
}

/** With a log directory, unless `log` is false. Removed at the end of the test. */
export async function makePackage(
  t: TestContext,
  parts: Partial<Descriptor> = {},
  options: { log?: boolean; init?: string } = {},
): Promise<InitPackage> {
  const actor = await build("actor", "musl-gcc", ...commonSources);
  const made = new InitPackage(mkdtempSync(join(tmpdir(), "tranship-init-")));
  t.after(() => made.end());
  chmodSync(made.root, 0o755);
  for (const folder of ["proc", "bin", "etc", "tmp", "run", "dev", ".tranship/run"]) {
    mkdirSync(made.path(folder), { recursive: true });
  }
  if (options.log !== false) mkdirSync(made.path(".tranship/run/log"));
  copyFileSync(options.init ?? init, made.path(".tranship/init"));
  copyFileSync(actor, made.path("bin/actor"));
  made.write("dev/null", "");
  made.plan(parts);
  return made;
}
