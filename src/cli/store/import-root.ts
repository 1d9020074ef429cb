import { kernelPartByPath } from "../../formats/kernel-part.ts";
import { mediaType, noTime } from "../../formats/oci.ts";
import type { Imported } from "../../image/import/imported.ts";
import type { LayerItem } from "../../image/layer-item.ts";
import { writeLayer } from "../../image/layer-writer.ts";
import { type ImageStore, newName } from "../../image/store.ts";
import { withSession } from "../../image/store-session.ts";
import { isUnreadable } from "../../machine/machine.ts";
import { openMachine } from "../../machine/open.ts";
import type { Context } from "../context.ts";

/** A root file system as it lies there becomes one layer; kernels and their parts stay out. */
export async function importRoot(
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
          history: [{ created: noTime, created_by: "tranship package import" }],
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
