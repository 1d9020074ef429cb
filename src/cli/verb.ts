// The form of a verb: what the table of verbs is made of. Help, docs/reference/cli.md, completion and the parser come from it.
import type { Context } from "./context.ts";

export interface ArgumentSpec {
  /** "REF", "[CMD...]": square brackets for optional, dots for the rest of the line. */
  name: string;
  summary: string;
}

export interface OptionSpec {
  /** As commander reads it: "-p, --publish <PORT>". */
  flags: string;
  summary: string;
  /** May be given more than once; the value is a list. */
  many?: boolean;
  default?: string | boolean;
  choices?: readonly string[];
  /** Options whose order among each other counts: all of one name are also in this list, as "KEY VALUE" in the order given. */
  sequence?: string;
}

/** Options as parsed: camelCase names; many -> string[]. */
export type OptionValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface Call {
  args: readonly string[];
  options: OptionValues;
}

export interface VerbModule {
  /** Returns the exit status; undefined is 0. */
  run(call: Call, context: Context): Promise<number | undefined>;
}

export interface Verb {
  /** "run", "capture run": at most two words. */
  name: string;
  group: string;
  summary: string;
  description?: string;
  examples: readonly string[];
  arguments?: readonly ArgumentSpec[];
  options?: readonly OptionSpec[];
  /** Flags after the first argument belong to the program, not to us (run, exec). */
  passThrough?: boolean;
  /** Runs until a signal, which is then no failure. */
  serves?: boolean;
  /** Not shown in help: called by ourselves. */
  hidden?: boolean;
  load(): Promise<VerbModule>;
}

export function text(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

export function flag(options: OptionValues, name: string): boolean {
  return options[name] === true;
}

export function list(options: OptionValues, name: string): readonly string[] {
  const value = options[name];
  if (Array.isArray(value)) return value as readonly string[];
  return typeof value === "string" ? [value] : [];
}
