// Regular expressions of placement constraints, matched in time linear in the text whatever the pattern says: a set of states is moved along the text
// (Thompson's construction). Known: literals, . * + ? | ( ) [ ] ^ $ \d \w \s and escapes. The whole value must match, as the query language has it.

type Step = { test: (char: string) => boolean; next: number } | { fork: number[] } | { accept: true };

export class PatternError extends Error {}

/** Throws PatternError where the pattern is not one. */
export function compilePattern(pattern: string): (text: string) => boolean {
  if (pattern.length > 256) throw new PatternError("the pattern is longer than 256 characters");
  const parser = new Parser(pattern.replace(/^\^/, "").replace(/(^|[^\\])\$$/, "$1"));
  const start = parser.alternatives(parser.add({ accept: true }));
  parser.end();
  return (text) => runs(parser.steps, start, text);
}

function runs(steps: readonly Step[], start: number, text: string): boolean {
  let now = new Set<number>();
  reach(steps, start, now);
  for (const char of text) {
    const then = new Set<number>();
    for (const at of now) {
      const step = steps[at];
      if (step !== undefined && "test" in step && step.test(char)) reach(steps, step.next, then);
    }
    if (then.size === 0) return false;
    now = then;
  }
  return [...now].some((at) => "accept" in (steps[at] ?? {}));
}

/** Adds a state and all that it leads to without a character. */
function reach(steps: readonly Step[], at: number, into: Set<number>): void {
  const waiting = [at];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (into.has(next)) continue;
    into.add(next);
    const step = steps[next];
    if (step !== undefined && "fork" in step) waiting.push(...step.fork);
  }
}

/** Builds from the end: each part is told what follows it. A part that repeats is parsed again, so the text is kept, not copied states. */
class Parser {
  readonly steps: Step[] = [];
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  add(step: Step): number {
    if (this.steps.length > 2000) throw new PatternError("the pattern is too large");
    return this.steps.push(step) - 1;
  }

  end(): void {
    if (this.#at < this.#text.length) throw new PatternError(`unexpected "${this.#text[this.#at]}"`);
  }

  alternatives(next: number): number {
    if (++this.#depth > 20) throw new PatternError("the pattern is nested too deeply");
    const ways = [this.#sequence(next)];
    while (this.#text[this.#at] === "|") {
      this.#at++;
      ways.push(this.#sequence(next));
    }
    this.#depth--;
    return ways.length === 1 ? (ways[0] ?? next) : this.add({ fork: ways });
  }

  /** Parts are found from left to right and joined by forks that are filled in when the part behind is known. */
  #sequence(next: number): number {
    const first = this.add({ fork: [] });
    let open = first;
    while (this.#at < this.#text.length && !"|)".includes(this.#text[this.#at] ?? "")) {
      const behind = this.add({ fork: [] });
      this.#lead(open, this.#repeated(behind));
      open = behind;
    }
    this.#lead(open, next);
    return first;
  }

  #lead(from: number, to: number): void {
    const step = this.steps[from];
    if (step !== undefined && "fork" in step) step.fork.push(to);
  }

  #repeated(next: number): number {
    // A loop needs a place to come back to before the part is known.
    const again = this.add({ fork: [] });
    const part = this.#part(again);
    const sign = this.#text[this.#at] ?? "";
    if (!"*+?".includes(sign) || sign === "") {
      this.#lead(again, next);
      return part;
    }
    this.#at++;
    this.#lead(again, next);
    if (sign !== "?") this.#lead(again, part);
    return sign === "+" ? part : this.add({ fork: [part, next] });
  }

  #part(next: number): number {
    const char = this.#text[this.#at++] ?? "";
    if (char === "(") {
      if (this.#text.startsWith("?:", this.#at)) this.#at += 2;
      const inner = this.alternatives(next);
      if (this.#text[this.#at++] !== ")") throw new PatternError('missing ")"');
      return inner;
    }
    if (char === "[") return this.add({ test: this.#bracket(), next });
    if (char === ".") return this.add({ test: () => true, next });
    if (char === "\\") return this.add({ test: escaped(this.#text[this.#at++]), next });
    if ("*+?{}^$".includes(char)) throw new PatternError(`unexpected "${char}"`);
    return this.add({ test: (seen) => seen === char, next });
  }

  #bracket(): (char: string) => boolean {
    const close = this.#text.indexOf("]", this.#at + 1);
    if (close < 0) throw new PatternError('missing "]"');
    let body = this.#text.slice(this.#at, close);
    this.#at = close + 1;
    const negated = body.startsWith("^");
    if (negated) body = body.slice(1);
    const tests: ((char: string) => boolean)[] = [];
    for (const [part, letter, from, to] of body.matchAll(/\\(.)|(.)-(.)|./gu)) {
      if (letter !== undefined) tests.push(escaped(letter));
      else if (from !== undefined && to !== undefined) tests.push((char) => char >= from && char <= to);
      else tests.push((char) => char === part);
    }
    return (char) => tests.some((test) => test(char)) !== negated;
  }
}

function escaped(letter: string | undefined): (char: string) => boolean {
  if (letter === undefined) throw new PatternError("the pattern ends with a backslash");
  const classes: Record<string, RegExp> = {
    d: /^\d$/,
    w: /^\w$/,
    s: /^\s$/,
    D: /^\D$/,
    W: /^\W$/,
    S: /^\S$/,
  };
  const known = Object.hasOwn(classes, letter) ? classes[letter] : undefined;
  if (known !== undefined) return (char) => known.test(char);
  if (/[A-Za-z0-9]/.test(letter)) throw new PatternError(`unknown escape "\\${letter}"`);
  return (char) => char === letter;
}
