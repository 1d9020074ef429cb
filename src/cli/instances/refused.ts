import { findInstance } from "../../runtime/find.ts";
import { refusedCalls } from "../../runtime/refused.ts";
import type { Context } from "../context.ts";
import { printTable, printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const calls = refusedCalls(findInstance(context.root, call.args[0] ?? ""));
  const format = text(call.options, "format") ?? "table";
  if (format !== "table") {
    context.print(printValue(calls, format));
    return;
  }
  const rows = calls.map((one) => [
    one.time,
    String(one.pid),
    one.exe,
    `${one.syscall}(${one.arguments.join(", ")})`,
    String(one.count),
  ]);
  context.print(printTable(["TIME", "PID", "PROGRAM", "CALL", "COUNT"], rows));
}
