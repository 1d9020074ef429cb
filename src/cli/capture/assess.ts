import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { assess } from "../../assess/assess.ts";
import type { Assessment } from "../../assess/assessment.ts";
import { renderAssessment, renderReport } from "../../assess/report.ts";
import { readTarget } from "../../assess/target.ts";
import { exitStatus } from "../../base/errors.ts";
import { discover } from "../../discover/discover.ts";
import { ioError } from "../../host/files.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { withMachine } from "./finish.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const assessment = await withMachine(
    call.args[0] ?? "local:",
    async (machine) => await assess(await discover(machine), machine, readTarget(context.root.path)),
    context.signal,
  );
  writeReport(assessment, text(call.options, "report"), context);
  const format = text(call.options, "format");
  context.print(
    format === undefined || format === "table"
      ? renderAssessment(assessment)
      : printValue(assessment, format),
  );
  return assessment.verdict === "Blocked" ? exitStatus.blocked : exitStatus.done;
}

function writeReport(assessment: Assessment, file: string | undefined, context: Context): void {
  if (file === undefined) return;
  try {
    writeFileSync(file, renderReport(assessment));
  } catch (cause) {
    throw ioError(`cannot write the report ${file}`, cause);
  }
  context.say(`the report is in ${resolve(file)}`);
}
