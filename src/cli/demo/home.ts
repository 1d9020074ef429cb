// The demo's own place: a state root in a temporary directory, so that nothing of the user's is touched. What a killed demo left
// is removed by the next one.
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../base/log.ts";
import { readText, writeFileAtomic } from "../../host/files.ts";
import { processAlive, processStartTime } from "../../host/lock.ts";
import { openStateRoot, type StateRoot } from "../../host/state-root.ts";
import { networkNames } from "../../runtime/network/devices.ts";
import { runVerb } from "./stage.ts";

const prefix = "tranship-demo-";
/** Named while the demo runs; a kept demo has none and is left to the user. */
const ownerFile = "demo-owner";
export const instanceNames = ["one", "two"] as const;

export function makeHome(): StateRoot {
  const root = openStateRoot(mkdtempSync(join(tmpdir(), prefix)));
  const words = `${process.pid} ${processStartTime(process.pid) ?? ""}\n`;
  writeFileAtomic(join(root.path, ownerFile), words, { volatile: true });
  return root;
}

/** --keep: the next demo leaves it alone. */
export function keepHome(root: StateRoot): void {
  rmSync(join(root.path, ownerFile), { force: true });
}

/** Stops and removes whatever of a demo is left, also in the middle of a stage. */
export async function removeHome(path: string): Promise<void> {
  // What ended early is repaired by the verb itself; instances that never came to be are no failure here.
  const never = new AbortController();
  for (const name of instanceNames) {
    await runVerb(["rm", "--force", "--volumes", name], {
      env: { ...process.env, TRANSHIP_ROOT: path, TRANSHIP_NETWORK_LINGER: "0" },
      signal: never.signal,
      shown: false,
      quiet: true,
    });
  }
  // Who watched over an instance says in its home that it has ended.
  await gone(openStateRoot(path));
  // The owner goes last: a removal that is killed is finished by the next demo.
  const names = readdirSync(path).filter((name) => name !== ownerFile);
  for (const each of [...names.map((name) => join(path, name)), path])
    rmSync(each, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

const patience = 15_000;

/** Waits until nothing of a home is seen any more. Returns what still is; it may be a moment: the bridge goes last. */
export async function gone(root: StateRoot): Promise<string[]> {
  const deadline = Date.now() + patience;
  for (;;) {
    const left = leftovers(root);
    if (left.length === 0 || Date.now() > deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Homes of demos that were killed: ours by owner and name, and their process is gone. */
export async function sweepHomes(log: Log): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((one) => one.startsWith(prefix))) {
    const path = join(tmpdir(), name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory() !== true || stat.uid !== process.getuid?.()) continue;
    const owner = readText(join(path, ownerFile));
    if (owner === undefined) continue;
    const [pid = "", startTime = ""] = owner.trim().split(" ");
    if (processAlive(Number(pid), startTime)) continue;
    log.info(`removing what an earlier demo left in ${path}`);
    await removeHome(path);
  }
}

/** What of a home can still be seen on this host; [] when all is clean. */
function leftovers(root: StateRoot): string[] {
  const found: string[] = [];
  const { bridge } = networkNames(root);
  if (readdirSync("/sys/class/net").includes(bridge)) found.push(`network device ${bridge}`);
  for (const line of (readText("/proc/self/mountinfo") ?? "").split("\n"))
    if (line.includes(root.path)) found.push(`mount ${line}`);
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const words = commandOf(pid);
    if (Number(pid) !== process.pid && words.includes(root.path)) found.push(`process ${pid}: ${words}`);
  }
  return found;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
  } catch {
    return ""; // it has ended meanwhile
  }
}
