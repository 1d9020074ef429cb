// Device nodes of an archive or a foreign image that is read as a machine. Those that every container has are kept, as jails of old servers
// need them; those below /dev are the kernel's, and made anew wherever a package runs; others are left out and named.
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";

const most = 5;

export class LeftOutDevices {
  readonly #named: string[] = [];
  #count = 0;

  /** For the reader of layers. */
  readonly leftOut = (path: ByteString, device: string): void => {
    if (path.startsWith("/dev/")) return;
    if (this.#count++ < most) this.#named.push(`${escapeBytes(path)} (${device})`);
  };

  /** What is to be said of the machine. */
  notes(): string[] {
    if (this.#count === 0) return [];
    const more = this.#count > most ? ` and ${this.#count - most} more` : "";
    return [`device nodes that reach hardware are left out: ${this.#named.join(", ")}${more}`];
  }
}
