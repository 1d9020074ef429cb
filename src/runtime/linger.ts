// The network after the last foreground instance: taking down a bridge waits for the kernel (some 50 ms), and the next
// `run` would set it up again. So a process in the background does it when nothing has come for a while.
import { spawn } from "node:child_process";
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { readText, writeFileAtomic } from "../host/files.ts";
import { processAlive, processStartTime } from "../host/lock.ts";
import { installRoot } from "../host/native.ts";
import type { StateRoot } from "../host/state-root.ts";
import { releaseHost } from "./end.ts";
import { lingerSeconds } from "./linger-time.ts";
import { pause } from "./processes.ts";

/** The waiting process: a shell, which becomes us only to do the work. Its file, which is no lock, keeps a second one away. */
const script = 'sleep "$T_WAIT"; exec "$T_BIN" --root "$T_ROOT" internal network-idle';

function waiterFile(root: StateRoot): string {
  return join(root.path, "network/waiter");
}

function usedFile(root: StateRoot): string {
  return join(root.path, "network/used");
}

export async function releaseLater(root: StateRoot, log: Log): Promise<void> {
  const seconds = lingerSeconds();
  if (seconds === 0) {
    await releaseHost(root, log);
    return;
  }
  if (!existsSync(join(root.path, "network/bridge.json"))) return;
  writeFileSync(usedFile(root), "");
  if (waiterAlive(root)) return;
  const child = spawn("/bin/sh", ["-c", script, "network-idle"], {
    cwd: "/",
    detached: true,
    stdio: "ignore",
    env: {
      ...process.env,
      T_WAIT: String(seconds),
      T_BIN: join(installRoot, "bin/tranship"),
      T_ROOT: root.path,
    },
  });
  child.on("error", () => {}); // the next command does it
  child.unref();
  const startTime = child.pid === undefined ? undefined : processStartTime(child.pid);
  if (startTime !== undefined)
    writeFileAtomic(waiterFile(root), `${child.pid} ${startTime}\n`, { volatile: true });
}

/** What the waiting process becomes. */
export async function networkIdle(root: StateRoot, log: Log): Promise<void> {
  const seconds = lingerSeconds();
  for (;;) {
    const used = statSync(usedFile(root), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const left = used + seconds * 1000 - Date.now();
    if (left <= 0) break;
    await pause(left);
  }
  rmSync(waiterFile(root), { force: true });
  rmSync(usedFile(root), { force: true });
  await releaseHost(root, log);
}

export function waiterAlive(root: StateRoot): boolean {
  const [pid = "", startTime = ""] = (readText(waiterFile(root)) ?? "").trim().split(" ");
  return pid !== "" && processAlive(Number(pid), startTime);
}
