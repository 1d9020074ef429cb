// The network after the last foreground instance: taking down a bridge waits for the kernel (some 50 ms), and the next
// `run` would set it up again. So a process in the background does it when nothing has come for a while.
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { readText, writeFileAtomic } from "../host/files.ts";
import { processAlive, processStartTime } from "../host/lock.ts";
import { installRoot } from "../host/native.ts";
import { childProcess } from "../host/process.ts";
import type { StateRoot } from "../host/state-root.ts";
import { releaseHost } from "./end.ts";
import { lingerSeconds } from "./linger-time.ts";
import { upFile } from "./network/up.ts";
import { pause } from "./processes.ts";

/** The waiting process: a shell, which becomes us only to do the work. Its file, which is no lock, keeps a second one away. */
export function waiterCommand(root: StateRoot): readonly string[] {
  const script = 'sleep "$1"; exec "$2" --root "$3" internal network-idle';
  const values = [String(lingerSeconds()), join(installRoot, "bin/tranship"), root.path];
  return ["/bin/sh", "-c", script, "network-idle", ...values];
}

/** For native/supervise too, which does what releaseLater() does. */
export function lingerFiles(root: StateRoot): { bridge: string; used: string; waiter: string } {
  const file = (name: string): string => join(root.path, "network", name);
  return { bridge: upFile(root), used: file("used"), waiter: file("waiter") };
}

export async function releaseLater(root: StateRoot, log: Log): Promise<void> {
  const seconds = lingerSeconds();
  if (seconds === 0) {
    await releaseHost(root, log);
    return;
  }
  const { bridge, used, waiter } = lingerFiles(root);
  if (!existsSync(bridge)) return;
  writeFileSync(used, "");
  if (waiterAlive(root)) return;
  const [shell = "", ...words] = waiterCommand(root);
  const child = childProcess().spawn(shell, words, { cwd: "/", detached: true, stdio: "ignore" });
  child.on("error", () => {}); // the next command does it
  child.unref();
  const startTime = child.pid === undefined ? undefined : processStartTime(child.pid);
  if (startTime !== undefined) writeFileAtomic(waiter, `${child.pid} ${startTime}\n`, { volatile: true });
}

/** What the waiting process becomes. */
export async function networkIdle(root: StateRoot, log: Log): Promise<void> {
  const seconds = lingerSeconds();
  const { used, waiter } = lingerFiles(root);
  // Nobody has used it for so long when its time has not changed for so long: the clock may be set meanwhile.
  for (let seen: number | undefined; ; ) {
    const last = statSync(used, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (last === seen) break;
    const left = last + seconds * 1000 - Date.now();
    if (left <= 0) break;
    await pause(Math.min(left, seconds * 1000));
    seen = last;
  }
  rmSync(waiter, { force: true });
  rmSync(used, { force: true });
  await releaseHost(root, log);
}

export function waiterAlive(root: StateRoot): boolean {
  const [pid = "", startTime = ""] = (readText(lingerFiles(root).waiter) ?? "").trim().split(" ");
  return pid !== "" && processAlive(Number(pid), startTime);
}
