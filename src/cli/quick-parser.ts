// Reads the command lines that are plainly right, by the same table as parser.ts, and gives up (undefined) at the least
// doubt: help, mistakes and every message are parser.ts's, whose library costs more to load than most verbs to run.
import { commonOptions } from "./common-options.ts";
import type { Call, OptionSpec, OptionValues, Verb } from "./verb.ts";

interface QuickOption {
  readonly key: string;
  readonly spec: OptionSpec;
  readonly takesValue: boolean;
  /** What it is where it is given without a value; --no-x: false. */
  readonly given: boolean;
}

type Values = Record<string, string | boolean | readonly string[]>;

export function quickParse(
  verbs: readonly Verb[],
  argv: readonly string[],
): { verb: Verb; call: Call } | undefined {
  const common = new Reading(commonOptions);
  const start = common.read(argv, 0, "stop");
  if (start === undefined) return undefined;
  const [first, second] = [argv[start], argv[start + 1]];
  const single = verbs.find((one) => one.name === first);
  const verb = single ?? verbs.find((one) => one.name === `${first} ${second}`);
  if (verb === undefined) return undefined;
  const own = new Reading([...(verb.options ?? []), ...commonOptions]);
  const from = start + (single === undefined ? 2 : 1);
  if (own.read(argv, from, verb.passThrough === true ? "rest" : "among") === undefined) return undefined;
  if (!fitsArguments(verb, own.operands)) return undefined;
  const options: OptionValues = { ...defaults(verb), ...common.values, ...own.values };
  return { verb, call: { args: own.operands, options } };
}

/** How operands are met: the first one ends the reading, starts a rest that is taken as it is, or stands among options. */
type Operands = "stop" | "rest" | "among";

class Reading {
  readonly values: Values = {};
  readonly operands: string[] = [];
  readonly #options: Map<string, QuickOption>;

  constructor(specs: readonly OptionSpec[]) {
    this.#options = optionsByFlag(specs);
  }

  /** The index behind what was read; undefined where this is not plainly right. */
  read(argv: readonly string[], from: number, operands: Operands): number | undefined {
    for (let at = from; at < argv.length; at++) {
      const word = argv[at] ?? "";
      if (word === "--") {
        if (operands === "stop") return undefined;
        this.operands.push(...argv.slice(at + 1));
        return argv.length;
      }
      if (word.length < 2 || word[0] !== "-") {
        if (operands === "stop") return at;
        this.operands.push(...(operands === "rest" ? argv.slice(at) : [word]));
        if (operands === "rest") return argv.length;
        continue;
      }
      const used = this.#option(word, argv[at + 1]);
      if (used === undefined) return undefined;
      at += used;
    }
    return argv.length;
  }

  /** How many further words it used; undefined: not plainly right. */
  #option(word: string, next: string | undefined): number | undefined {
    const exact = this.#options.get(word);
    if (exact !== undefined) {
      if (!exact.takesValue) return this.#give(exact, undefined);
      return next === undefined || this.#give(exact, next) === undefined ? undefined : 1;
    }
    const long = /^(--[^=]+)=(.*)$/s.exec(word);
    if (long !== null) {
      const option = this.#options.get(long[1] ?? "");
      return option?.takesValue === true ? this.#give(option, long[2] ?? "") : undefined;
    }
    return word[1] === "-" ? undefined : this.#group(word, next);
  }

  /** -it, -p8080:80, -itw/srv. */
  #group(word: string, next: string | undefined): number | undefined {
    for (let at = 1; at < word.length; at++) {
      const option = this.#options.get(`-${word[at]}`);
      if (option === undefined) return undefined;
      if (option.takesValue) {
        const value = word.slice(at + 1);
        if (value !== "") return this.#give(option, value);
        return next === undefined || this.#give(option, next) === undefined ? undefined : 1;
      }
      this.#give(option, undefined);
    }
    return 0;
  }

  #give({ key, spec, given }: QuickOption, value: string | undefined): 0 | undefined {
    if (value === undefined) this.values[key] = given;
    else if (spec.choices !== undefined && !spec.choices.includes(value)) return undefined;
    else if (spec.many === true) {
      this.#append(key, value);
      if (spec.sequence !== undefined) this.#append(spec.sequence, `${key} ${value}`);
    } else this.values[key] = value;
    return 0;
  }

  #append(key: string, value: string): void {
    const before = this.values[key];
    this.values[key] = [...(Array.isArray(before) ? (before as readonly string[]) : []), value];
  }
}

function optionsByFlag(specs: readonly OptionSpec[]): Map<string, QuickOption> {
  const found = new Map<string, QuickOption>();
  for (const spec of specs) {
    const words = spec.flags.split(/[ ,]+/);
    const long = words.find((word) => word.startsWith("--")) ?? "";
    const takesValue = words.some((word) => word.startsWith("<"));
    const option = { key: keyOf(long), spec, takesValue, given: !long.startsWith("--no-") };
    for (const word of words) if (word.startsWith("-") && !found.has(word)) found.set(word, option);
  }
  return found;
}

/** --no-trunc is { trunc: false }, --read-only { readOnly: true }. */
function keyOf(long: string): string {
  return long.replace(/^--(no-)?/, "").replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

function defaults(verb: Verb): Values {
  const values: Values = {};
  for (const spec of verb.options ?? []) {
    const long = /--[\w-]+/.exec(spec.flags)?.[0] ?? "";
    if (spec.default !== undefined) values[keyOf(long)] = spec.default;
    else if (long.startsWith("--no-")) values[keyOf(long)] = true;
  }
  return values;
}

function fitsArguments(verb: Verb, given: readonly string[]): boolean {
  const names = (verb.arguments ?? []).map((one) => one.name);
  const least = names.filter((name) => !name.startsWith("[")).length;
  return given.length >= least && (given.length <= names.length || names.at(-1)?.includes("...") === true);
}
