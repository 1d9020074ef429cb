// The teller of the demo: says what comes, prints the command as a person would type it, runs the real verb, and keeps the time.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { formatDuration } from "../../base/units.ts";
import { shellWords } from "../../formats/shell-words.ts";
import { installRoot } from "../../host/native.ts";
import { spawnError, statusOf } from "../../host/process.ts";
import type { Context } from "../context.ts";

export interface TellerOptions {
  context: Context;
  /** The state root of the demo. */
  root: string;
}

export class Teller {
  readonly #context: Context;
  readonly #env: NodeJS.ProcessEnv;
  readonly times: { stage: string; milliseconds: number }[] = [];
  #began = 0;

  constructor({ context, root }: TellerOptions) {
    this.#context = context;
    this.#env = { ...process.env, TRANSHIP_ROOT: root };
  }

  /** A heading and a few sentences; opens a stage whose time is kept. */
  stage(title: string, ...sentences: readonly string[]): void {
    this.end();
    this.#began = Date.now();
    this.times.push({ stage: title, milliseconds: 0 });
    this.#context.print(`\n== ${this.times.length}. ${title}\n${sentences.join("\n")}\n`);
  }

  /** The current stage is over. */
  end(): void {
    const current = this.times.at(-1);
    if (current !== undefined && current.milliseconds === 0) current.milliseconds = Date.now() - this.#began;
  }

  tell(text: string): void {
    this.#context.print(text);
  }

  /** Runs a verb with its output shown. A status that was not expected ends the demo. */
  async verb(words: readonly string[], expected = 0): Promise<void> {
    await this.#verb(words, { expected, shown: true });
  }

  /** The same, and returns what the verb wrote to its standard output. */
  async ask(words: readonly string[]): Promise<string> {
    const output = await this.#verb(words, { expected: 0, shown: false });
    this.tell(output);
    return output;
  }

  /** The same, shown only up to a line of the output. */
  async verbUpTo(words: readonly string[], line: RegExp): Promise<void> {
    const lines = (await this.#verb(words, { expected: 0, shown: false })).trimEnd().split("\n");
    const cut = lines.findIndex((one) => line.test(one));
    if (cut < 0) this.tell(lines.join("\n"));
    else this.tell([...lines.slice(0, cut), `  ... and ${lines.length - cut} more lines`].join("\n"));
  }

  async #verb(words: readonly string[], how: { expected: number; shown: boolean }): Promise<string> {
    const { signal } = this.#context;
    if (signal.aborted) throw new TranshipError("E_INTERRUPTED", "the demo was stopped");
    const command = shellWords(["tranship", ...words]);
    this.#context.print(`\n$ ${command}`);
    const { status, output } = await runVerb(words, { env: this.#env, signal, shown: how.shown });
    if (signal.aborted) throw new TranshipError("E_INTERRUPTED", "the demo was stopped");
    if (status === how.expected) return output;
    if (!how.shown) this.tell(output);
    throw new TranshipError("E_TEST_FAILED", `\`${command}\` ended with status ${status}`, {
      hint: "what it said stands above",
    });
  }

  timesTable(): string {
    const width = Math.max(...this.times.map(({ stage }) => stage.length));
    return this.times
      .map(({ stage, milliseconds }) => `  ${stage.padEnd(width)}  ${formatDuration(milliseconds)}`)
      .join("\n");
  }
}

const program = join(installRoot, "bin/tranship");

export interface VerbCall {
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** Standard output goes to ours; else it is collected. */
  shown: boolean;
  /** Standard error is thrown away. */
  quiet?: boolean;
}

/**
 * Runs a verb in a session of its own: Ctrl-C in a terminal reaches only the demo, which passes it on once, so that the verb
 * can clean up before the demo does.
 */
export function runVerb(
  words: readonly string[],
  call: VerbCall,
): Promise<{ status: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      env: call.env,
      detached: true,
      stdio: ["ignore", call.shown ? "inherit" : "pipe", call.quiet === true ? "ignore" : "inherit"],
    });
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const onAbort = (): void => {
      child.kill("SIGINT");
    };
    const onExit = (): void => {
      child.kill("SIGKILL");
    };
    call.signal.addEventListener("abort", onAbort, { once: true });
    process.once("exit", onExit);
    child.on("error", (cause) => reject(spawnError(program, cause)));
    child.on("close", (code, signal) => {
      call.signal.removeEventListener("abort", onAbort);
      process.removeListener("exit", onExit);
      resolve({ status: statusOf(code, signal), output });
    });
  });
}
