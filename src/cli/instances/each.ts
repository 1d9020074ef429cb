// Verbs that do one thing to several instances: each is tried; every failure is told, the last one as the verb's own.
import type { TranshipError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import type { Call } from "../verb.ts";

/** Prints each name, as docker does, when its work is done. `done`: whether what went wrong is what was wanted; it is said and is no failure. */
export async function forEach(
  call: Call,
  context: Context,
  work: (name: string) => Promise<void>,
  done: (error: unknown) => error is TranshipError = isNone,
): Promise<void> {
  const failures: unknown[] = [];
  for (const name of call.args) {
    try {
      await work(name);
      context.print(name);
    } catch (error) {
      if (done(error)) context.say(error.message);
      else failures.push(error);
    }
  }
  const last = failures.pop();
  for (const failure of failures) context.tellFailure(failure);
  if (last !== undefined) throw last;
}

function isNone(_error: unknown): _error is TranshipError {
  return false;
}
