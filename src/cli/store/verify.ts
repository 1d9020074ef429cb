import { exitStatus } from "../../base/errors.ts";
import { packageClosure } from "../../deploy/package-closure.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { openStore } from "../../image/store.ts";
import { verifyImage } from "../../image/verify.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { walkUnpacked } from "./walk-unpacked.ts";

export interface Verification {
  reference: string;
  errors: number;
  findings: { id: string; severity: string; message: string }[];
}

/** Exit status 4 where an error was found. */
export async function run(call: Call, context: Context): Promise<number> {
  const verified = await verifyPackage(call.args[0] ?? "", flag(call.options, "readData"), context);
  const format = text(call.options, "format");
  context.print(
    format === undefined || format === "table" ? verificationText(verified) : printValue(verified, format),
  );
  return verified.errors > 0 ? exitStatus.no : exitStatus.done;
}

/** A library that is nowhere in the package is a warning: the old machine may lack it too. */
export async function verifyPackage(
  reference: string,
  readData: boolean,
  context: Context,
): Promise<Verification> {
  const store = openStore(context.root);
  const findings: Verification["findings"] = await verifyImage(store, reference, {
    readData,
    ...(readData ? { walkUnpacked } : {}),
    signal: context.signal,
  });
  if (findings.every((finding) => finding.severity !== "error")) {
    for (const one of await packageClosure(context.root, store, reference)) {
      const message = `${escapeBytes(one.path)}: ${one.kind} ${escapeBytes(one.wants)} is not in the package`;
      findings.push({ id: "closure", severity: "warning", message });
    }
  }
  return { reference, errors: findings.filter((finding) => finding.severity === "error").length, findings };
}

export function verificationText({ reference, errors, findings }: Verification): string {
  const lines = findings.map((finding) => `${finding.severity}: ${finding.message}`);
  return [...lines, `${reference}: ${errors} errors, ${findings.length - errors} warnings`].join("\n");
}
