// What a shell script gives to its variables, as far as it can be told without running it: NAME=value words in the order of the text, with
// variables that the script gave before, its own name and the usual ways to find its own directory put in.
import type { ByteString } from "./entry.ts";

export interface ShellAssignment {
  name: string;
  /** What is not known in it is a zero byte. */
  value: ByteString;
}

const maxLength = 32 << 10;
const maxDepth = 8;
const maxAssignments = 10_000;
const unknown = "\0";

/** `script`: its own path, for $0; `known`: variables that it is started with. Branches are taken as if all of them ran. */
export function readShellAssignments(
  text: ByteString,
  script: ByteString,
  known: Readonly<Record<string, ByteString>> = {},
): ShellAssignment[] {
  const reader = new Reader(text, script, new Map(Object.entries(known)));
  return reader.all();
}

class Reader {
  readonly #text: string;
  readonly #script: ByteString;
  readonly #variables: Map<string, ByteString>;
  readonly #found: ShellAssignment[] = [];
  #at = 0;
  #depth = 0;

  constructor(text: string, script: ByteString, variables: Map<string, ByteString>) {
    this.#text = text;
    this.#script = script;
    this.#variables = variables;
  }

  all(): ShellAssignment[] {
    const name = /([A-Za-z_]\w*)(\+?)=|setenv[ \t]+([A-Za-z_]\w*)[ \t]+/y;
    while (this.#at < this.#text.length && this.#found.length < maxAssignments) {
      const char = this.#text.charAt(this.#at);
      if (char === "#") {
        this.#skip("\n");
        continue;
      }
      if (/[\s;&|(){}]/.test(char)) {
        this.#at++;
        continue;
      }
      name.lastIndex = this.#at;
      const match = name.exec(this.#text);
      if (match === null) {
        const start = this.#at;
        this.#word(/[\s;&|(){}]/);
        if (this.#at === start) this.#at++;
        continue;
      }
      this.#at += match[0].length;
      this.#assign(match[1] ?? match[3] ?? "", match[2] === "+");
    }
    return this.#found;
  }

  #assign(name: string, more: boolean): void {
    const word = this.#word(/[\s;&|()]/);
    const value = (more ? (this.#variables.get(name) ?? "") : "") + word;
    const bounded = value.length > maxLength ? unknown : value;
    this.#variables.set(name, bounded);
    this.#found.push({ name, value: bounded });
  }

  /** Behind the next one, or at the end. */
  #skip(char: string): void {
    const end = this.#text.indexOf(char, this.#at);
    this.#at = end < 0 ? this.#text.length : end + 1;
  }

  /** One word with its quotes taken away, up to what `ends` it. */
  #word(ends: RegExp): ByteString {
    let out = "";
    while (this.#at < this.#text.length && out.length <= maxLength) {
      const char = this.#text.charAt(this.#at);
      if (ends.test(char)) break;
      this.#at++;
      if (char === "'") {
        const from = this.#at;
        this.#skip("'");
        out += this.#text.slice(from, this.#at - 1);
      } else if (char === '"') {
        out += this.#quoted();
      } else if (char === "\\") {
        const next = this.#text.charAt(this.#at++);
        if (next !== "\n") out += next;
      } else out += this.#plain(char);
    }
    return out;
  }

  #quoted(): ByteString {
    let out = "";
    while (this.#at < this.#text.length && out.length <= maxLength) {
      const char = this.#text.charAt(this.#at++);
      if (char === '"') break;
      if (char === "\\" && /["\\$`\n]/.test(this.#text.charAt(this.#at))) {
        const next = this.#text.charAt(this.#at++);
        if (next !== "\n") out += next;
      } else out += this.#plain(char);
    }
    return out;
  }

  /** A character that is no quote: begins a substitution, or stands for itself. */
  #plain(char: string): ByteString {
    if (char === "`") {
      const from = this.#at;
      this.#skip("`");
      return this.#command(this.#text.slice(from, this.#at - 1));
    }
    if (char !== "$") return char;
    const next = this.#text.charAt(this.#at);
    if (next === "(") return this.#command(this.#enclosed("(", ")"));
    if (next === "{") return this.#parameter(this.#enclosed("{", "}"));
    const name = /^(?:[A-Za-z_]\w*|[\d@*#?$!-])/.exec(this.#text.slice(this.#at, this.#at + 256))?.[0];
    if (name === undefined) return char;
    this.#at += name.length;
    return this.#value(name);
  }

  /** The text between a pair of brackets that begins here; counts pairs inside of it. */
  #enclosed(open: string, close: string): string {
    const from = this.#at + 1;
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text.charAt(this.#at);
      if (char === "\\") this.#at++;
      else if (char === open) depth++;
      else if (char === close && --depth === 0) return this.#text.slice(from, this.#at++);
    }
    return unknown;
  }

  #value(name: string): ByteString {
    if (name === "0" || name === "BASH_SOURCE") return this.#script;
    return this.#variables.get(name) ?? unknown;
  }

  #parameter(text: string): ByteString {
    const match = /^([A-Za-z_]\w*|\d)(?:\[0\])?(?:(:?[-=+?])([\s\S]*)|(%%?|##?)([\s\S]*))?$/.exec(text);
    const [, name = "", how, word = "", cut, pattern] = match ?? [];
    if (match === null) return unknown;
    const value = name === "0" || name === "BASH_SOURCE" ? this.#script : this.#variables.get(name);
    if (cut !== undefined)
      return cut.startsWith("%") && pattern === "/*" && value !== undefined ? directoryOf(value) : unknown;
    if (how === undefined) return value ?? unknown;
    const given = value !== undefined && value !== "";
    if (how.endsWith("+")) return given ? this.#inner(word) : "";
    return given ? value : how.endsWith("?") ? unknown : this.#inner(word);
  }

  /** What a command prints, of those that scripts find themselves with. */
  #command(text: string): ByteString {
    const command = text.trim().replace(/\s*(2>|>|<)\s*(&\d|\/dev\/null)/g, "");
    const change = /^(?:CDPATH=\S*\s+)?(?:builtin\s+)?cd\s+(?:(?:-P|-L|--)\s+)?([\s\S]+?)\s*(?:&&|;)\s*(?:builtin\s+)?(?:\/bin\/)?pwd(?:\s+-[PL])?$/.exec(command); // biome-ignore format: one pattern
    const own =
      change?.[1] ?? /^(?:readlink\s+-[fem]+|realpath|echo)\s+(?:--\s+)?([\s\S]+)$/.exec(command)?.[1];
    if (own !== undefined) return this.#inner(own);
    const above = /^dirname\s+(?:--\s+)?([\s\S]+)$/.exec(command)?.[1];
    return above === undefined ? unknown : directoryOf(this.#inner(above));
  }

  /** Expands text by the variables known here. */
  #inner(text: string): ByteString {
    if (this.#depth >= maxDepth) return unknown;
    const inner = new Reader(text, this.#script, this.#variables);
    inner.#depth = this.#depth + 1;
    // Words that follow would be another command: then what this one prints is not known.
    const word = inner.#word(/[\s;&|()]/);
    return inner.#at < text.trimEnd().length ? unknown : word;
  }
}

function directoryOf(path: ByteString): ByteString {
  const cut = path.replace(/(.)\/+$/, "$1").lastIndexOf("/");
  return cut < 0 ? unknown : path.slice(0, Math.max(1, cut));
}
