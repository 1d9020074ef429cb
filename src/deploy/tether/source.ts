// The living source of an instance: asked while it can be reached, and tried again now and then while it cannot.
import { isTranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Machine, MachineFiles } from "../../machine/machine.ts";

/** Milliseconds before a source that could not be reached is tried again. */
const triedAgainAfter = 30_000;

/** What the source said, or that it could not be asked. */
export type Told<T> = { readonly told: T } | undefined;

export class TetherSource {
  readonly #address: string;
  readonly #open: () => Promise<Machine>;
  readonly #log: Log;
  #machine: Promise<Machine> | undefined;
  #lostAt: number | undefined;

  constructor(address: string, open: () => Promise<Machine>, log: Log) {
    this.#address = address;
    this.#open = open;
    this.#log = log;
  }

  /** The error that says why it cannot be reached; undefined where it can. Throws what a second try would not mend. */
  async connect(): Promise<Error | undefined> {
    try {
      await this.#current();
      return undefined;
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      // Told by who asked to connect.
      this.#lostAt = performance.now();
      await this.close();
      return error;
    }
  }

  async ask<T>(question: (files: MachineFiles) => Promise<T>): Promise<Told<T>> {
    if (this.#lostAt !== undefined && performance.now() - this.#lostAt < triedAgainAfter) return undefined;
    try {
      const { files } = await this.#current();
      const told = await question(files);
      if (this.#lostAt !== undefined) this.#log.info(`tether: ${this.#address} can be reached again`);
      this.#lostAt = undefined;
      return { told };
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      this.#lost(error);
      return undefined;
    }
  }

  async close(): Promise<void> {
    const machine = this.#machine;
    this.#machine = undefined;
    await machine?.then((one) => one.close()).catch(() => {});
  }

  #current(): Promise<Machine> {
    this.#machine ??= this.#open();
    return this.#machine;
  }

  #lost(error: Error): void {
    // Of many that fail together one tells it.
    if (this.#machine === undefined) return;
    void this.close();
    if (this.#lostAt === undefined)
      this.#log.warn(
        `tether: ${error.message}; what the application looks for now is missing as it is without a source. It is tried again every ${triedAgainAfter / 1000} s`,
      );
    this.#lostAt = performance.now();
  }
}

function isUnreachable(error: unknown): error is Error {
  return isTranshipError(error, "E_MACHINE_UNREACHABLE");
}
