import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { kernelPartByPath } from "../../formats/kernel-part.ts";
import { mediaType } from "../../formats/oci.ts";
import { importImage, isDirectory, kindOf } from "../../image/import/import.ts";
import type { Imported } from "../../image/import/imported.ts";
import { directoryFiles } from "../../image/import/source-files.ts";
import type { LayerItem } from "../../image/layer-item.ts";
import { writeLayer } from "../../image/layer-writer.ts";
import { type ImageStore, newName, openStore } from "../../image/store.ts";
import { withSession } from "../../image/store-session.ts";
import { isUnreadable } from "../../machine/machine.ts";
import { openMachine } from "../../machine/open.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

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

/** A root file system as it lies there becomes one layer; kernels and their parts stay out. */
async function importRoot(
  store: ImageStore,
  path: string,
  reference: string,
  context: Context,
): Promise<Imported> {
  const name = newName(reference);
  const machine = await openMachine(`rootfs:${path}`);
  const left: string[] = [];
  const items = async function* (): AsyncGenerator<LayerItem> {
    for await (const entry of machine.files.walk("/", { oneFileSystem: true })) {
      if (context.signal.aborted) throw context.signal.reason;
      if (isUnreadable(entry)) context.log.warn(`left out ${entry.path}: ${entry.error}`);
      else if (kernelPartByPath(entry.path, entry.kind) !== undefined) left.push(entry.path);
      else yield entry.kind === "file" ? { entry, hostFile: path + entry.path } : { entry };
    }
  };
  try {
    return await withSession(store, async (session) => {
      const { descriptor, diffId, notes } = await writeLayer(items(), session);
      for (const { path: one, reason } of notes) context.log.warn(`left out ${one}: ${reason}`);
      if (left.length > 0) context.say(`left out ${left.length} parts of a kernel, such as ${left[0]}`);
      const config = await session.put(
        mediaType.config,
        JSON.stringify({
          architecture: process.arch === "x64" ? "amd64" : process.arch,
          os: "linux",
          config: { Cmd: ["/bin/sh"] },
          rootfs: { type: "layers", diff_ids: [diffId] },
          history: [{ created_by: "tranship package import" }],
        }),
      );
      const manifest = { schemaVersion: 2, mediaType: mediaType.manifest, config, layers: [descriptor] };
      const image = await session.put(mediaType.manifest, JSON.stringify(manifest));
      await store.updateIndex(`name ${name}`, () =>
        store.named(name, { target: image, manifestDescriptor: image }),
      );
      return { name, digest: image.digest, imageDigest: image.digest, layers: 1 };
    });
  } finally {
    await machine.close();
  }
}
