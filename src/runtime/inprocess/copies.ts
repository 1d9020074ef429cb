// The directories of what an instance writes by the mode write-copy in process: as overlayfs has them, so that mounts and the engine read the same.
//
//   redirect/N/upper  what the N-th rule's place shows before all others; of a single file the directory of it
//   redirect/N/work   copies in the making
//   redirect/changes  a page that counts changes, which all processes of the instance map
import {
  chmodSync,
  closeSync,
  constants,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf } from "../../host/files.ts";
import { runChecked } from "../../host/process.ts";
import { step } from "../../host/steps.ts";
import { secretsBelow } from "../../redirect/host-paths.ts";
import type { InstancePaths } from "../instance-paths.ts";
import type { InstanceRecord, InstanceRedirection } from "../record.ts";
import { placeOf } from "./policy.ts";

/** As native/engine maps it. */
const pageSize = 4096;

/** In a draft. Whoever runs in the instance has to come to them, as the engine copies with the rights of the program. */
export async function buildCopies(paths: InstancePaths, record: InstanceRecord): Promise<void> {
  const { rules = [], host = [] } = record.redirections ?? {};
  for (const { made, mode } of rules) if (mode !== "hide") makeWay(paths.tree, made.at);
  if (!rules.some(({ mode }) => mode === "write-copy")) return;
  step("directories for copies");
  mkdirSync(paths.redirect);
  chmodSync(paths.redirect, 0o755);
  // What its processes count changes in: a user who may not make it here has to write to it.
  const changes = join(paths.redirect, "changes");
  writeFileSync(changes, Buffer.alloc(pageSize));
  chmodSync(changes, 0o666);
  for (const [index, rule] of rules.entries())
    if (rule.mode === "write-copy") await copiesOf(paths, record, rule, index, host);
}

/** The directories above a rule's place, which no rule shows. Where a file is in the way no path leads there. What runs in the instance may change them meanwhile. */
export function makeWay(tree: string, at: string): void {
  let fd = openSync(tree, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const name of dirname(at).split("/").filter(Boolean)) {
      const next = enter(`/proc/self/fd/${fd}/${name}`);
      if (next === undefined) return;
      closeSync(fd);
      fd = next;
    }
  } finally {
    closeSync(fd);
  }
}

/** A descriptor of a directory that is made where nothing is; undefined: it is none, or a link. */
function enter(path: string): number | undefined {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
}

async function copiesOf(
  paths: InstancePaths,
  record: InstanceRecord,
  rule: InstanceRedirection,
  index: number,
  allowed: readonly string[],
): Promise<void> {
  const own = join(paths.redirect, String(index));
  const [upper, work] = [join(own, "upper"), join(own, "work")];
  for (const directory of [own, upper, work]) mkdirSync(directory);
  chmodSync(own, 0o755);
  chmodSync(work, 0o1777);
  const { packaged, host } = lowersOf(paths.tree, record, rule);
  if (rule.match === "exact") {
    makeLike(upper, dirname(packaged ?? host ?? "/"));
    return;
  }
  makeLike(upper, packaged ?? host ?? "/", host ?? "/");
  if (host === undefined) return;
  for (const secret of secretsBelow(host, allowed))
    await hide(upper, secret.slice(host.length), packaged, host);
}

/** What lies below what is written by such a rule, as paths of this host. */
export function lowersOf(
  tree: string,
  record: Pick<InstanceRecord, "mounts">,
  { made }: InstanceRedirection,
): { packaged: string | undefined; host: string | undefined } {
  if (made.as !== "engine") return { packaged: undefined, host: undefined };
  const packaged = made.source === null ? undefined : join(...placeOf(record, tree, made.source));
  return { packaged, host: made.host ?? undefined };
}

/** A secret of the host stays out of sight; where the package has something there, that is seen. In a directory of both a rule of its own sees to it: see policy.ts. */
async function hide(upper: string, below: string, packaged: string | undefined, host: string): Promise<void> {
  if (packaged !== undefined && stopsAt(packaged, below)) return;
  const names = below.slice(1).split("/");
  for (let depth = 1; depth < names.length; depth++) {
    const above = `/${names.slice(0, depth).join("/")}`;
    const made = mkdirSync(`${upper}${above}`, { recursive: true });
    if (made !== undefined) makeLike(`${upper}${above}`, `${packaged ?? ""}${above}`, `${host}${above}`);
  }
  await runChecked("mknod", ["--mode=0", "--", `${upper}${below}`, "c", "0", "0"]);
}

/** Whether the package has this, or something above it that is no directory: then the host's is not seen. */
function stopsAt(packaged: string, below: string): boolean {
  const names = below.split("/").filter(Boolean);
  for (let depth = 1; depth <= names.length; depth++) {
    const stat = lstatSync(join(packaged, ...names.slice(0, depth)), { throwIfNoEntry: false });
    if (stat === undefined) return false;
    if (!stat.isDirectory()) return true;
  }
  return true;
}

/** Owner, mode and times of the first of `models` that is there. */
function makeLike(directory: string, ...models: string[]): void {
  const like = models.map((path) => statSync(path, { throwIfNoEntry: false })).find((stat) => stat);
  if (like?.isDirectory() !== true) return;
  giveOwner(directory, like);
  chmodSync(directory, like.mode & 0o7777);
  lutimesSync(directory, like.atime, like.mtime);
}

/** A copy of somebody else's directory is an ordinary user's own. */
function giveOwner(directory: string, { uid, gid }: Stats): void {
  try {
    lchownSync(directory, uid, gid);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") throw error;
  }
}
