// How an error is told: `error[CODE]: what` and `  hint: what to do` on stderr, or one JSON line. The stack only at debug level.
import { TranshipError } from "../base/errors.ts";
import { tell } from "./streams.ts";
import { plainText, type TerminalOptions } from "./terminal.ts";

export function asTranshipError(error: unknown): TranshipError {
  if (error instanceof TranshipError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TranshipError("E_INTERNAL", message, {
    hint: "this is a defect of Tranship; `tranship support-bundle` collects what a report needs",
    cause: error,
  });
}

export function tellFailure(failure: TranshipError, options: TerminalOptions): void {
  if (options.format === "json") {
    const { code, message, hint, details } = failure;
    tell(
      `${JSON.stringify({ time: new Date().toISOString(), level: "error", code, message, hint, details })}\n`,
    );
    return;
  }
  const [on, off] = options.color ? ["\x1b[31m", "\x1b[0m"] : ["", ""];
  tell(`${on}error[${failure.code}]${off}: ${plainText(failure.message)}\n`);
  if (failure.hint !== undefined) tell(`  hint: ${plainText(failure.hint)}\n`);
  if (options.level !== "debug") return;
  for (let cause: unknown = failure; cause instanceof Error; cause = cause.cause)
    tell(`${cause.stack ?? ""}\n`);
}
