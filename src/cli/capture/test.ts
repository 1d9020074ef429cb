import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { exitStatus, TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import { type ParityReport, type ParityRequest, testParity } from "../../deploy/parity.ts";
import { parityHtml, parityText } from "../../deploy/parity-report.ts";
import { ioError } from "../../host/files.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, list, type OptionValues, text } from "../verb.ts";
import { portNumber } from "./requests.ts";
import { withMachine } from "./with-machine.ts";

/** Exit status 4 where the package differs or is not healthy. */
export async function run(call: Call, context: Context): Promise<number> {
  const { options } = call;
  const base = {
    root: context.root,
    reference: call.args[0] ?? "",
    exercise: text(options, "exercise"),
    ports: list(options, "untilPort").map(portNumber),
    masks: list(options, "mask").map(maskOf),
    secrets: secretsOf(options),
    timeout: parseDuration(text(options, "timeout") ?? "120s"),
    log: context.log,
    signal: context.signal,
  };
  const against = text(options, "against");
  const report =
    against === undefined
      ? await testParity({ ...base, against: undefined })
      : await withMachine(
          { address: against, options, context },
          async (machine) => await testParity({ ...base, against: machine }),
        );
  writeReport(report, options, context);
  const format = text(options, "format");
  context.print(format === undefined || format === "table" ? parityText(report) : printValue(report, format));
  return report.verdict === "same" || report.verdict === "healthy" ? exitStatus.done : exitStatus.no;
}

export function writeReport(report: ParityReport, options: OptionValues, context: Context): void {
  const file = text(options, "report");
  if (file === undefined) return;
  try {
    writeFileSync(file, parityHtml(report));
  } catch (cause) {
    throw ioError(`cannot write the report ${file}`, cause);
  }
  context.say(`the report is in ${resolve(file)}`);
}

function maskOf(word: string): RegExp {
  try {
    return new RegExp(word, "g");
  } catch (cause) {
    throw new TranshipError(
      "E_USAGE",
      `--mask ${word} is no regular expression: ${(cause as Error).message}`,
      { cause },
    );
  }
}

export function secretsOf(options: OptionValues): ParityRequest["secrets"] {
  return Object.fromEntries(
    list(options, "secret").map((word) => {
      const at = word.indexOf("=");
      if (at < 1) throw new TranshipError("E_USAGE", `--secret ${word} is not of the form PATH=FILE`);
      return [word.slice(0, at), resolve(word.slice(at + 1))];
    }),
  );
}
