import { isTranshipError, TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { type ImageStore, openStore, type StoredImage } from "../../image/store.ts";
import { removeUnreferenced } from "../../image/store-gc.ts";
import { listInstances } from "../../runtime/find.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const store = openStore(context.root);
  const instances = listInstances(context.root);
  const keepLayers = new Set(instances.flatMap((instance) => instance.record.image.diffIds));
  const dryRun = flag(call.options, "dryRun");
  const format = text(call.options, "format");
  const forPeople = format === undefined || format === "table";
  const untagged: string[] = [];
  for (const reference of call.args) {
    const image = imageOf(store, reference, flag(call.options, "force"), context);
    if (image === undefined) continue;
    const digests = [image.target.digest, image.manifestDescriptor.digest];
    const users = instances.filter(({ record: { image } }) =>
      [image, ...(image.linked ?? [])].some(({ digest }) => digests.includes(digest)),
    );
    const lastName =
      store.names().filter((named) => named.target.digest === image.target.digest).length === 1;
    if (users.length > 0 && lastName && !flag(call.options, "force")) {
      const names = users.map((user) => user.record.name).join(", ");
      throw new TranshipError("E_IMAGE_IN_USE", `${reference} is used by the instances ${names}`, {
        hint: "remove them first, or use --force",
      });
    }
    untagged.push(dryRun ? (image.name ?? reference) : (await store.untag(reference)).name);
    if (forPeople)
      context.print(dryRun ? `would remove the name ${reference}` : `Untagged: ${untagged.at(-1)}`);
  }
  const removed = dryRun
    ? { blobs: [], bytes: 0 }
    : await removeUnreferenced(store, { keepLayers, log: context.log });
  if (removed.blobs.length > 0)
    context.say(`removed ${removed.blobs.length} blobs, ${formatSize(removed.bytes)}`);
  if (!forPeople)
    context.print(
      printValue({ untagged, blobs: removed.blobs.length, bytes: removed.bytes, dryRun }, format),
    );
}

/** As with docker: what is not there need not be removed by force. */
function imageOf(
  store: ImageStore,
  reference: string,
  force: boolean,
  context: Context,
): StoredImage | undefined {
  try {
    return store.image(reference);
  } catch (error) {
    if (!force || !isTranshipError(error, "E_IMAGE_NOT_FOUND")) throw error;
    context.say(error.message);
    return undefined;
  }
}
