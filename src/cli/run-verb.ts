// Runs one verb: builds what it needs, gives it signals and streams, tells its errors.
import { resolve } from "node:path";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import type { LogLevel } from "../base/log.ts";
import { nativePath } from "../host/native.ts";
import { defaultStateRoot, isStateRoot, openStateRoot, type StateRoot } from "../host/state-root.ts";
import { isTerminal } from "../host/terminal.ts";
import { repairWork } from "../host/work.ts";
import type { Context } from "./context.ts";
import { asTranshipError, tellFailure } from "./failure.ts";
import { printText, readers, watchStreams } from "./streams.ts";
import { makeLog, plainText, type TerminalOptions, TerminalProgress } from "./terminal.ts";
import { type Call, type OptionValues, text, type Verb } from "./verb.ts";

/** Runs one verb to its exit status; what it throws is told by fail(). */
export async function runVerb(verb: Verb, { args, options }: Call): Promise<number> {
  running = verb.name;
  readers.goOnWithout = finishing.test(verb.name);
  // The others write by streams.ts only.
  if (verb.group !== "Instances") watchStreams();
  const terminal = terminalOptions(options);
  Object.assign(shown, terminal);
  const progress = new TerminalProgress(terminal);
  const log = makeLog(terminal, () => progress.clear());
  // Made when asked for: loading it takes a millisecond, which `run` has no use for.
  let interrupt: AbortController | undefined;
  let stoppedBy: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppedBy !== undefined) process.exit(130);
    stoppedBy = signal;
    interrupt?.abort(signal);
  };
  if (!ownSignals.has(verb.name)) {
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  }
  let root: StateRoot | undefined;
  const context: Context = {
    get root() {
      if (root === undefined) {
        root = openStateRoot(rootPath(options));
        repairWork(root, log);
      }
      return root;
    },
    log,
    progress,
    print: (words) => {
      const plain = plainText(words);
      printText(plain === "" || plain.endsWith("\n") ? plain : `${plain}\n`);
    },
    say: (words) => log.info(words),
    tellFailure: (error) => tellFailure(asTranshipError(error), shown),
    get signal() {
      interrupt ??= new AbortController();
      if (stoppedBy !== undefined) interrupt.abort(stoppedBy);
      return interrupt.signal;
    },
    get noInput() {
      return options.input === false || !isTerminal(0);
    },
    yes: options.yes === true,
  };
  if (afterEnd.test(verb.name) && !isStateRoot(rootPath(options))) return Number(args[1] ?? 0);
  if (needsNamespaces(verb) && !(await worksWithout(verb, { args, options }, () => context.root))) {
    const { enterRootless } = await import("../host/rootless/rootless.ts");
    await enterRootless(context.root, commandAgain(verb), log);
  }
  const module = await verb.load();
  try {
    const status = (await module.run({ args, options }, context)) ?? 0;
    return stoppedBy !== undefined && status === 0 && !verb.serves ? 130 : status;
  } catch (error) {
    // A terminal tells our children too: what failed because they ended is not the reason.
    throw stoppedBy !== undefined ? interrupted(verb, error) : error;
  } finally {
    progress.clear();
  }
}

/** What our processes become at an end, with its status where there is one. A state root that has been removed meanwhile has nothing left to be dealt with, and is not made again. */
const afterEnd = /^internal ((instance|foreground|observed)-ended|network-idle)$/;

function rootPath(options: OptionValues): string {
  const asked = text(options, "root");
  if (asked === "") throw new TranshipError("E_USAGE", "--root needs a directory");
  return asked === undefined ? defaultStateRoot() : resolve(asked);
}

/** Verbs that an ordinary user runs as root of a user namespace of their own; root runs them as they are. */
function needsNamespaces({ name, group }: Verb): boolean {
  if (process.getuid?.() === 0) return false;
  return group === "Instances" || group === "Volumes and networks" || /^(internal .*|gc|rmi)$/.test(name);
}

const withoutNamespaces = new Set([
  "ps",
  "logs",
  "attach",
  "start",
  "restart",
  "stop",
  "boot",
  "cp",
  "exec",
  "diff",
  "kill",
  "wait",
  "rename",
  "rm",
  "history",
  "events",
  "update",
]);

/** Whether all that is concerned runs in process, so that a host that forbids namespaces does not matter. */
async function worksWithout(
  { name }: Verb,
  { args, options }: Call,
  root: () => StateRoot,
): Promise<boolean> {
  if (name === "run") {
    if (options.engine === undefined) return false;
    const { wantedEngine } = await import("./instances/in-process.ts");
    return wantedEngine(options) === "inprocess";
  }
  const ended = /^internal (foreground|instance)-ended$/.test(name);
  if (!withoutNamespaces.has(name) && !ended) return false;
  const { hasNamespaceInstances, isInProcess } = await import("../runtime/inprocess/apart.ts");
  return ended ? isInProcess(root(), args[0] ?? "") : !hasNamespaceInstances(root());
}

/** As bin/tranship started this process. */
function commandAgain({ name }: Verb): string[] {
  const own = [process.execPath, "--disable-warning=ExperimentalWarning", ...process.argv.slice(1)];
  return name === "run" ? [nativePath("supervise"), "--prepare", ...own] : own;
}

function interrupted(verb: Verb, cause: unknown): unknown {
  if (isTranshipError(cause, "E_INTERRUPTED")) return cause;
  return new TranshipError("E_INTERRUPTED", `${verb.name} was stopped`, { cause });
}

/** Verbs whose signals belong to the program that they run. */
const ownSignals = new Set(["run", "exec", "start", "attach"]);

/** Verbs that carry on when nobody reads their result any more: what they do is more than what they print. */
const finishing =
  /^(lift|demo|test|tag|rmi|gc|repair|capture .*|package (export|edit|bake|import)|push|pull|login)$/;

/** The verb that runs; "" before one is known. */
let running = "";

/** How errors are told: as the verb's flags say, once they are known. */
const shown: TerminalOptions = terminalOptions({});

function terminalOptions(options: OptionValues): TerminalOptions {
  const dumb = process.env.TERM === "dumb" || (process.env.NO_COLOR ?? "") !== "";
  const tty = isTerminal(2);
  return {
    level: (text(options, "logLevel") ?? "info") as LogLevel,
    format: text(options, "logFormat") === "json" ? "json" : "text",
    color: tty && !dumb && options.color !== false,
    interactive: tty && process.env.TERM !== "dumb",
  };
}

const programs = new Set(["run", "exec", "internal foreground-ended", "internal observed-ended"]);

/** These give the program's own status, so ours must be told apart: 125. */
function failureStatus(status: number): number {
  return programs.has(running) && status === 1 ? 125 : status;
}

/** Tells an error; the exit status that it means. */
export function fail(error: unknown): number {
  const failure = asTranshipError(error);
  tellFailure(failure, shown);
  return failureStatus(failure.exitStatus);
}

/** Runs `work` for its exit status, with everything that may go wrong told. */
export async function runProgram(
  argv: readonly string[],
  work: (argv: readonly string[]) => Promise<number>,
): Promise<void> {
  process.on("uncaughtException", (error) => process.exit(fail(error)));
  forgetOwnEnvironment();
  // Known before the command line is understood, so that what is wrong with it is told in the form asked for.
  if (/(^| )--log-format[ =]json( |$)/.test(argv.join(" "))) shown.format = "json";
  try {
    process.exitCode = await work(argv);
  } catch (error) {
    process.exitCode = fail(error);
  }
}

/** What bin/tranship gave the allocator of this process counts from its start on; programs that it starts shall not have it. */
function forgetOwnEnvironment(): void {
  if (process.env.TRANSHIP_MALLOC === undefined) return;
  for (const name of [
    "TRANSHIP_MALLOC",
    "MALLOC_ARENA_MAX",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
  ])
    delete process.env[name];
}
