// The cluster query language: what memberOf constraints and ListContainerInstances filters are written in. Source of the grammar: the ECS developer guide,
// "Cluster query language".
import { invalidParameter } from "../api/ecs-error.ts";
import { compilePattern, PatternError } from "./pattern.ts";

/** What an expression may ask of a container instance. */
export interface Subject {
  /** undefined: it has no such attribute. null: it has it, without a value. */
  attribute(name: string): string | null | undefined;
  /** agentConnected, agentVersion, ec2InstanceId, registeredAt (ISO 8601), runningTasksCount; undefined: unknown field. */
  field(name: string): string | undefined;
  hasTaskOfGroup(group: string): boolean;
}

export type Test = (subject: Subject) => boolean;

const words = new Map<string, string>([
  ["and", "&&"],
  ["or", "||"],
  ["not", "!"],
  ["equals", "=="],
  ["not_equals", "!="],
  ["greater_than", ">"],
  ["greater_than_equal", ">="],
  ["less_than", "<"],
  ["less_than_equal", "<="],
  ["not_exists", "!exists"],
  ["not_in", "!in"],
  ["matches", "=~"],
  ["not_matches", "!~"],
]);
const fields = ["agentConnected", "agentVersion", "ec2InstanceId", "registeredAt", "runningTasksCount"];
const symbols =
  /\s*(&&|\|\||==|!=|>=|<=|=~|!~|!exists\b|!in\b|[!()<>[\],]|'[^']*'|"[^"]*"|[A-Za-z0-9_.:/*\\^$+?@{}|-]+)/y;

/** Throws InvalidParameterException with the place where the text stops making sense. */
export function parseExpression(text: string): Test {
  if (text.length > 2000) throw invalidParameter("Invalid expression: longer than 2000 characters");
  const parser = new Parser(text);
  const test = parser.either();
  parser.end();
  return test;
}

class Parser {
  readonly #text: string;
  readonly #tokens: string[] = [];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    symbols.lastIndex = 0;
    while (symbols.lastIndex < text.trimEnd().length) {
      const place = symbols.lastIndex;
      const found = symbols.exec(text)?.[1];
      if (found === undefined) throw this.#wrong(`unexpected "${text.slice(place).trim().slice(0, 20)}"`);
      this.#tokens.push(words.get(found) ?? found);
    }
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#wrong(`unexpected "${this.#tokens[this.#at]}"`);
  }

  either(): Test {
    if (++this.#depth > 50) throw this.#wrong("nested too deeply");
    const tests = [this.#both()];
    while (this.#take("||")) tests.push(this.#both());
    this.#depth--;
    return (subject) => tests.some((test) => test(subject));
  }

  #both(): Test {
    const tests = [this.#one()];
    while (this.#take("&&")) tests.push(this.#one());
    return (subject) => tests.every((test) => test(subject));
  }

  #one(): Test {
    if (this.#take("!")) {
      const inner = this.#one();
      return (subject) => !inner(subject);
    }
    if (!this.#take("(")) return this.#comparison();
    const inner = this.either();
    if (!this.#take(")")) throw this.#wrong('missing ")"');
    return inner;
  }

  #comparison(): Test {
    const name = this.#word("a subject");
    const operator = this.#next("an operator");
    if (name === "task:group") return this.#group(operator);
    const read = reader(name);
    if (read === undefined) throw this.#wrong(`unknown subject "${name}"`);
    if (operator === "exists") return (subject) => read(subject) !== undefined;
    if (operator === "!exists") return (subject) => read(subject) === undefined;
    if (operator === "in" || operator === "!in") {
      const list = new Set(this.#list());
      // An absent attribute is in no list.
      return (subject) => list.has(read(subject) ?? "\0") === (operator === "in");
    }
    const value = this.#word("a value");
    const compare = this.#operator(operator, value);
    const negative = operator.startsWith("!");
    return (subject) => {
      const seen = read(subject);
      return seen === undefined || seen === null ? negative : compare(seen);
    };
  }

  #group(operator: string): Test {
    const value = this.#word("a group");
    if (operator === "==") return (subject) => subject.hasTaskOfGroup(value);
    if (operator === "!=") return (subject) => !subject.hasTaskOfGroup(value);
    throw this.#wrong(`task:group takes == and !=, not "${operator}"`);
  }

  #operator(operator: string, value: string): (seen: string) => boolean {
    const number = Number(value);
    const order = (seen: string): number =>
      value !== "" && !Number.isNaN(number) && !Number.isNaN(Number(seen))
        ? Number(seen) - number
        : seen < value
          ? -1
          : seen > value
            ? 1
            : 0;
    switch (operator) {
      case "==":
        return (seen) => seen === value;
      case "!=":
        return (seen) => seen !== value;
      case ">":
        return (seen) => order(seen) > 0;
      case ">=":
        return (seen) => order(seen) >= 0;
      case "<":
        return (seen) => order(seen) < 0;
      case "<=":
        return (seen) => order(seen) <= 0;
      case "=~":
      case "!~": {
        const matches = this.#pattern(value);
        return (seen) => matches(seen) === (operator === "=~");
      }
      default:
        throw this.#wrong(`unknown operator "${operator}"`);
    }
  }

  #pattern(value: string): (text: string) => boolean {
    try {
      return compilePattern(value);
    } catch (error) {
      if (error instanceof PatternError) throw this.#wrong(`pattern "${value}": ${error.message}`);
      throw error;
    }
  }

  #list(): string[] {
    const close = this.#take("[") ? "]" : this.#take("(") ? ")" : undefined;
    if (close === undefined) throw this.#wrong("a list is written [a, b]");
    const values: string[] = [];
    do values.push(this.#word("a value"));
    while (this.#take(","));
    if (!this.#take(close)) throw this.#wrong(`missing "${close}"`);
    return values;
  }

  #word(wanted: string): string {
    const token = this.#next(wanted);
    if (/^['"]/.test(token)) return token.slice(1, -1);
    if (/^[&|=!<>()[\],]/.test(token)) throw this.#wrong(`${wanted} is missing before "${token}"`);
    return token;
  }

  #next(wanted: string): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw this.#wrong(`${wanted} is missing at the end`);
    return token;
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #wrong(why: string): Error {
    return invalidParameter(`Invalid expression "${this.#text.slice(0, 200)}": ${why}`);
  }
}

function reader(name: string): ((subject: Subject) => string | null | undefined) | undefined {
  if (name.startsWith("attribute:")) {
    const attribute = name.slice("attribute:".length);
    return attribute === "" ? undefined : (subject) => subject.attribute(attribute);
  }
  return fields.includes(name) ? (subject) => subject.field(name) : undefined;
}
