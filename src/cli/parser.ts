// The table of verbs as a commander program: parsing, help, "did you mean".
import { Command, CommanderError, Option } from "commander";
import { TranshipError } from "../base/errors.ts";
import { commonOptions } from "./common-options.ts";
import { notTakenOfDocker } from "./table/not-taken.ts";
import type { Call, OptionSpec, Verb } from "./verb.ts";

export interface Parsed {
  verb: Verb;
  call: Call;
}

/** Reads a command line. Throws E_USAGE; returns undefined where help was printed. */
export async function parse(verbs: readonly Verb[], argv: readonly string[]): Promise<Parsed | undefined> {
  let parsed: Parsed | undefined;
  const program = buildProgram(verbs, (verb, call) => {
    parsed = { verb, call };
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0 || error.code === "commander.help") return undefined;
    throw usageError(error.message, verbs, argv);
  }
  return parsed;
}

function usageError(message: string, verbs: readonly Verb[], argv: readonly string[]): TranshipError {
  const clean = message.replace(/^error: /, "");
  const known = /^unknown option '(--[\w-]+)/.exec(clean)?.[1];
  const name = verbIn(verbs, argv).join(" ");
  const reason = notTakenOfDocker[name]?.[known ?? ""];
  if (reason !== undefined)
    return new TranshipError("E_USAGE", `${known} is not taken: ${reason}`, {
      hint: `see \`tranship ${name} --help\``,
    });
  const guess = /\n?\(Did you mean (.*?)\?\)/.exec(clean);
  const words = clean.startsWith("unknown command") ? [] : verbIn(verbs, argv);
  const help = `see \`tranship ${[...words, "--help"].join(" ")}\``;
  return new TranshipError("E_USAGE", clean.replace(guess?.[0] ?? "", "").trim(), {
    hint: guess === null ? help : `did you mean ${guess[1]}? ${help}`,
  });
}

/** The words of a command line that name its verb, for hints. */
function verbIn(verbs: readonly Verb[], argv: readonly string[]): string[] {
  const names = new Set(verbs.map((verb) => verb.name));
  for (const [index, word] of argv.entries()) {
    if (names.has(`${word} ${argv[index + 1]}`)) return [word, argv[index + 1] ?? ""];
    if (names.has(word)) return [word];
  }
  return [];
}

export function buildProgram(verbs: readonly Verb[], onCall: (verb: Verb, call: Call) => void): Command {
  const program = new Command("tranship")
    .enablePositionalOptions()
    .helpCommand(false)
    .helpOption("-h, --help");
  program
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .showSuggestionAfterError(true)
    .helpOption(false);
  addOptions(program, commonOptions);
  const groups = new Map<string, Command>();
  for (const verb of verbs) {
    const [first = "", second] = verb.name.split(" ");
    let parent = program;
    let name = first;
    if (second !== undefined) {
      parent = groups.get(first) ?? addGroup(program, first, verbs);
      groups.set(first, parent);
      name = second;
    }
    addVerb(parent, name, verb, program, onCall);
  }
  return program;
}

/** "capture" alone is no verb: it lists what can follow. */
function addGroup(program: Command, name: string, verbs: readonly Verb[]): Command {
  const group = program
    .command(name)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .enablePositionalOptions()
    .helpOption("-h, --help", "this text")
    .helpCommand(false);
  const examples = verbs.filter((verb) => verb.name.startsWith(`${name} `)).flatMap((verb) => verb.examples);
  group.addHelpText("before", examplesText(examples));
  group.action(() => {
    const known = group.commands.map((command) => `${name} ${command.name()}`).join(", ");
    const word = group.args[0];
    throw new TranshipError(
      "E_USAGE",
      word === undefined
        ? `${name} needs a second word`
        : `unknown verb ${JSON.stringify(`${name} ${word}`)}`,
      {
        hint: `there are: ${known}`,
      },
    );
  });
  return group.allowExcessArguments();
}

function addVerb(
  parent: Command,
  name: string,
  verb: Verb,
  program: Command,
  onCall: (verb: Verb, call: Call) => void,
): void {
  // A group's own verb ("capture" beside "capture run") does not occur; a name is a group or a verb.
  const command = parent.command(name, { hidden: verb.hidden === true }).exitOverride();
  command
    .configureOutput({ writeErr: () => {} })
    .summary(verb.summary)
    .helpOption("-h, --help", "this text");
  command.description(
    verb.description === undefined ? verb.summary : `${verb.summary}\n\n${verb.description}`,
  );
  for (const argument of verb.arguments ?? []) {
    command.argument(/^[[<]/.test(argument.name) ? argument.name : `<${argument.name}>`, argument.summary);
  }
  addOptions(command, verb.options ?? []);
  addOptions(command, commonOptions, true);
  if (verb.passThrough === true) command.passThroughOptions();
  command.addHelpText("before", examplesText(verb.examples));
  command.addHelpText("after", "\nFlags that every verb takes: `tranship help`");
  command.action(() => {
    onCall(verb, {
      args: command.args,
      options: { ...withoutDefaults(program.opts()), ...withoutDefaults(command.opts()) },
    });
  });
}

function examplesText(examples: readonly string[]): string {
  return `Examples:\n${examples.map((line) => `  ${line}`).join("\n")}\n`;
}

/** An absent common flag of the verb must not hide the one given before it; negative flags default to true. */
function withoutDefaults(options: Record<string, unknown>): Call["options"] {
  const kept: Record<string, string | boolean | readonly string[]> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || ((name === "color" || name === "input") && value === true)) continue;
    kept[name] = value as string | boolean | readonly string[];
  }
  return kept;
}

function addOptions(command: Command, options: readonly OptionSpec[], hidden = false): void {
  for (const spec of options) {
    const option = new Option(spec.flags, spec.summary);
    if (spec.choices !== undefined) option.choices(spec.choices);
    if (spec.default !== undefined) option.default(spec.default);
    if (spec.many === true) {
      option.argParser((value: string, before: string[] | undefined) => {
        addToSequence(command, spec, `${option.attributeName()} ${value}`);
        return [...(before ?? []), value];
      });
    }
    if (hidden) option.hideHelp();
    command.addOption(option);
  }
}

function addToSequence(command: Command, { sequence }: OptionSpec, words: string): void {
  if (sequence === undefined) return;
  const before = command.getOptionValue(sequence) as string[] | undefined;
  command.setOptionValue(sequence, [...(before ?? []), words]);
}
