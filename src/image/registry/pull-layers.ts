// The layers of an image from a registry into the store, some at once, and where it is asked for unpacked while they come.
import { TranshipError } from "../../base/errors.ts";
import type { Progress, ProgressTask } from "../../base/log.ts";
import { type Descriptor, layerCompression } from "../../formats/oci.ts";
import type { Digest } from "../../formats/oci-reference.ts";
import { ArrivingBlob } from "../arriving-blob.ts";
import type { StoredLayer } from "../store.ts";
import type { StoreSession } from "../store-session.ts";
import { downloadBlob } from "./blob-download.ts";
import type { RegistryClient } from "./registry-client.ts";
import type { UnpackQueue } from "./unpack-queue.ts";

/** Layers that are fetched at once. */
const atOnce = 3;
/** Of all layers of an image together. */
const maxImage = 2 ** 40;

export interface PullLayersOptions {
  client: RegistryClient;
  session: StoreSession;
  progress: Progress;
  /** undefined: they stay packed. */
  unpack: UnpackQueue | undefined;
}

export async function pullLayers(
  layers: readonly StoredLayer[],
  options: PullLayersOptions,
): Promise<{ fetched: number; bytes: number }> {
  for (const { descriptor } of layers) checkLayer(descriptor);
  const total = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  if (total > maxImage)
    throw new TranshipError("E_LIMIT", `the layers have ${total} bytes, at most ${maxImage} are accepted`);
  const task = options.progress.begin("pull", total);
  const queue = [...layers];
  const seen = new Set<Digest>();
  let fetched = 0;
  let bytes = 0;
  const work = async (): Promise<void> => {
    for (let layer = queue.shift(); layer !== undefined; layer = queue.shift()) {
      const { digest, size } = layer.descriptor;
      if (options.unpack?.isFailed === true) return;
      if (seen.has(digest)) task.advance(size);
      else {
        seen.add(digest);
        if (!(await pullLayer(layer, options, task))) continue;
        fetched++;
        bytes += size;
      }
    }
  };
  try {
    await allOrNone(Array.from({ length: atOnce }, work), queue);
    await options.unpack?.finish();
  } finally {
    await options.unpack?.finish().catch(() => {});
    task.end();
  }
  return { fetched, bytes };
}

/** False where the store had it. */
async function pullLayer(
  layer: StoredLayer,
  { client, session, unpack }: PullLayersOptions,
  task: ProgressTask,
): Promise<boolean> {
  if (unpack === undefined) return await downloadBlob(client, session, layer.descriptor, task);
  const arriving = new ArrivingBlob(layer.descriptor, () => unpack.changed());
  unpack.add(layer, arriving);
  try {
    const fetched = await downloadBlob(client, session, layer.descriptor, task, arriving);
    arriving.check();
    return fetched;
  } catch (error) {
    arriving.fail(error);
    throw error;
  }
}

/** The first failure ends the others: nothing more is taken from the queue. */
async function allOrNone(works: readonly Promise<void>[], queue: unknown[]): Promise<void> {
  const results = await Promise.allSettled(
    works.map((work) =>
      work.catch((error: unknown) => {
        queue.length = 0;
        throw error;
      }),
    ),
  );
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Layers that lie elsewhere are never fetched: their addresses are the image maker's choice. */
function checkLayer({ mediaType: type, digest, urls }: Descriptor): void {
  if (/foreign|nondistributable/.test(type)) {
    throw new TranshipError(
      "E_IMAGE_UNSUPPORTED",
      `layer ${digest} lies outside of the registry${urls?.[0] === undefined ? "" : `, at ${urls[0].slice(0, 100)}`}`,
      {
        hint: "such layers are not fetched: whoever made the image could make this host ask any address",
      },
    );
  }
  if (layerCompression(type) === undefined)
    throw new TranshipError("E_IMAGE_UNSUPPORTED", `layer ${digest} has the media type ${type}`);
}
