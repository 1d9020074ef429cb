// The way in: reads the command line against the table of verbs, builds what verbs need, runs one, tells errors.

import { resolve } from "node:path";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import type { LogLevel } from "../base/log.ts";
import { installRoot } from "../host/native.ts";
import { defaultStateRoot, openStateRoot, type StateRoot } from "../host/state-root.ts";
import { repairWork } from "../host/work.ts";
import type { Context } from "./context.ts";
import { asTranshipError, tellFailure } from "./failure.ts";
import { makeLog, plainText, type TerminalOptions, TerminalProgress } from "./terminal.ts";
import { type OptionValues, text, type Verb } from "./verb.ts";

async function main(argv: readonly string[]): Promise<number> {
  // `version` is asked by scripts in loops; it needs neither the parser nor the table.
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "version")) {
    const { versionText } = await import("./general/version.ts");
    process.stdout.write(`${versionText(installRoot)}\n`);
    return 0;
  }
  const { verbs } = await import("./table/verbs.ts");
  if (argv.length === 0 || (argv.length === 1 && ["help", "--help", "-h"].includes(argv[0] ?? ""))) {
    const { quickStart } = await import("./general/quick-start.ts");
    process.stdout.write(quickStart(verbs, argv.length > 0));
    return 0;
  }
  const { parse } = await import("./parser.ts");
  const parsed = await parse(verbs, argv[0] === "help" ? [...argv.slice(1), "--help"] : argv);
  if (parsed === undefined) return 0;
  return await runVerb(parsed.verb, parsed.call.args, parsed.call.options);
}

async function runVerb(verb: Verb, args: readonly string[], options: OptionValues): Promise<number> {
  running = verb.name;
  const terminal = terminalOptions(options);
  Object.assign(shown, terminal);
  const progress = new TerminalProgress(terminal);
  const log = makeLog(terminal, () => progress.clear());
  const interrupt = new AbortController();
  let interrupts = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    interrupts++;
    if (interrupts > 1) process.exit(130);
    interrupt.abort(signal);
  };
  if (!ownSignals.has(verb.name)) {
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  }
  let root: StateRoot | undefined;
  const context: Context = {
    get root() {
      if (root === undefined) {
        const asked = text(options, "root");
        if (asked === "") throw new TranshipError("E_USAGE", "--root needs a directory");
        root = openStateRoot(asked === undefined ? defaultStateRoot() : resolve(asked));
        repairWork(root, log);
      }
      return root;
    },
    log,
    progress,
    print: (words) => {
      const plain = plainText(words);
      process.stdout.write(plain === "" || plain.endsWith("\n") ? plain : `${plain}\n`);
    },
    say: (words) => log.info(words),
    signal: interrupt.signal,
    noInput: options.input === false || !process.stdin.isTTY,
    yes: options.yes === true,
  };
  const module = await verb.load();
  try {
    const status = (await module.run({ args, options }, context)) ?? 0;
    return interrupt.signal.aborted && status === 0 ? 130 : status;
  } catch (error) {
    // A terminal tells our children too: what failed because they ended is not the reason.
    throw interrupt.signal.aborted ? interrupted(verb, error) : error;
  } finally {
    progress.clear();
  }
}

function interrupted(verb: Verb, cause: unknown): unknown {
  if (isTranshipError(cause, "E_INTERRUPTED")) return cause;
  return new TranshipError("E_INTERRUPTED", `${verb.name} was stopped`, { cause });
}

/** Verbs whose signals belong to the program that they run. */
const ownSignals = new Set(["run", "exec", "start", "attach"]);

/** Verbs that carry on when nobody reads their result any more: what they do is more than what they print. */
const finishing = /^(lift|demo|test|tag|rmi|capture .*|package export)$/;

/** The verb that runs; "" before one is known. */
let running = "";

const shown: TerminalOptions = terminalOptions({});

function terminalOptions(options: OptionValues): TerminalOptions {
  const dumb = process.env.TERM === "dumb" || (process.env.NO_COLOR ?? "") !== "";
  const tty = process.stderr.isTTY === true;
  return {
    level: (text(options, "logLevel") ?? "info") as LogLevel,
    format: text(options, "logFormat") === "json" ? "json" : "text",
    color: tty && !dumb && options.color !== false,
    interactive: tty && process.env.TERM !== "dumb",
  };
}

/** `run` and `exec` give the program's own status, so ours must be told apart: 125. */
function failureStatus(status: number): number {
  return (running === "run" || running === "exec") && status === 1 ? 125 : status;
}

function fail(error: unknown): number {
  const failure = asTranshipError(error);
  tellFailure(failure, shown);
  return failureStatus(failure.exitStatus);
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // The reader of a pipe went away: there is nobody left to tell.
  if (error.code === "EPIPE" && !finishing.test(running)) process.exit(0);
});
// What is told on stderr is never worth ending the work for.
process.stderr.on("error", () => {});
process.on("uncaughtException", (error) => process.exit(fail(error)));

const argv = process.argv.slice(2);
// Known before the command line is understood, so that what is wrong with it is told in the form asked for.
if (/(^| )--log-format[ =]json( |$)/.test(argv.join(" "))) shown.format = "json";
try {
  process.exitCode = await main(argv);
} catch (error) {
  process.exitCode = fail(error);
}
