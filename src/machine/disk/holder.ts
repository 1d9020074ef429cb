// A process that keeps mounts in a private namespace and dies with us: nothing is mounted on the host, and the kernel takes mounts and
// loop devices away with it. Files are reached through /proc/PID/root.
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { TranshipError } from "../../base/errors.ts";
import { spawnError } from "../../host/process.ts";

export interface Holder {
  pid: number;
  close(): Promise<void>;
}

const kept = 4096;

/** Runs the sh script, with arguments, in a mount namespace of its own; it has mounted all when it ends well. Rejects with what it said. */
export async function holdMounts(script: string, args: readonly string[]): Promise<Holder> {
  // The end of its input, which comes also when we are killed, ends it.
  const whole = `${script} || exit 1; echo mounted; exec 1>&-; read x; exit 0`;
  const child = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", whole, "sh", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    cwd: "/",
    detached: true,
  });
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (words.length < kept) words += chunk.toString("latin1");
  });
  child.stdin.on("error", () => {}); // told by its end
  const closed = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("error", (cause: NodeJS.ErrnoException) => reject(spawnError("unshare", cause)));
    child.once("close", () =>
      reject(new TranshipError("E_TOOL_FAILED", words.trim().slice(0, 500) || "mount failed")),
    );
  });
  const streams = [child.stdin, child.stdout, child.stderr].filter((stream) => stream instanceof Socket);
  child.unref();
  for (const stream of streams) stream.unref();
  return {
    pid: child.pid ?? 0,
    close: async () => {
      child.ref();
      for (const stream of streams) stream.ref();
      child.stdin.end();
      await closed;
    },
  };
}
