// Layers of a pull become trees beside their downloads: a large one at a time, for the memory that each takes, and a small one beside it. A large one
// may still be coming: it is read behind the download. What lies in the store already goes first.
//
// Of a layer that is being fetched nobody knows yet whether it is what was asked for. Its tree is made in a work directory like any other and is put
// in place only after size, digest and diffID were right. Where unpacking it fails, the download has the first word: bytes
// that are not those of the digest are told as that, and not as the nonsense that they unpack to.
import type { ArrivingBlob } from "../arriving-blob.ts";
import type { LayerLimits } from "../layer-reader.ts";
import type { ImageStore, StoredLayer } from "../store.ts";
import { ensureArrivingLayer, ensureStoredLayer } from "../unpack.ts";

const atOnce = 2;
/** Of a smaller layer all is there before a program has started: it is not read behind its download. */
const largeLeast = 4 << 20;

type Device = readonly [path: string, device: string];

interface Waiting {
  layer: StoredLayer;
  arriving: ArrivingBlob;
}

export interface UnpackQueueOptions {
  signal?: AbortSignal | undefined;
  /** Told of devices below /dev, once for each. */
  leftOut: (path: string, device: string) => void;
}

export class UnpackQueue {
  readonly #store: ImageStore;
  readonly #options: UnpackQueueOptions;
  readonly #waiting: Waiting[] = [];
  readonly #running = new Set<Promise<void>>();
  #largeRuns = false;
  #failure: unknown;

  constructor(store: ImageStore, options: UnpackQueueOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** A layer whose download begins, or which is found to be in the store. */
  add(layer: StoredLayer, arriving: ArrivingBlob): void {
    this.#waiting.push({ layer, arriving });
  }

  /** What is known of downloads has changed. */
  changed(): void {
    this.#next();
  }

  /** A layer could not be unpacked: what else would be fetched is for nothing. */
  get isFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** When all downloads have ended: ends when nothing is at work, and throws the first failure. */
  async finish(): Promise<void> {
    this.#next();
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #next(): void {
    if (this.isFailed || this.#options.signal?.aborted === true) return;
    while (this.#running.size < atOnce) {
      const one = this.#take();
      if (one === undefined) return;
      const large = isLarge(one);
      this.#largeRuns ||= large;
      const work = this.#unpack(one)
        .catch((error: unknown) => {
          this.#failure ??= error;
        })
        .finally(() => {
          this.#running.delete(work);
          if (large) this.#largeRuns = false;
          this.#next();
        });
      this.#running.add(work);
    }
  }

  #take(): Waiting | undefined {
    const waiting = this.#waiting.splice(0).filter(({ arriving }) => !arriving.isFailed);
    const may = waiting.filter((one) => !this.#largeRuns || !isLarge(one));
    const taken =
      may.find(({ arriving }) => arriving.isChecked) ??
      largest(may.filter((one) => isLarge(one) && one.arriving.isReadable));
    this.#waiting.push(...waiting.filter((one) => one !== taken));
    return taken;
  }

  async #unpack({ layer, arriving }: Waiting): Promise<void> {
    if (!arriving.isChecked && (await this.#follow(layer, arriving))) return;
    await this.#make((limits) => ensureStoredLayer(this.#store, layer, limits));
  }

  /** False where it has to be unpacked from the store. */
  async #follow(layer: StoredLayer, arriving: ArrivingBlob): Promise<boolean> {
    const { generation } = arriving;
    arriving.hold();
    try {
      await this.#make((limits) => ensureArrivingLayer(this.#store, layer, arriving, limits));
      return true;
    } catch (error) {
      try {
        await arriving.checked();
      } catch {
        return true; // the download tells what it was
      }
      if (arriving.generation === generation) throw error;
      return false;
    } finally {
      arriving.release();
    }
  }

  async #make(unpack: (limits: Partial<LayerLimits>) => Promise<unknown>): Promise<void> {
    const devices: Device[] = [];
    await unpack({ leftOutOfDev: (path, device) => void devices.push([path, device]) });
    for (const [path, device] of devices) this.#options.leftOut(path, device);
  }
}

function isLarge({ layer }: Waiting): boolean {
  return layer.descriptor.size >= largeLeast;
}

/** The last to be there, as a rule. */
function largest(some: readonly Waiting[]): Waiting | undefined {
  return some.reduce<Waiting | undefined>(
    (most, one) =>
      most === undefined || one.layer.descriptor.size > most.layer.descriptor.size ? one : most,
    undefined,
  );
}
