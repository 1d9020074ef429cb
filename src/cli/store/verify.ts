import { exitStatus } from "../../base/errors.ts";
import { packageClosure } from "../../deploy/package-closure.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { openStore } from "../../image/store.ts";
import { verifyImage } from "../../image/verify.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

/** Exit status 4 where an error was found. A library that is nowhere in the package is a warning: the old machine may lack it too. */
export async function run(call: Call, context: Context): Promise<number> {
  const [reference = ""] = call.args;
  const store = openStore(context.root);
  const findings: { id: string; severity: string; message: string }[] = await verifyImage(store, reference, {
    readData: flag(call.options, "readData"),
  });
  if (findings.every((finding) => finding.severity !== "error")) {
    for (const one of await packageClosure(context.root, store, reference)) {
      const message = `${escapeBytes(one.path)}: ${one.kind} ${escapeBytes(one.wants)} is not in the package`;
      findings.push({ id: "closure", severity: "warning", message });
    }
  }
  const errors = findings.filter((finding) => finding.severity === "error").length;
  const format = text(call.options, "format");
  if (format !== undefined && format !== "table")
    context.print(printValue({ reference, errors, findings }, format));
  else {
    for (const finding of findings) context.print(`${finding.severity}: ${finding.message}`);
    context.print(`${reference}: ${errors} errors, ${findings.length - errors} warnings`);
  }
  return errors > 0 ? exitStatus.no : exitStatus.done;
}
