import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { assess } from "../../assess/assess.ts";
import type { Assessment } from "../../assess/assessment.ts";
import { renderAssessment, renderReport } from "../../assess/report.ts";
import { readTarget } from "../../assess/target.ts";
import { exitStatus } from "../../base/errors.ts";
import { discover } from "../../discover/discover.ts";
import { ioError } from "../../host/files.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { remoteDryRun } from "./remote-dry-run.ts";
import { withMachine } from "./with-machine.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const address = addressOf(call.args[0] ?? "local:", context);
  if (remoteDryRun(address, "assess", call.options, context)) return exitStatus.done;
  const assessment = await withMachine(
    { address, options: call.options, context, endsAtOnce: true },
    async (machine) => await assess(await discover(machine), machine, readTarget(context.root.path)),
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

/** A package may be named as elsewhere; machines have a colon behind a kind that is known, packages may have one before their tag. */
function addressOf(word: string, context: Context): string {
  if (/^(local|rootfs|ssh|disk|oci):/.test(word)) return word;
  try {
    openStore(context.root).image(word);
    return `oci:${word}`;
  } catch {
    return word; // what is wrong with it as a machine is told
  }
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
