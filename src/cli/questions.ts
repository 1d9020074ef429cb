// Questions to a person at a terminal; without one, or with --no-input, there is no answer.
import { createInterface } from "node:readline/promises";
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
