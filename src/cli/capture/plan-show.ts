import { readFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { parsePlan } from "../../capture/plan.ts";
import { describePlan } from "../../capture/plan-summary.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const file = call.args[0] ?? "";
  let words: string;
  try {
    words = readFileSync(file, "utf8");
  } catch (cause) {
    throw new TranshipError("E_IO", `cannot read the plan ${file}: ${(cause as Error).message}`, { cause });
  }
  const plan = parsePlan(words, file);
  const format = text(call.options, "format");
  if (format === undefined || format === "table") {
    context.print(describePlan(plan).join("\n"));
    return;
  }
  const groups = plan.groups.map((group) => ({ ...group, files: group.files.map(escapeBytes) }));
  context.print(printValue({ ...plan, groups }, format));
}
