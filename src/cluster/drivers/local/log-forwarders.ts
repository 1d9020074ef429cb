// Sends what containers of our runtime write to syslog, where their log driver says so.
//
// Theory. The lines are in the runtime's own log first: whether the server can be reached, or we run, a container never waits for it. From there
// they are sent, and how far that has come is written down. After a crash a second's lines may be sent once more, none is left out.

import { rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../../host/files.ts";
import type { ContainerDefinition } from "../../api/shapes.ts";
import { defaultSyslog, parseSyslogAddress, type SyslogAddress } from "../../logs/log-options.ts";
import { type SyslogForm, syslogFacility, syslogTag } from "../../logs/syslog.ts";
import { openSyslog } from "../../logs/syslog-sender.ts";
import type { ContainerLine, ReadOptions } from "../containers.ts";

interface Attended {
  leave: AbortController;
  done: Promise<void>;
}

interface Position {
  run: string;
  /** Of the last line that was sent. */
  time: string;
}

interface Work {
  name: string;
  run: string;
  address: SyslogAddress;
  form: SyslogForm;
  signal: AbortSignal;
}

type Read = (name: string, options: ReadOptions) => AsyncIterable<ContainerLine>;

/** Milliseconds between tries; the last one for all further. */
const pauses = [200, 1000, 5000, 30_000];
/** Milliseconds that a container which is removed waits for its last lines. */
const patience = 5_000;

export class LogForwarders {
  readonly #directory: string;
  readonly #read: Read;
  readonly #log: Log;
  readonly #attended = new Map<string, Attended>();

  constructor(directory: string, read: Read, log: Log) {
    this.#directory = directory;
    this.#read = read;
    this.#log = log;
  }

  /** A container that has started, or is found from before, also where it has ended. Without effect for one that is attended already, or has another driver. */
  attend(name: string, run: string, { logConfiguration, image = "" }: ContainerDefinition): void {
    if (logConfiguration?.logDriver !== "syslog" || this.#attended.has(name)) return;
    const { options = {} } = logConfiguration;
    const address = parseSyslogAddress(options["syslog-address"] ?? defaultSyslog);
    if (address === undefined) return;
    const form: SyslogForm = {
      format: options["syslog-format"],
      facility: syslogFacility(options["syslog-facility"]),
      tag: syslogTag(options.tag, { id: run, name, image }),
      host: address.kind === "unix" ? undefined : hostname(),
    };
    const leave = new AbortController();
    const done = this.#forward({ name, run, address, form, signal: leave.signal });
    this.#attended.set(name, { leave, done });
  }

  /** Before it is removed: it has ended, so that its last lines come at once where the server takes them. */
  async leave(name: string): Promise<void> {
    const attended = this.#attended.get(name);
    if (attended === undefined) return;
    await Promise.race([attended.done, sleep(patience, undefined, { ref: false })]);
    attended.leave.abort();
    await attended.done;
    this.#attended.delete(name);
    rmSync(this.#path(name), { force: true });
  }

  /** What is not sent is sent by the next one. */
  async close(): Promise<void> {
    for (const { leave } of this.#attended.values()) leave.abort();
    await Promise.all([...this.#attended.values()].map(({ done }) => done));
  }

  async #forward(work: Work): Promise<void> {
    for (let failures = 0; !work.signal.aborted; failures++) {
      try {
        await this.#sendAll(work, () => {
          failures = 0;
        });
        return;
      } catch (error) {
        if (failures === 0)
          this.#log.warn(
            `cannot send the log of ${work.name} to syslog: ${(error as Error).message}; trying again`,
          );
      }
      const pause = pauses[Math.min(failures, pauses.length - 1)];
      await sleep(pause, undefined, { signal: work.signal, ref: false }).catch(() => {});
    }
  }

  async #sendAll({ name, run, address, form, signal }: Work, onSent: () => void): Promise<void> {
    const sender = await openSyslog(address, form);
    let position = this.#position(name, run);
    let written = Date.now();
    try {
      const since = position === undefined ? {} : { since: position };
      for await (const line of this.#read(name, { follow: true, signal, ...since })) {
        if (position !== undefined && line.time <= position) continue;
        await sender.send(line);
        position = line.time;
        onSent();
        if (Date.now() - written < 1000) continue;
        written = Date.now();
        this.#write(name, { run, time: position });
      }
    } finally {
      if (position !== undefined) this.#write(name, { run, time: position });
      sender.close();
    }
  }

  #position(name: string, run: string): string | undefined {
    const known = readJson(this.#path(name)) as Partial<Position> | undefined;
    return known?.run === run ? known.time : undefined;
  }

  #write(name: string, position: Position): void {
    makeDirectory(this.#directory);
    writeFileAtomic(this.#path(name), JSON.stringify(position), { mode: 0o600, volatile: true });
  }

  #path(name: string): string {
    return join(this.#directory, `${name}.json`);
  }
}
