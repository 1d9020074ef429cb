// --detach-keys: the keys that leave an instance alone, as docker writes them.
import { TranshipError } from "../../base/errors.ts";

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/** Bytes of "ctrl-p,ctrl-q" or "a,ctrl-x". Empty: there are none. */
export function parseDetachKeys(text: string): number[] {
  if (text === "") return [];
  return text.split(",").map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) - 64;
    if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new TranshipError("E_USAGE", `--detach-keys: not a key: ${JSON.stringify(key)}`, {
      hint: "write letters or ctrl-LETTER, joined by commas: ctrl-p,ctrl-q",
    });
  });
}

/** Looks for the sequence in what is typed; keys that may begin it are held back until it is clear that they do not. */
export class DetachKeys {
  readonly #keys: readonly number[];
  #held = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What goes on to the program; after a complete sequence nothing is looked at any more. */
  feed(bytes: Uint8Array): { passed: Uint8Array; complete: boolean } {
    const out: number[] = [];
    for (const byte of bytes) {
      if (this.#keys.length > 0 && byte === this.#keys[this.#held]) {
        if (++this.#held === this.#keys.length) return { passed: Uint8Array.from(out), complete: true };
        continue;
      }
      out.push(...this.#keys.slice(0, this.#held));
      // The key that broke the sequence may begin it anew.
      this.#held = byte === this.#keys[0] ? 1 : 0;
      if (this.#held === 0) out.push(byte);
    }
    return { passed: Uint8Array.from(out), complete: false };
  }
}
