// The header WWW-Authenticate (RFC 9110, 11.6.1): which ways to log in a server offers, each with its parameters.
export interface Challenge {
  /** In lower case: "bearer", "basic". */
  scheme: string;
  /** Names in lower case. */
  parameters: Readonly<Record<string, string>>;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+/;

/** What cannot be read ends the list; what was read before counts. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  const text = new Cursor(header.slice(0, 8192));
  for (;;) {
    text.skip(/^[\s,]+/);
    const scheme = text.take(token);
    if (scheme === undefined) return challenges;
    text.skip(/^ +/);
    challenges.push({ scheme: scheme.toLowerCase(), parameters: readParameters(text) });
  }
}

function readParameters(text: Cursor): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (;;) {
    text.skip(/^[\s,]+/);
    const name = text.take(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?=\s*=)/);
    if (name === undefined) return parameters;
    text.skip(/^\s*=\s*/);
    const quoted = text.take(/^"(?:[^"\\]|\\.)*"/);
    const value = quoted?.slice(1, -1).replace(/\\(.)/g, "$1") ?? text.take(/^[^\s,]+/);
    if (value === undefined) return parameters;
    parameters[name.toLowerCase()] ??= value;
  }
}

class Cursor {
  #rest: string;

  constructor(text: string) {
    this.#rest = text;
  }

  take(pattern: RegExp): string | undefined {
    const found = pattern.exec(this.#rest)?.[0];
    if (found !== undefined) this.#rest = this.#rest.slice(found.length);
    return found;
  }

  skip(pattern: RegExp): void {
    this.take(pattern);
  }
}
