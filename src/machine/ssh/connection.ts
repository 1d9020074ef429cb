// One connection to a far machine by the system's ssh program. The master carries the keeper session and is our child; every other
// session is a client of it over a control socket in a private directory. All of them end when our ends of their pipes are closed, so
// a killed command leaves nothing here and nothing there.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { TranshipError } from "../../base/errors.ts";
import { type RunOptions, type RunResult, run, spawnError, statusOf } from "../../host/process.ts";
import { randomHex } from "../../host/random.ts";
import { step } from "../../host/steps.ts";
import type { TreeChild } from "../../host/tree-spawn.ts";
import type { SshAddress } from "./address.ts";
import { connectionLost, sshFailure } from "./failure.ts";
import { sshWords } from "./options.ts";
import { keeperCommand, keeperEnd } from "./scripts.ts";

export interface ConnectRequest {
  /** For messages: the address as written. */
  name: string;
  address: SshAddress;
  options: readonly string[];
  /** Nobody is there to answer ssh's questions. */
  batch: boolean;
  /** Whether a collector will be pushed, which the keeper removes. */
  pushes: boolean;
  /** A private directory of this host for the control socket. */
  directory: string;
}

/** What the far side said of itself. */
export interface Probe {
  system: string;
  machine: string;
  release: string;
  /** undefined where `id` is missing. */
  uid: number | undefined;
  programs: ReadonlySet<string>;
}

const maxOutput = 64 << 10;
const openTimeout = 90_000;
const closeTimeout = 5_000;

export class SshConnection {
  /** Random, ours: names the far directory and marks our lines in what sessions say. */
  readonly mark: string;
  readonly probe: Probe;
  readonly #request: ConnectRequest;
  readonly #master: Master;
  /** False where the far side allows one session a connection: then every session connects by itself. */
  #shared = true;

  private constructor(request: ConnectRequest, master: Master, mark: string, probe: Probe) {
    this.#request = request;
    this.#master = master;
    this.mark = mark;
    this.probe = probe;
  }

  /** E_MACHINE_UNREACHABLE with what ssh said and what to do. */
  static async open(request: ConnectRequest): Promise<SshConnection> {
    const mark = `tranship-${randomHex(16)}`;
    step("connect to the machine");
    const master = new Master(request, mark);
    try {
      const probe = parseProbe(await master.opened, mark);
      return new SshConnection(request, master, mark, probe);
    } catch (error) {
      await master.close();
      throw error;
    }
  }

  get lost(): boolean {
    return this.#master.ended;
  }

  /** Runs one command to its end; any status is a result. */
  async run(command: string, options: RunOptions = {}): Promise<RunResult> {
    if (this.lost) throw connectionLost(this.#request.name, this.mark, this.#master.words);
    const result = await run("ssh", this.#words(command), { maxOutput, timeout: openTimeout, ...options });
    if (
      result.status !== 255 ||
      !this.#shared ||
      !/open refused|open failed|administratively prohibited/.test(result.stderr)
    )
      return result;
    this.#shared = false;
    return await this.run(command, options);
  }

  /** A session with pipes; unref'd by whoever reads it. */
  start(command: string): TreeChild {
    return spawn("ssh", this.#words(command), {
      stdio: ["pipe", "pipe", "pipe"],
      detached: this.#request.batch,
    });
  }

  /** The keeper removes what was pushed, then all ends. */
  async close(): Promise<void> {
    await this.#master.close();
  }

  #words(command: string): string[] {
    const { address, batch, options } = this.#request;
    if (!this.#shared)
      return [...sshWords(address, { control: "none", master: false, batch, options }), command];
    // Without a master the client would connect by itself, and ask again: it must fail instead.
    const only = ["ProxyCommand=false", ...options];
    return [
      ...sshWords(address, { control: this.#master.control, master: false, batch: true, options: only }),
      command,
    ];
  }
}

/** The ssh process that holds the connection. */
class Master {
  readonly control: string;
  /** What the keeper said, up to its end mark. */
  readonly opened: Promise<string>;
  ended = false;
  words = "";
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  readonly #directory: number;

  constructor(request: ConnectRequest, mark: string) {
    const { name, address, options, batch, pushes, directory } = request;
    // A socket's name is short; the directory's may be long: it is named by our descriptor.
    this.#directory = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    this.control = `/proc/${process.pid}/fd/${this.#directory}/${mark.slice(-8)}`;
    const words = sshWords(address, { control: this.control, master: true, batch, options });
    this.#child = spawn("ssh", [...words, keeperCommand(mark, pushes)], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: batch,
    });
    const { stdin, stdout, stderr } = this.#child;
    let said = "";
    stdin?.on("error", () => {}); // told by the exit status
    stderr?.on("data", (chunk: Buffer) => {
      if (this.words.length < maxOutput) this.words += chunk.toString("latin1");
    });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.opened = promise;
    promise.catch(() => {}); // whoever opened it waits for it
    const timer = batch ? setTimeout(() => this.#child.kill("SIGKILL"), openTimeout) : undefined;
    stdout?.on("data", (chunk: Buffer) => {
      if (said.length > maxOutput) this.#child.kill("SIGKILL");
      else said += chunk.toString("latin1");
      if (!said.includes(`\n${mark}-end\n`)) return;
      clearTimeout(timer);
      resolve(said);
    });
    this.#closed = new Promise((done) => {
      const over = (error: TranshipError): void => {
        this.ended = true;
        clearTimeout(timer);
        reject(error);
        done();
      };
      this.#child.on("error", (cause: NodeJS.ErrnoException) => over(spawnError("ssh", cause)));
      this.#child.on("close", (code, signal) =>
        over(sshFailure({ name, address, options }, statusOf(code, signal), this.words)),
      );
    });
    void promise.then(
      () => this.#unref(),
      () => {},
    ); // an idle connection does not keep the command alive
  }

  #unref(): void {
    this.#child.unref();
    for (const stream of this.#streams()) stream.unref();
  }

  #streams(): Socket[] {
    const { stdin, stdout, stderr } = this.#child;
    return [stdin, stdout, stderr].filter((stream) => stream instanceof Socket);
  }

  async close(): Promise<void> {
    this.#child.ref();
    for (const stream of this.#streams()) stream.ref();
    this.#child.stdin?.end(keeperEnd);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), closeTimeout);
    await this.#closed;
    clearTimeout(timer);
    try {
      closeSync(this.#directory);
    } catch {
      // closed before
    }
  }
}

function parseProbe(said: string, mark: string): Probe {
  const lines = said
    .slice(said.indexOf(`${mark}\n`))
    .split("\n")
    .slice(1);
  const of = (key: string): string => {
    const line = lines.find((one) => one.startsWith(`${key}=`)) ?? "";
    return line
      .slice(key.length + 1)
      .trim()
      .slice(0, 200);
  };
  const uid = of("uid");
  return {
    system: of("system"),
    machine: of("machine"),
    release: of("release"),
    uid: /^\d+$/.test(uid) ? Number(uid) : undefined,
    programs: new Set(lines.flatMap((line) => /^has=(\w+)$/.exec(line)?.[1] ?? [])),
  };
}
