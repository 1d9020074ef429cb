// What may stand where the cursor is, by the table of verbs. Pure: what lives in a state root is named by its kind, and looked up by others.
import { commonOptions } from "../common-options.ts";
import type { ArgumentSpec, OptionSpec, Verb } from "../verb.ts";

export interface Candidate {
  readonly word: string;
  readonly summary: string;
}

/** What is not in the table: names of things that exist, and files. */
export type Kind =
  | "instance"
  | "running"
  | "stopped"
  | "image"
  | "network"
  | "volume"
  | "machine"
  | "secret"
  | "code"
  | "file"
  | "directory";

export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly kinds: readonly Kind[];
  /** What stands before the word that is completed, within the same word of the shell: "--root=". */
  readonly before: string;
  /** The rest of that word as far as it is typed. */
  readonly typed: string;
  /** Values of --root before the cursor: the last one counts. */
  readonly roots: readonly string[];
}

/** `words` behind "tranship", up to the cursor; the last one is being typed, and may be empty. */
export function complete(verbs: readonly Verb[], words: readonly string[]): Completion {
  const shown = verbs.filter((verb) => verb.hidden !== true);
  const typed = words.at(-1) ?? "";
  const reading = new Reading(shown);
  for (const word of words.slice(0, -1)) reading.read(word);
  const at = reading.whatFollows(typed);
  const cut = at.before.length;
  const rest = typed.slice(cut);
  return {
    before: at.before,
    typed: rest,
    roots: reading.roots,
    kinds: at.kinds,
    candidates: at.candidates.filter(({ word }) => word.startsWith(rest)),
  };
}

interface Place {
  readonly candidates: readonly Candidate[];
  readonly kinds: readonly Kind[];
  readonly before: string;
}

const nothing: Place = { candidates: [], kinds: [], before: "" };

/** Follows a command line word by word. */
class Reading {
  readonly roots: string[] = [];
  readonly #verbs: readonly Verb[];
  #verb: Verb | undefined;
  /** The first of two words of a verb. */
  #group: string | undefined;
  /** What the next word is the value of. */
  #waiting: OptionSpec | undefined;
  #operands = 0;
  #onlyOperands = false;

  constructor(verbs: readonly Verb[]) {
    this.#verbs = verbs;
  }

  read(word: string): void {
    if (this.#waiting !== undefined) this.#value(this.#waiting, word);
    else if (!this.#onlyOperands && word === "--") this.#onlyOperands = true;
    else if (!this.#onlyOperands && word.length > 1 && word.startsWith("-")) this.#option(word);
    else this.#operand(word);
  }

  #value(option: OptionSpec, word: string): void {
    if (names(option).includes("--root")) this.roots.push(word);
    this.#waiting = undefined;
  }

  #option(word: string): void {
    const [name = "", ...value] = word.split("=");
    const option = this.#options().find((one) => names(one).includes(name));
    if (option === undefined || !takesValue(option)) return;
    if (value.length > 0) this.#value(option, value.join("="));
    else this.#waiting = option;
  }

  #operand(word: string): void {
    if (this.#verb !== undefined) {
      this.#operands++;
      if (this.#verb.passThrough === true) this.#onlyOperands = true;
      return;
    }
    const name = this.#group === undefined ? word : `${this.#group} ${word}`;
    this.#verb = this.#verbs.find((one) => one.name === name);
    if (this.#verb === undefined && this.#group === undefined) this.#group = word;
  }

  whatFollows(typed: string): Place {
    if (this.#waiting !== undefined) return valuesOf(this.#waiting, "");
    if (!this.#onlyOperands && typed.startsWith("-")) {
      const equals = typed.indexOf("=");
      if (equals < 0) return { ...nothing, candidates: this.#options().flatMap(optionWords) };
      const option = this.#options().find((one) => names(one).includes(typed.slice(0, equals)));
      return option === undefined ? nothing : valuesOf(option, typed.slice(0, equals + 1));
    }
    if (this.#verb === undefined) return { ...nothing, candidates: this.#verbWords() };
    return { ...nothing, kinds: this.#operandKinds(this.#verb) };
  }

  #options(): readonly OptionSpec[] {
    return [...(this.#verb?.options ?? []), ...commonOptions];
  }

  #verbWords(): Candidate[] {
    const group = this.#group;
    if (group !== undefined)
      return this.#verbs.flatMap(({ name, summary }) =>
        name.startsWith(`${group} `) ? [{ word: name.slice(group.length + 1), summary }] : [],
      );
    const words = new Map<string, string>();
    for (const { name, summary } of this.#verbs) {
      const [first = "", second] = name.split(" ");
      const before = words.get(first);
      words.set(
        first,
        second === undefined ? summary : before === undefined ? second : `${before}, ${second}`,
      );
    }
    return [...words].map(([word, summary]) => ({ word, summary }));
  }

  #operandKinds(verb: Verb): readonly Kind[] {
    const all = verb.arguments ?? [];
    const spec = all[Math.min(this.#operands, all.length - 1)];
    if (spec === undefined) return [];
    const many = /\.\.\.[\]>]?$/.test(spec.name);
    return this.#operands < all.length || many ? operandKinds(verb, spec) : [];
  }
}

/** Which instances a verb is for, where not for all. */
const states: Readonly<Record<string, Kind>> = {
  start: "stopped", stop: "running", kill: "running", pause: "running", unpause: "running", wait: "running", exec: "running",
  attach: "running", top: "running", stats: "running", port: "running",
}; // biome-ignore format: a table

const operands: Readonly<Record<string, readonly Kind[]>> = {
  REF: ["image"], OTHER: ["image"], INSTANCE: ["instance"], NETWORK: ["network"], VOLUME: ["volume"], MACHINE: ["machine"],
  "MACHINE or REF": ["machine", "image"], CODE: ["code"], FILE: ["file"], FROM: ["running", "file"], TO: ["running", "file"],
  "CMD...": ["file"], "INSTALLER...": ["file"],
}; // biome-ignore format: a table

/** Words that mean another kind with these verbs. */
const ofVerb: Readonly<Record<string, readonly Kind[]>> = {
  "plan diff OTHER": ["file"], "inspect NAME": ["image", "instance"], "secret rm NAME": ["secret"],
  "package rollback NAME": ["instance"], "package remove NAME": ["instance"], "network create NETWORK": [],
}; // biome-ignore format: a table

function operandKinds(verb: Verb, spec: ArgumentSpec): readonly Kind[] {
  const bare = spec.name.replace(/^[[<]|[\]>]$/g, "");
  const word = bare.replace(/\.\.\.$/, "");
  const own = ofVerb[`${verb.name} ${word}`];
  if (own !== undefined) return own;
  const kinds = operands[word] ?? operands[bare] ?? [];
  const state = states[verb.name];
  return state === undefined ? kinds : kinds.map((kind) => (kind === "instance" ? state : kind));
}

const values: Readonly<Record<string, Kind>> = {
  REF: "image", INSTANCE: "instance", NETWORK: "network", VOLUME: "volume", MACHINE: "machine", FILE: "file", SCRIPT: "file",
  DIR: "directory",
}; // biome-ignore format: a table

/** Of values that are not these words alone. */
const knownWords: Readonly<Record<string, readonly string[]>> = {
  FORMAT: ["table", "json"], POLICY: ["no", "on-failure", "always", "unless-stopped"], PROFILE: ["default", "learned", "off"],
}; // biome-ignore format: a table

function valuesOf(option: OptionSpec, before: string): Place {
  const words = option.choices ?? knownWords[valueName(option)] ?? [];
  const kind = values[valueName(option)];
  return {
    before,
    candidates: words.map((word) => ({ word, summary: "" })),
    kinds: kind === undefined ? [] : [kind],
  };
}

function names({ flags }: OptionSpec): string[] {
  return flags.split(/[ ,]+/).filter((word) => word.startsWith("-"));
}

function takesValue({ flags }: OptionSpec): boolean {
  return flags.includes("<");
}

function valueName({ flags }: OptionSpec): string {
  return /[<[]([^>\]]+)[>\]]/.exec(flags)?.[1] ?? "";
}

function optionWords(option: OptionSpec): Candidate[] {
  return names(option).map((word) => ({ word, summary: option.summary }));
}
