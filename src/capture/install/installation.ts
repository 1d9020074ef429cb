// An installer runs on overlays over a machine, and the machine as of after the installation is kept open.
//
// Theory. The overlays live in a mount namespace that dies with its last process. Before the installer starts, a second
// process joins that namespace, and that namespace alone: it holds the mounts when the installer's own processes are gone, and
// it ends when its stdin does, that is, when this process closes it or dies. So there is one view of "after" for planning and
// packing, with no copy and no second mount, and nothing to repair: what the installer wrote lies in the caller's work directory, or
// in memory where that lies inside the machine, as for local:.
import { closeSync, openSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import { type EnterMount, joinCall, sandboxCall } from "../../host/enter.ts";
import { type EnterProcess, firstFd, startEnter } from "../../host/enter-process.ts";
import { ioError, makeDirectory, writeFileAtomic } from "../../host/files.ts";
import { processAlive, processStartTime } from "../../host/lock.ts";
import { nativePath } from "../../host/native.ts";
import { step } from "../../host/steps.ts";
import type { Machine } from "../../machine/machine.ts";
import { TreeFiles } from "../../machine/tree-files.ts";
import { insidePath } from "../../package/container-config.ts";
import { checkCommand } from "../sandbox/check-command.ts";
import { howItEnded } from "../sandbox/how-it-ended.ts";
import { sourceOverlays } from "../sandbox/overlays.ts";

export interface InstallerRequest {
  machine: Machine;
  /** A work directory of the caller. */
  work: string;
  command: readonly string[];
  /** Files and directories of this host that the installer needs. */
  with: readonly string[];
  network: "own" | "host";
  signal: AbortSignal;
}

/** Where files of --with are; the installer starts there. */
export const withDirectory = "/.tranship/install";
const policy = "/usr/sbin/policy-rc.d";

/** What is put into the installer's view by us: no part of the difference. */
export const ownFiles: ReadonlySet<string> = new Set([policy]);

export interface Installation {
  /** The machine after it; the caller closes it, and with that all that the installer wrote is let go. */
  after: Machine;
  /** Nanoseconds since the epoch, in the clock of the file systems: before anything was changed. */
  since: bigint;
  /** Where the overlays begin. */
  roots: ByteString[];
}

export async function runInstaller(request: InstallerRequest): Promise<Installation> {
  const { machine, work, signal } = request;
  const command = await installerCommand(machine, request.command, request.with);
  const since = momentIn(work);
  const overlays = sourceOverlays(machine, work);
  const mounts = [
    ...overlays,
    ...systemMounts(),
    ...withMounts(request.with, work),
    ...(await quietServices(machine, work)),
  ];
  step("start the installer");
  const installer = startEnter(
    sandboxCall({
      mounts,
      network: request.network,
      command: {
        argv: command.map(encodeText),
        cwd: request.with.length > 0 ? withDirectory : "/",
        clearEnv: true,
        env: installerEnvironment,
      },
    }),
    { stdio: ["inherit", 2, 2], hold: true },
  );
  const kill = (): void => {
    installer.child.kill("SIGKILL");
  };
  signal.addEventListener("abort", kill, { once: true });
  let holder: EnterProcess | undefined;
  try {
    const { pid } = await installer.ready.catch((cause: unknown) => {
      throw noSandbox(machine, cause);
    });
    holder = await holdMounts(pid);
    if (signal.aborted) kill();
    const start = processStartTime(pid) ?? "";
    installer.release();
    const status = await installer.exit;
    // PID 1 goes last: then nothing of the installer writes any more.
    while (start !== "" && processAlive(pid, start)) await new Promise((done) => setTimeout(done, 5));
    step("the installer has ended");
    if (signal.aborted) throw new TranshipError("E_INTERRUPTED", "the installation was stopped");
    if (status !== 0) throw failed(request.command, status);
    const { pid: kept } = await holder.ready;
    return { after: after(machine, holder, kept), since, roots: overlays.map((mount) => mount.target) };
  } catch (error) {
    kill();
    await installer.exit.catch(() => {});
    await release(holder);
    if (signal.aborted && !(error instanceof TranshipError && error.code === "E_INTERRUPTED"))
      throw new TranshipError("E_INTERRUPTED", "the installation was stopped", { cause: error });
    throw error;
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

/** Not the clock of programs, which runs ahead of that of file systems by some milliseconds. */
function momentIn(work: string): bigint {
  const file = join(work, "before");
  writeFileAtomic(file, "", { volatile: true });
  return statSync(file, { bigint: true }).ctimeNs;
}

/** An installer of --with may be named as it is there: ./setup, setup.sh after sh, app.deb after dpkg -i. */
export async function installerCommand(
  machine: Machine,
  command: readonly string[],
  given: readonly string[],
): Promise<string[]> {
  const [program = "", ...rest] = command;
  const own = given.find((path) => program === `./${basename(resolve(path))}`);
  if (own === undefined && !program.startsWith("./")) return await checkCommand(machine, command);
  if (own !== undefined && statSync(own, { throwIfNoEntry: false })?.isFile())
    return [`${withDirectory}/${basename(resolve(own))}`, ...rest];
  const below = given.find((path) => program.startsWith(`./${basename(resolve(path))}/`));
  if (below !== undefined) return [`${withDirectory}/${program.slice(2)}`, ...rest];
  return await checkCommand(machine, command);
}

const installerEnvironment = {
  PATH: insidePath,
  HOME: "/root",
  LANG: "C.UTF-8",
  TERM: "dumb",
  DEBIAN_FRONTEND: "noninteractive",
};

function systemMounts(): EnterMount[] {
  return [
    { kind: "proc", target: "/proc" },
    { kind: "dev", target: "/dev" },
    { kind: "sys", target: "/sys" },
    { kind: "dir", target: "/.tranship", mode: 0o755 },
    { kind: "dir", target: withDirectory, mode: 0o755 },
  ];
}

/** A directory may be written to (make builds there), and stays as it is on this host all the same. */
function withMounts(given: readonly string[], work: string): EnterMount[] {
  return given.map((path, index): EnterMount => {
    const source = resolve(path);
    const stat = statSync(source, { throwIfNoEntry: false });
    if (stat === undefined) {
      throw new TranshipError("E_USAGE", `--with ${path} does not exist on this host`, {
        hint: "name a file or a directory that the installer needs",
      });
    }
    const target = encodeText(`${withDirectory}/${basename(source)}`);
    if (!stat.isDirectory()) return { kind: "bind", source: encodeText(source), target, readOnly: true };
    const layer = join(work, `with-${index}`);
    for (const name of ["upper", "work"]) makeDirectory(join(layer, name), 0o755);
    return {
      kind: "overlay",
      target,
      lowers: [encodeText(source)],
      upper: { dir: encodeText(join(layer, "upper")), work: encodeText(join(layer, "work")) },
      volatile: true,
    };
  });
}

/** Debian's scripts start what they install, unless this script refuses it: a package's services are started by its init. */
async function quietServices(machine: Machine, work: string): Promise<EnterMount[]> {
  const { files } = machine;
  const debian = (await files.resolve("/usr/sbin/invoke-rc.d")).entry !== undefined;
  if (!debian || (await files.stat(policy)) !== undefined) return [];
  const refuse = join(work, "policy-rc.d");
  writeFileAtomic(refuse, "#!/bin/sh\nexit 101\n", { mode: 0o755, volatile: true });
  return [{ kind: "bind", source: encodeText(refuse), target: policy, readOnly: true }];
}

async function holdMounts(pid: number): Promise<EnterProcess> {
  step("hold the mounts of the installer");
  const program = openTree();
  try {
    const holder = startEnter(
      joinCall({
        pid,
        namespaces: ["mnt"],
        command: { argv: ["tree", "serve", "/"], cwd: "/", clearEnv: true, env: {}, execFd: firstFd },
      }),
      { stdio: ["pipe", "ignore", 2], fds: [program] },
    );
    holder.child.stdin?.on("error", () => {});
    await holder.ready;
    return holder;
  } finally {
    closeSync(program);
  }
}

function openTree(): number {
  try {
    return openSync(nativePath("tree"), "r");
  } catch (cause) {
    throw ioError("cannot open the native program tree", cause);
  }
}

async function release(holder: EnterProcess | undefined): Promise<void> {
  if (holder === undefined) return;
  holder.child.stdin?.end();
  holder.child.kill("SIGTERM");
  await holder.exit.catch(() => {});
}

function after(machine: Machine, holder: EnterProcess, pid: number): Machine {
  const root = `/proc/${pid}/root`;
  const files = new TreeFiles(root);
  const close = async (): Promise<void> => {
    await files.close();
    await release(holder);
  };
  return { address: machine.address, kind: "rootfs", root, files, live: false, notes: machine.notes, close };
}

function noSandbox(machine: Machine, cause: unknown): TranshipError {
  return new TranshipError(
    "E_CAPTURE_FAILED",
    `cannot set up the sandbox for ${machine.address}: ${(cause as Error).message}`,
    { hint: "namespaces and overlays need root; `tranship doctor` checks this host", cause },
  );
}

function failed(command: readonly string[], status: number): TranshipError {
  return new TranshipError("E_CAPTURE_FAILED", `the installer ${command.join(" ")} ${howItEnded(status)}`, {
    hint: "a package is made only from an installation that succeeded; its output is above. It has no network unless --network host is given",
    details: { status },
  });
}
