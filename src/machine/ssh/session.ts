// The connections of one ssh machine, one after the other: a broken one is replaced a bounded number of times, with growing pauses.
import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { makeWorkDirectory, type WorkDirectory } from "../../host/work.ts";
import type { FarPlace } from "../in-place.ts";
import type { Reconnecting } from "../resuming-files.ts";
import { type BulkFiles, TreeFiles } from "../tree-files.ts";
import type { TreePlace } from "../tree-process.ts";
import type { SshAddress } from "./address.ts";
import { type Probe, SshConnection } from "./connection.ts";
import { connectionLost, isConnectionLost, sshFailure } from "./failure.ts";
import { farPlace } from "./place.ts";
import { pushCollector } from "./push.ts";
import { serveCommand, servePreamble, shellCommand } from "./scripts.ts";
import { ShellFiles } from "./shell-files.ts";
import { lossOf, probeWays } from "./shell-probe.ts";
import { ShellSession } from "./shell-session.ts";

export interface SshRequest {
  name: string;
  address: SshAddress;
  options: readonly string[];
  batch: boolean;
  push: boolean;
  sudo: boolean;
  root: StateRoot;
  log: Log;
}

/** Milliseconds before each try to reconnect; then it is given up. A connection that gave something starts the count anew. */
const pauses = [200, 1000, 2000, 4000, 8000];
/** Servers for walks and streams: with keeper and small requests fewer than the ten sessions that sshd allows. */
const maxOpen = 6;

const notPushed = "--no-push was given";
/** Of what a login shell says before it runs what it is told. */
const maxTalk = 64 << 10;

interface ClosableFiles extends BulkFiles {
  close(): Promise<void>;
}

export interface SshSession {
  readonly probe: Probe;
  readonly files: BulkFiles;
  /** Why there is no collector, and what is not seen that way; undefined where there is one. */
  readonly without: string | undefined;
  /** Where there is a collector. */
  readonly place: FarPlace | undefined;
  close(): Promise<void>;
}

export class SshSessions implements Reconnecting<BulkFiles> {
  readonly #request: SshRequest;
  readonly #work: WorkDirectory;
  #session: Promise<SshSession> | undefined;
  /** Tries since something last came over a connection. */
  #failures = 0;
  #first = true;
  /** How the last connection was lost. */
  #because = "";
  /** Of the connection in use. */
  #mark: string | undefined;
  #closed = false;

  constructor(request: SshRequest) {
    this.#request = request;
    this.#work = makeWorkDirectory(request.root, "ssh");
  }

  isLost(error: unknown): boolean {
    if (!isConnectionLost(error) || this.#closed) return false;
    this.#because = error.message;
    const lost = this.#session;
    // Many requests fail together: the connection that replaced theirs is another one.
    if (lost !== undefined && error.details.connection === this.#mark) {
      this.#session = undefined;
      this.#mark = undefined;
      void lost.then(
        (session) => session.close(),
        () => {},
      );
    }
    return true;
  }

  async current(): Promise<BulkFiles> {
    return (await this.session()).files;
  }

  /** Something came over the connection: the next break begins a new count. */
  works(): void {
    this.#failures = 0;
  }

  session(): Promise<SshSession> {
    this.#session ??= this.#connect();
    return this.#session;
  }

  async #connect(): Promise<SshSession> {
    if (this.#first) {
      this.#first = false;
      return await this.#open();
    }
    for (;;) {
      const pause = pauses[this.#failures];
      if (pause === undefined || this.#closed) throw this.#givenUp();
      this.#failures++;
      this.#request.log.warn(`the connection to ${this.#request.name} broke; connecting again`);
      await sleep(pause);
      try {
        return await this.#open();
      } catch (error) {
        if (!(error instanceof TranshipError) || error.code !== "E_MACHINE_UNREACHABLE") throw error;
        this.#request.log.debug(error.message);
        if (pauses[this.#failures] === undefined) throw this.#givenUp(error);
      }
    }
  }

  #givenUp(cause?: unknown): TranshipError {
    return new TranshipError(
      "E_MACHINE_UNREACHABLE",
      `the connection to ${this.#request.name} broke and could not be made again in ${pauses.length} tries: ${this.#because}`,
      {
        hint: "run the command again when the machine can be reached: what was read already is kept and not read again",
        cause,
      },
    );
  }

  async #open(): Promise<SshSession> {
    const { name, address, options, batch, push, sudo } = this.#request;
    const connection = await SshConnection.open({
      name,
      address,
      options,
      batch,
      pushes: push,
      directory: this.#work.path,
    });
    try {
      const { mark, probe } = connection;
      if (probe.system === "" && probe.programs.size === 0)
        throw connectionLost(name, mark, "its shell finds no programs, not even uname and ls");
      const pushed = push ? await pushCollector(connection) : { because: notPushed };
      if ("because" in pushed) return await this.#withoutCollector(connection, pushed.because);
      const files = new TreeFiles(this.#place(connection, pushed.directory));
      const place = farPlace({ name, connection, pushed: pushed.directory, sudo });
      return { ...this.#opened(connection, files, undefined), place };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  #opened(connection: SshConnection, files: ClosableFiles, without: string | undefined): SshSession {
    this.#mark = connection.mark;
    const close = async (): Promise<void> => {
      await files.close().catch(() => {});
      await connection.close();
    };
    return { probe: connection.probe, files, without, place: undefined, close };
  }

  /** By the programs that are there. */
  async #withoutCollector(connection: SshConnection, because: string): Promise<SshSession> {
    const { name, sudo, log } = this.#request;
    const { probe, mark } = connection;
    if (this.#mark === undefined && because !== notPushed)
      log.warn(`${name} is read without the collector: ${because}`);
    const shell = new ShellSession(connection.start(shellCommand(sudo)), (words) =>
      sudo && /^sudo: /m.test(words) ? sudoRefused(name, words) : connectionLost(name, mark, words),
    );
    await shell.ask(() => ":", maxTalk); // what the login shell says comes before the first answer
    const ways = await probeWays(shell, probe, name);
    const files = new ShellFiles(shell, ways);
    return this.#opened(connection, files, `read without the collector (${because}); ${lossOf(ways)}`);
  }

  #place(connection: SshConnection, directory: string): TreePlace {
    const { name, address, options, sudo } = this.#request;
    return {
      name,
      maxOpen,
      preamble: servePreamble(connection.mark),
      start: () => connection.start(serveCommand(connection.mark, directory, sudo)),
      died: (status, words) =>
        sudo && /^sudo: /m.test(words)
          ? sudoRefused(name, words)
          : status === 255 || connection.lost || words === ""
            ? connectionLost(name, connection.mark, words)
            : sshFailure({ name, address, options }, status, words),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const session = await this.#session?.catch(() => undefined);
    await session?.close();
    this.#work.remove();
  }
}

function sudoRefused(name: string, words: string): TranshipError {
  return new TranshipError(
    "E_MACHINE_UNREACHABLE",
    `${name} does not allow sudo without a password: ${words.trim().slice(0, 300)}`,
    {
      hint: "leave --sudo out and read what this user may read, or allow it in sudoers (NOPASSWD) for the time of the lift",
    },
  );
}
