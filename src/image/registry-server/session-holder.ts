// Blobs that were pushed have no name until their manifest comes: so long a session holds them. A server runs for months, so sessions take
// turns: what is pushed is held for at least an hour, at most two.
import type { ImageStore } from "../store.ts";
import { StoreSession } from "../store-session.ts";

/** Milliseconds. */
const turn = 3_600_000;

export class SessionHolder {
  readonly #store: ImageStore;
  #current: StoreSession;
  #before: StoreSession | undefined;
  #since = Date.now();

  constructor(store: ImageStore) {
    this.#store = store;
    this.#current = new StoreSession(store);
  }

  /** `busy`: whether uploads write to files of the older one, which then stays. */
  session(busy = false): StoreSession {
    if (Date.now() - this.#since > turn && !busy) {
      this.#before?.close();
      this.#before = this.#current;
      this.#current = new StoreSession(this.#store);
      this.#since = Date.now();
    }
    return this.#current;
  }

  close(): void {
    this.#current.close();
    this.#before?.close();
  }
}
