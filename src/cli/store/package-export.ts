import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { type ExportType, exportImage } from "../../image/export.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { packagedOf } from "./packaged.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const emp = text(call.options, "emp");
  if (emp !== undefined) {
    const { exportEmp } = await import("./package-export-emp.ts");
    await exportEmp(call, context, emp);
    return;
  }
  const [reference = ""] = call.args;
  const file = text(call.options, "output");
  if (file === undefined)
    throw new TranshipError("E_USAGE", "where should the package go?", {
      hint: "give -o FILE, or --emp DIR",
    });
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  if (flag(call.options, "dryRun")) {
    const { digest } = openStore(context.root).image(reference).target;
    const plan = { path: resolve(file), imageDigest: digest, dryRun: true };
    context.print(forPeople ? `would write ${reference} (${digest}) to ${file}` : printValue(plan, format));
    return;
  }
  if (text(call.options, "type") === "tar") {
    await plain(call, context, resolve(file));
    return;
  }
  const exported = await exportImage(openStore(context.root), reference, file, {
    type: (text(call.options, "type") ?? "oci-archive") as ExportType,
    compression: text(call.options, "compression") === "zstd" ? "zstd" : "gzip",
  });
  context.print(
    forPeople
      ? exported.imageDigest === undefined
        ? exported.path
        : `${exported.path} ${exported.imageDigest}`
      : printValue(exported, format),
  );
  context.say(`${formatSize(exported.size)}`);
}

async function plain(call: Call, context: Context, path: string): Promise<void> {
  const { exportPlain } = await import("../../deploy/plain/export-plain.ts");
  const { store, image, text: descriptor } = packagedOf(context, call.args[0] ?? "");
  const compression = text(call.options, "compression") === "zstd" ? "zstd" : "gzip";
  const size = await exportPlain(path, { store, image, descriptor, compression });
  const format = text(call.options, "format");
  context.print(format === undefined || format === "table" ? path : printValue({ path, size }, format));
  context.say(`${formatSize(size)}; \`start\` in it needs sh, mount and chroot; README says what it lacks`);
}
