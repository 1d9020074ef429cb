// tranship package export --emp: a package as an EMP folder.
import { resolve } from "node:path";
import { exportFolder } from "../../deploy/emp/export.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { packagedOf } from "./packaged.ts";

export async function exportEmp(call: Call, context: Context, directory: string): Promise<void> {
  const [reference = ""] = call.args;
  const packaged = packagedOf(context, reference);
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  if (flag(call.options, "dryRun")) {
    const value = { path: resolve(directory), dryRun: true };
    context.print(forPeople ? `would write ${reference} to ${directory}` : printValue(value, format));
    return;
  }
  const { store, image } = packaged;
  const exported = await exportFolder(store, image, packaged.text, directory);
  if (exported.unfit > 0)
    context.log.warn(
      `${exported.unfit} names below ProgData cannot be had on Windows: copy the folder as an archive`,
    );
  context.say(
    exported.written.length === 0
      ? "its files are as they were imported"
      : `written: ${exported.written.join(", ")}`,
  );
  context.print(forPeople ? exported.path : printValue(exported, format));
}
