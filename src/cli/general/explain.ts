import { type ErrorCode, errorCodes, exitStatus, TranshipError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { printRows, printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { advice } from "./advice.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const asked = call.args[0]?.toUpperCase();
  const format = text(call.options, "format");
  const value = (code: ErrorCode) => ({ code, meaning: errorCodes[code], advice: advice[code] });
  if (asked === undefined) {
    if (format !== undefined && format !== "table") {
      context.print(printRows((Object.keys(errorCodes) as ErrorCode[]).map(value), format));
      return exitStatus.done;
    }
    for (const [code, sentence] of Object.entries(errorCodes)) context.print(`${code.padEnd(26)}${sentence}`);
    return exitStatus.done;
  }
  const code = asked.startsWith("E_") ? asked : `E_${asked}`;
  if (!Object.hasOwn(errorCodes, code)) {
    throw new TranshipError("E_USAGE", `there is no error code ${JSON.stringify(call.args[0])}`, {
      hint: "`tranship explain` lists all codes",
    });
  }
  const known = code as keyof typeof errorCodes;
  if (format !== undefined && format !== "table") context.print(printValue(value(known), format));
  else context.print(`${known}\n\n${errorCodes[known]}\n\n${advice[known]}`);
  return exitStatus.done;
}
