// The old machine of the demo: a Debian 11 root file system with the guest book, built once by demo/build-source and kept.
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { makeDirectory } from "../../host/files.ts";
import { installRoot } from "../../host/native.ts";
import { run } from "../../host/process.ts";
import type { Context } from "../context.ts";

/** The application, its exercises and what builds the machine. */
export const demoFiles = join(installRoot, "demo");

/** Where the machine is kept: DIR of --cache, else a cache directory. */
export function oldMachineRoot(cache: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  if (cache !== undefined) return resolve(cache);
  if (process.getuid?.() === 0) return "/var/cache/tranship/demo-lamp/root";
  const base = env.XDG_CACHE_HOME;
  return join(
    base !== undefined && base !== "" ? base : join(homedir(), ".cache"),
    "tranship/demo-lamp/root",
  );
}

const mostBuildTime = 3_600_000;

/** Builds the machine where it is not there as this version of the demo wants it. */
export async function buildOldMachine(root: string, context: Context): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new TranshipError("E_NEEDS_ROOT", "the demo needs root", {
      hint: "it builds a Debian 11 system with its owners and devices, and runs it in namespaces: sudo tranship demo",
    });
  }
  const built = await run(join(demoFiles, "build-source"), ["--check", root]);
  if (built.status === 0) return;
  if ((await run("sh", ["-c", "command -v debootstrap unshare"])).status !== 0) {
    throw new TranshipError("E_TOOL_MISSING", "debootstrap, which builds the old machine, is not installed", {
      hint: "run scripts/setup, or: apt-get install debootstrap util-linux",
    });
  }
  makeDirectory(dirname(root), 0o755);
  context.say(
    `The old machine is built first, once, in ${root}: this takes some minutes and needs the network.`,
  );
  // In a pid namespace of its own: when it is interrupted, nothing of debootstrap goes on.
  const words = ["--pid", "--fork", "--kill-child", join(demoFiles, "build-source"), root];
  const result = await run("unshare", words, {
    inherit: true,
    signal: context.signal,
    timeout: mostBuildTime,
  });
  if (result.status === 0) return;
  throw new TranshipError("E_TOOL_FAILED", `demo/build-source ended with status ${result.status}`, {
    hint: `its log is ${root}.log; it fetches Debian 11 packages by debootstrap`,
  });
}
