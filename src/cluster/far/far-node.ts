// A node that is reached over ssh: one connection, commands with a result, files by their input.
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TranshipError } from "../../base/errors.ts";
import { statusOf } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { makeWorkDirectory } from "../../host/work.ts";
import { parseSshAddress } from "../../machine/ssh/address.ts";
import { SshConnection } from "../../machine/ssh/connection.ts";
import { checkSshOptions, environmentOptions } from "../../machine/ssh/options.ts";
import type { Far } from "./scripts.ts";

export interface FarChoices {
  /** KEY=VALUE words for ssh's -o. */
  options: readonly string[];
  /** By `sudo -n`. */
  sudo: boolean;
  /** A person can answer ssh's questions on the terminal. */
  interactive: boolean;
}

export interface FarResult {
  status: number;
  out: string;
  err: string;
}

/** Milliseconds; ending tasks and waiting for an agent take long. */
const longest = 600_000;

export class FarNode {
  readonly name: string;
  readonly far: Far;
  readonly system: string;
  readonly machine: string;
  readonly #connection: SshConnection;

  private constructor(name: string, connection: SshConnection, sudo: boolean) {
    this.name = name;
    this.#connection = connection;
    this.far = { mark: connection.mark, sudo };
    this.system = connection.probe.system;
    this.machine = connection.probe.machine;
  }

  /** Connects for as long as `use` takes. E_MACHINE_UNREACHABLE with what ssh said. */
  static async with<T>(
    name: string,
    choices: FarChoices,
    root: StateRoot,
    use: (node: FarNode) => Promise<T>,
  ): Promise<T> {
    const address = parseSshAddress(name);
    const options = [...choices.options, ...environmentOptions()];
    checkSshOptions(options);
    const work = makeWorkDirectory(root, "ssh");
    try {
      const connection = await SshConnection.open({
        name, address, options, batch: !choices.interactive, pushes: false, directory: work.path,
      }); // biome-ignore format: short
      try {
        return await use(new FarNode(name, connection, choices.sudo));
      } finally {
        await connection.close();
      }
    } finally {
      work.remove();
    }
  }

  async run(what: string, command: string, input?: string | Uint8Array): Promise<FarResult> {
    step(what);
    const { status, stdout, stderr } = await this.#connection.run(command, {
      timeout: longest,
      ...(input === undefined ? {} : { input }),
    });
    if (status === 255 || this.#connection.lost) throw this.#broken(stderr);
    return { status, out: Buffer.from(stdout).toString("utf8"), err: stderr };
  }

  /** As run(); a status other than 0 is an error. */
  async must(what: string, command: string, input?: string): Promise<string> {
    const result = await this.run(what, command, input);
    if (result.status !== 0) throw this.failed(what, result);
    return result.out;
  }

  /** What is sent is too large for memory. */
  async send(what: string, command: string, input: Readable): Promise<FarResult> {
    step(what);
    const child = this.#connection.start(command);
    const result: FarResult = { status: 0, out: "", err: "" };
    for (const [stream, key] of [
      [child.stdout, "out"],
      [child.stderr, "err"],
    ] as const)
      stream?.on("data", (chunk: Buffer) => {
        result[key] = (result[key] + chunk.toString()).slice(-4096);
      });
    const closed = new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve(statusOf(code, signal)));
    });
    // A far side that stops taking it says why by its status.
    if (child.stdin !== null) await pipeline(input, child.stdin).catch(() => {});
    result.status = await closed;
    if (result.status === 255 || this.#connection.lost) throw this.#broken(result.err);
    return result;
  }

  failed(what: string, { status, out, err }: FarResult): TranshipError {
    const said = (err.trim() || out.trim()).split("\n").slice(-3).join("; ").slice(0, 600);
    if (this.far.sudo && /^sudo: /m.test(err))
      return new TranshipError(
        "E_NEEDS_ROOT",
        `${this.name} does not allow sudo without a password: ${said}`,
        {
          hint: "name root in the address, or allow it in sudoers (NOPASSWD)",
        },
      );
    return new TranshipError("E_TOOL_FAILED", `${this.name}: cannot ${what}: ${said || `status ${status}`}`, {
      hint: "run the command again when that is mended: it goes on with what is missing",
      details: { status },
    });
  }

  #broken(words: string): TranshipError {
    const said = words.trim().split("\n").slice(-2).join("; ").slice(0, 400);
    return new TranshipError(
      "E_MACHINE_UNREACHABLE",
      `the connection to ${this.name} broke${said === "" ? "" : `: ${said}`}`,
      { hint: "run the command again: it goes on with what is missing; an agent that runs there goes on" },
    );
  }
}
