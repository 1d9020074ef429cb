import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { importImage, isDirectory, kindOf } from "../../image/import/import.ts";
import { directoryFiles } from "../../image/import/source-files.ts";
import { newName, openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { importRoot } from "./import-root.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const emp = text(call.options, "emp");
  if (emp !== undefined) {
    const { importEmp } = await import("./package-import-emp.ts");
    await importEmp(call, context, emp);
    return;
  }
  const [file, reference] = call.args;
  if (file === undefined || reference === undefined)
    throw new TranshipError("E_USAGE", "what should be imported, and under which name?", {
      hint: "tranship package import FILE REF, or tranship package import --emp DIR REF",
    });
  const path = resolve(file);
  const root = isDirectory(path) && kindOf(directoryFiles(path)) === undefined;
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  if (flag(call.options, "dryRun")) {
    const name = newName(reference);
    context.print(
      forPeople ? `would import ${path} as ${name}` : printValue({ path, name, dryRun: true }, format),
    );
    return;
  }
  const store = openStore(context.root);
  const imported = root
    ? await importRoot(store, path, reference, context)
    : await importImage(store, path, reference, text(call.options, "image"));
  context.print(forPeople ? `${imported.name} ${imported.digest}` : printValue(imported, format));
}
