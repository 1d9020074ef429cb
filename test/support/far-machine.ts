// A real sshd in a Debian 11 root: on an overlay, in namespaces of its own, in the network of the test's host.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type EnterMount, joinCall, sandboxCall } from "../../src/host/enter.ts";
import { type EnterProcess, startEnter } from "../../src/host/enter-process.ts";
import { installRoot } from "../../src/host/native.ts";
import type { CaptureHost, Outcome } from "./capture.ts";
import { eventually } from "./enter.ts";

/** undefined where the host can run the tests; else why it cannot. */
export function whyNoFar(): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/usr/bin/ssh")) return "needs ssh";
  if (!existsSync("/usr/sbin/debootstrap")) return "needs debootstrap to build the old machine";
  return false;
}

/** Builds the machine where it is not built. */
export function farRoot(): string {
  const build = join(installRoot, "test/apps/build");
  return execFileSync(build, ["sshd"], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
}

export interface FarOptions {
  /** Lines of sshd_config. */
  config?: readonly string[];
  /** Another root than Debian's. */
  root?: string;
  /** The root of a machine that has no sshd: it is all that a login gets to see. */
  shows?: string;
  port?: number;
}

/** Where the machine lies, the process whose network it listens in, and the tool for it. */
export type FarHost = Pick<CaptureHost, "base" | "holder" | "tool">;

export class FarMachine {
  readonly address: string;
  /** For the tool: key and known hosts. */
  readonly environment: Record<string, string>;
  readonly directory: string;
  readonly host: FarHost;
  readonly port: number;
  #sandbox: EnterProcess | undefined;
  #pid = 0;
  readonly #options: FarOptions;

  private constructor(host: FarHost, directory: string, options: FarOptions) {
    this.host = host;
    this.directory = directory;
    this.#options = options;
    this.port = options.port ?? 22;
    this.address = `ssh://root@127.0.0.1${this.port === 22 ? "" : `:${this.port}`}`;
    const client = join(directory, "client");
    this.environment = {
      TRANSHIP_SSH_OPTIONS: `IdentityFile=${client}/key IdentitiesOnly=yes UserKnownHostsFile=${client}/known_hosts GlobalKnownHostsFile=/dev/null`,
    };
  }

  static async start(
    t: Pick<TestContext, "after">,
    host: FarHost,
    options: FarOptions = {},
  ): Promise<FarMachine> {
    const directory = join(host.base, `far-${options.port ?? 22}`);
    const far = new FarMachine(host, directory, options);
    far.#prepare();
    t.after(() => far.stop());
    await far.begin();
    return far;
  }

  /** As the host sees it; changes of the machine are made through this. */
  path(inside: string): string {
    return `/proc/${this.#pid}/root${inside}`;
  }

  get pid(): number {
    return this.#pid;
  }

  #prepare(): void {
    for (const name of [
      "client",
      "upper/etc/ssh",
      "upper/root/.ssh",
      "upper/home/reader/.ssh",
      "upper/home/keeper/.ssh",
      "upper/run/sshd",
      "work",
      "shown/upper",
      "shown/work",
    ])
      mkdirSync(join(this.directory, name), { recursive: true });
    const upper = join(this.directory, "upper");
    const keygen = (file: string) =>
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    keygen(join(this.directory, "client/key"));
    keygen(join(upper, "etc/ssh/ssh_host_ed25519_key"));
    execFileSync("ssh-keygen", [
      "-q",
      "-t",
      "rsa",
      "-b",
      "2048",
      "-m",
      "PEM",
      "-N",
      "",
      "-f",
      join(upper, "etc/ssh/ssh_host_rsa_key"),
    ]);
    for (const home of ["root", "home/reader", "home/keeper"]) {
      cpSync(join(this.directory, "client/key.pub"), join(upper, home, ".ssh/authorized_keys"));
      chmodSync(join(upper, home, ".ssh/authorized_keys"), 0o644);
    }
    const config = this.#options.config ?? ["HostKey /etc/ssh/ssh_host_ed25519_key"];
    writeFileSync(
      join(upper, "etc/ssh/sshd_config"),
      [
        `Port ${this.port}`,
        "ListenAddress 127.0.0.1",
        "PermitRootLogin yes",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        ...(this.#options.shows === undefined ? [] : ["ChrootDirectory /srv"]),
        ...config,
        "",
      ].join("\n"),
    );
    const hostKey = config.some((line) => line.includes("rsa_key")) ? "rsa" : "ed25519";
    const key = readFileSync(join(upper, `etc/ssh/ssh_host_${hostKey}_key.pub`), "utf8");
    const name = this.port === 22 ? "127.0.0.1" : `[127.0.0.1]:${this.port}`;
    writeFileSync(
      join(this.directory, "client/known_hosts"),
      `${name} ${key.split(" ").slice(0, 2).join(" ")}\n`,
    );
  }

  #shown(): EnterMount[] {
    const { shows } = this.#options;
    if (shows === undefined) return [];
    const upper = { dir: join(this.directory, "shown/upper"), work: join(this.directory, "shown/work") };
    return [
      { kind: "overlay", target: "/srv", lowers: [shows], upper, volatile: true },
      { kind: "proc", target: "/srv/proc" },
      { kind: "dev", target: "/srv/dev" },
      { kind: "tmpfs", target: "/srv/tmp", mode: 0o1777 },
    ];
  }

  /** Starts sshd; also again after stop(). */
  async begin(): Promise<void> {
    const upper = { dir: join(this.directory, "upper"), work: join(this.directory, "work") };
    this.#sandbox = startEnter(
      sandboxCall({
        mounts: [
          { kind: "overlay", target: "/", lowers: [this.#options.root ?? farRoot()], upper, volatile: true },
          { kind: "proc", target: "/proc" },
          { kind: "dev", target: "/dev" },
          { kind: "sys", target: "/sys" },
          { kind: "tmpfs", target: "/tmp", mode: 0o1777 },
          { kind: "tmpfs", target: "/dev/shm", mode: 0o1777 },
          ...this.#shown(),
        ],
        network: { pid: this.host.holder },
        hostname: "old-sshd",
        command: {
          argv: ["/usr/sbin/sshd", "-D", "-e"],
          cwd: "/",
          clearEnv: true,
          env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        },
      }),
      { stdio: ["ignore", "ignore", process.env.TRANSHIP_TEST_VERBOSE === "1" ? "inherit" : "ignore"] },
    );
    this.#pid = (await this.#sandbox.ready).pid;
    await eventually("sshd listens", () => this.#listens());
  }

  #listens(): boolean {
    const hex = this.port.toString(16).toUpperCase().padStart(4, "0");
    return readFileSync(`/proc/${this.host.holder}/net/tcp`, "latin1").includes(`:${hex} 00000000:0000 0A`);
  }

  async stop(): Promise<void> {
    this.#sandbox?.child.kill("SIGKILL");
    await this.#sandbox?.exit.catch(() => {});
    await eventually("the far machine has ended", () => !existsSync(`/proc/${this.#pid}/root`));
  }

  /** Runs a command on the far machine, beside sshd. */
  async run(script: string): Promise<string> {
    const joined = startEnter(
      joinCall({
        pid: this.#pid,
        command: {
          argv: ["/bin/sh", "-c", script],
          cwd: "/",
          clearEnv: true,
          env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        },
      }),
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let text = "";
    joined.child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    assert.equal(await joined.exit, 0, `${script}: ${text}`);
    return text;
  }

  /** The tool, with key and known hosts. */
  tool(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
    return this.host.tool(args, { ...this.environment, ...env });
  }

  /** What is in the places where the collector may go. */
  temporary(): string[] {
    return ["/tmp", "/var/tmp", "/dev/shm"].flatMap((place) =>
      readdirSync(this.path(place)).map((name) => `${place}/${name}`),
    );
  }

  killSessions(): void {
    for (const pid of this.sessions()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // ended with the one before
      }
    }
  }

  /** Processes of sshd's sessions. */
  sessions(): number[] {
    const mount = (pid: string | number) => readlinkSync(`/proc/${pid}/ns/mnt`);
    const own = mount(this.#pid);
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          return (
            mount(pid) === own &&
            /^sshd: /.test(readFileSync(`/proc/${pid}/cmdline`, "latin1")) &&
            !readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("listener")
          );
        } catch {
          return false;
        }
      })
      .map(Number);
  }
}
