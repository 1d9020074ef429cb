// Instances of an ordinary user: the command goes on in a user namespace in which the user is root, kept by one sleeping process for each
// state root. All else is as it is for root: the same code, in namespaces that reach no further than the user does.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { become } from "../become.ts";
import { bootId } from "../boot-id.ts";
import { readJson, writeFileAtomic } from "../files.ts";
import { acquireLock, processAlive, processStartTime } from "../lock.ts";
import { nativePath } from "../native.ts";
import { runChecked } from "../process.ts";
import type { StateRoot } from "../state-root.ts";
import { outsideProgram, ownRange, rootlessNeeds } from "./needs.ts";
import { linkOutside } from "./outside.ts";

/** rootless.json of the state root. */
export interface Holder {
  bootId: string;
  pid: number;
  startTime: string;
}

/**
 * Never returns: this process becomes `command` in the namespaces of the state root. E_NEEDS_ROOT lists everything that is missing.
 */
export async function enterRootless(root: StateRoot, command: readonly string[], log: Log): Promise<never> {
  const holder = await ensureHolder(root, log);
  process.env.TRANSHIP_ROOTLESS = String(process.getuid?.());
  process.env.TRANSHIP_ROOT = root.path;
  // Ordinary users have no programs of administrators on theirs: nft.
  process.env.PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
  return become([nativePath("rootless"), "join", String(holder), ...command]);
}

async function ensureHolder(root: StateRoot, log: Log): Promise<number> {
  const known = holderOf(root);
  if (known !== undefined) return known;
  const lock = await acquireLock(join(root.locks, "rootless"), "rootless");
  try {
    const made = holderOf(root);
    if (made !== undefined) return made;
    const other = recorded(root) === undefined ? undefined : anotherInside(root);
    return await keep(root, other ?? (await makeHolder()), log);
  } finally {
    lock.release();
  }
}

/** The process that keeps the namespaces. */
function holderOf(root: StateRoot): number | undefined {
  const known = recorded(root);
  return known !== undefined && processAlive(known.pid, known.startTime) ? known.pid : undefined;
}

function recorded(root: StateRoot): Holder | undefined {
  try {
    const known = readJson(join(root.path, "rootless.json")) as Holder | null | undefined;
    return known?.bootId === bootId() ? known : undefined;
  } catch (error) {
    if (!isTranshipError(error, "E_STATE_CORRUPT")) throw error;
    return { bootId: bootId(), pid: 0, startTime: "" }; // damaged: there may be one, which is looked for
  }
}

/** Where the one that was made for it was killed: one that waits for an instance keeps them too. */
function anotherInside(root: StateRoot): number | undefined {
  const ours = readlinkSync("/proc/self/ns/user");
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
      const waits =
        words[0] === "/bin/sh" && words.some((word) => word.startsWith(`${root.path}/instances/`));
      if (waits && readlinkSync(`/proc/${pid}/ns/user`) !== ours) return Number(pid);
    } catch {} // gone, or somebody else's
  }
  return undefined;
}

async function makeHolder(): Promise<number> {
  const missing = rootlessNeeds().filter((need) => need.state === "fail");
  const [uids, gids] = [ownRange("/etc/subuid"), ownRange("/etc/subgid")];
  if (missing.length > 0 || uids === undefined || gids === undefined) {
    throw new TranshipError(
      "E_NEEDS_ROOT",
      `an ordinary user cannot run instances here: ${missing.map((need) => `${need.name}: ${need.found}`).join("; ")}`,
      { hint: `as root: ${missing.map((need) => need.remedy).join("; ")}` },
    );
  }
  const numbers = [
    process.getuid?.() ?? 0,
    uids.first,
    uids.count,
    process.getgid?.() ?? 0,
    gids.first,
    gids.count,
  ];
  const stdout = await runChecked(nativePath("rootless"), ["hold", ...numbers.map(String)]);
  return Number(stdout.trim());
}

async function keep(root: StateRoot, pid: number, log: Log): Promise<number> {
  const holder = { bootId: bootId(), pid, startTime: processStartTime(pid) ?? "" };
  writeFileAtomic(join(root.path, "rootless.json"), `${JSON.stringify(holder satisfies Holder)}\n`);
  const program = outsideProgram();
  if (program === undefined)
    log.warn("instances reach each other, but not the outside: `tranship doctor` says what is missing");
  else await linkOutside(root.path, program, pid, log);
  return pid;
}
