// tranship sbom: the bill of materials that was made at capture; of an image that came without one, made from its own files.
import { writeFileSync } from "node:fs";
import { makeBill } from "../../capture/pack/bill.ts";
import { mediaType } from "../../formats/oci.ts";
import { parseOsRelease } from "../../formats/os-release.ts";
import { ioError } from "../../host/files.ts";
import { installRoot } from "../../host/native.ts";
import { contentsOfImage } from "../../image/merged-tree.ts";
import { type ImageStore, openStore, type StoredImage } from "../../image/store.ts";
import { maxArtifact } from "../../image/store-blobs.ts";
import type { MachineFiles } from "../../machine/machine.ts";
import { openOci } from "../../machine/oci.ts";
import type { Context } from "../context.ts";
import { versionText } from "../general/version-text.ts";
import { type Call, flag, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const store = openStore(context.root);
  const image = store.image(reference);
  const known = flag(call.options, "fresh") ? undefined : storedBill(store, image);
  const words = known ?? (await madeBill(context, store, image, reference));
  const file = text(call.options, "output");
  if (file === undefined) {
    context.print(JSON.stringify(JSON.parse(words), null, 2));
    return;
  }
  try {
    writeFileSync(file, `${words}\n`);
  } catch (cause) {
    throw ioError(`cannot write ${file}`, cause);
  }
}

function storedBill(store: ImageStore, image: StoredImage): string | undefined {
  // The same content may have been captured again: the latest counts.
  const referrer = store.referrers(image.manifestDescriptor.digest, mediaType.sbom).at(-1);
  const blob = referrer === undefined ? undefined : store.readManifest(referrer).layers[0];
  return blob && Buffer.from(store.readBlob(blob, "bill of materials", maxArtifact)).toString("utf8");
}

/** What the image itself tells: packages whose database it holds, and its files. */
async function madeBill(
  context: Context,
  store: ImageStore,
  image: StoredImage,
  reference: string,
): Promise<string> {
  const packed = await contentsOfImage(store, image);
  const machine = await openOci(`oci:${reference}`, reference, context.root);
  try {
    const make = await makeBill({
      files: machine.files,
      packed,
      name: image.name ?? reference,
      created: new Date().toISOString(),
      tool: versionText(installRoot),
      system: await systemOf(machine.files),
    });
    return [...make(image.manifestDescriptor.digest)].join("");
  } finally {
    await machine.close();
  }
}

async function systemOf(files: MachineFiles): Promise<{ id: string; version: string }> {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    const bytes = await files.read(path, { maxBytes: 1 << 20 }).catch(() => undefined);
    if (bytes === undefined) continue;
    const values = parseOsRelease(Buffer.from(bytes).toString("latin1"));
    return { id: values.ID ?? "", version: values.VERSION_ID ?? "" };
  }
  return { id: "", version: "" };
}
