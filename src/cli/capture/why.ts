import { posix } from "node:path";
import { exitStatus, TranshipError } from "../../base/errors.ts";
import { whyOf } from "../../capture/evidence-document.ts";
import { evidenceOf } from "../../capture/read-evidence.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const [reference = "", asked = ""] = call.args;
  if (!asked.startsWith("/"))
    throw new TranshipError("E_USAGE", `${JSON.stringify(asked)} is not an absolute path`);
  const path = posix.normalize(asked).replace(/(.)\/$/, "$1");
  const answer = whyOf(evidenceOf(context.root, reference), path);
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table") context.print(printValue({ path, ...answer }, format));
  else if (answer.packed)
    context.print([`${path} is in ${reference}:`, ...answer.because.map((one) => `  ${one}`)].join("\n"));
  else
    context.print(
      [
        `${path} is not in ${reference}:`,
        ...(answer.because.length > 0 ? answer.because : ["nothing asked for it"]).map((one) => `  ${one}`),
      ].join("\n"),
    );
  return answer.packed ? exitStatus.done : exitStatus.no;
}
