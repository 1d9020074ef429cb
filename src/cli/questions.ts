// Questions to a person at a terminal; without one, or with --no-input, there is no answer.
import { createInterface } from "node:readline/promises";
import { TranshipError } from "../base/errors.ts";
import type { Context } from "./context.ts";

/** --yes answers too. Where nobody can be asked the answer is no. */
export async function ask(what: string, context: Context): Promise<boolean> {
  if (context.yes) return true;
  if (context.noInput) return false;
  // Not as a terminal: Ctrl-C has to reach the process as a signal.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const answer = await Promise.race([
      lines.question(`${what}? [Y/n] `, { signal: context.signal }),
      new Promise<string>((resolve) => lines.once("close", () => resolve("no"))),
    ]);
    return /^(y|yes)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

/** Before something is removed: the answer is no unless a person says yes. E_USAGE where nobody can be asked. */
export async function agreedTo(what: string, context: Context): Promise<boolean> {
  if (context.yes) return true;
  if (context.noInput) {
    throw new TranshipError("E_USAGE", `nothing was removed: nobody can be asked. ${what}`, {
      hint: "give --force",
    });
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const answer = await Promise.race([
      lines.question(`WARNING! ${what}\nAre you sure you want to continue? [y/N] `, {
        signal: context.signal,
      }),
      new Promise<string>((resolve) => lines.once("close", () => resolve("no"))),
    ]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
