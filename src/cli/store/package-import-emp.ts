// tranship package import --emp: an EMP folder into the store.
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { importFolder, lookAtFolder, placeOf } from "../../deploy/emp/import.ts";
import type { EmpLintFinding } from "../../formats/emp/lint.ts";
import { newName } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

export async function importEmp(call: Call, context: Context, given: string): Promise<void> {
  const [reference, more] = call.args;
  if (reference === undefined || more !== undefined) {
    throw new TranshipError("E_USAGE", "with --emp the name of the package is the only argument", {
      hint: "tranship package import --emp DIR REF",
    });
  }
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  const directory = resolve(given);
  if (flag(call.options, "dryRun")) {
    const name = newName(reference);
    const { read, findings } = await lookAtFolder(directory);
    tell(context, findings, read.notes);
    const { programs, services } = read.descriptor;
    context.print(
      forPeople
        ? `would import ${directory} as ${name}: ${programs.length} programs, ${services.length} services`
        : printValue({ path: directory, name, findings, notes: read.notes, dryRun: true }, format),
    );
    return;
  }
  const { log, root, signal } = context;
  const imported = await importFolder({ root, directory, reference, log, signal });
  tell(context, imported.findings, imported.notes);
  const { name, indexDigest: digest, imageDigest, findings, notes } = imported;
  context.print(
    forPeople ? `${name} ${digest}` : printValue({ name, digest, imageDigest, findings, notes }, format),
  );
}

function tell(context: Context, findings: readonly EmpLintFinding[], notes: readonly string[]): void {
  for (const finding of findings) context.log.warn(`${placeOf(finding)}: ${finding.message}`);
  for (const note of notes) context.say(`kept in the folder's files alone: ${note}`);
}
