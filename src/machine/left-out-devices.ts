// Device nodes of an archive or a foreign image that is read as a machine. Those that every container has are kept, as jails of old servers
// need them; those below /dev are the kernel's, and made anew wherever a package runs; others are left out and named.
import type { ByteString } from "../formats/entry.ts";
import { escapeBytes } from "../formats/escape.ts";

const named = 5;

export class LeftOutDevices {
  readonly #devices: string[] = [];

  /** For the reader of layers. */
  readonly leftOut = (path: ByteString, device: string): void => {
    if (!path.startsWith("/dev/")) this.#devices.push(`${escapeBytes(path)} (${device})`);
  };

  /** What is to be said of the machine. */
  notes(): string[] {
    if (this.#devices.length === 0) return [];
    const more = this.#devices.length - named;
    const list = this.#devices.slice(0, named).join(", ");
    return [`device nodes that reach hardware are left out: ${list}${more > 0 ? ` and ${more} more` : ""}`];
  }
}
