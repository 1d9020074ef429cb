// Each start of an instance of the in-process engine: what native/supervise and native/engine are told.
import { chmodSync, copyFileSync, existsSync, fchmodSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, writeFilePlain } from "../../host/files.ts";
import { nativePath } from "../../host/native.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { changeBelow } from "../../host/untrusted.ts";
import { encodePolicy } from "../../redirect/policy-codec.ts";
import { environmentOf, forgetRun, givePlan, giveRun } from "../bundle.ts";
import { clockWords, runningClock } from "../elements.ts";
import { instanceIds } from "../find.ts";
import { takenAt } from "../identity/identity.ts";
import { leaseIdentity } from "../identity/lease.ts";
import { initPath } from "../image.ts";
import type { InstancePaths } from "../instance-paths.ts";
import type { Chain, Launching } from "../launch.ts";
import type { InstanceRecord } from "../record.ts";
import { requireSecret } from "../secrets.ts";
import { lookUpUser, type User } from "../user.ts";
import { isInProcess } from "./apart.ts";
import { giveClockPage } from "./clock-page.ts";
import { confineWords, giveConfinement, giveShm } from "./confine.ts";
import { identityRules } from "./identity.ts";
import { instancePolicy, type PolicyInput, placeOf } from "./policy.ts";
import { giveRulesPage } from "./rules-page.ts";
import { writeNames } from "./tree.ts";
import { becomeWords, giveUsersPage, idWords, usersWords } from "./users.ts";
import { onHost, prepareVolumes } from "./volumes.ts";

export interface Prepared {
  readonly command: readonly string[];
  /** For native/supervise: where and as whom the command begins. */
  readonly words: readonly string[];
}

export async function prepareEngine({
  root,
  instance: { paths, record },
  launch,
}: Launching): Promise<Prepared> {
  for (const { target, source } of record.secrets) if (target.startsWith("/")) requireSecret(source);
  const taken = takenAt(record, launch);
  await leaseIdentity(root, record.id, taken);
  const user = userOf(paths.tree, record.user, record.users === "view");
  await writeNames(record, paths.tree);
  givePlan(paths, [paths.tree]);
  forgetRun(paths);
  rmSync(paths.main, { force: true });
  const detached = launch.mode === "detached";
  const input = { record, forward: !detached && !record.terminal, detached };
  const variables = environmentOf(input, user.home);
  writeFilePlain(paths.environment, variables.map((one) => `${one}\0`).join(""), 0o600);
  giveEngine(paths);
  if (process.getuid?.() === 0) letOthersPass(root, paths, user);
  await prepareVolumes(root, paths.tree, record);
  const identity = identityRules({ paths, record }, launch);
  giveShm(paths, record);
  writePolicy({ paths, record: onHost(root, record), identity, mac: taken.mac });
  writeFilePlain(paths.started, JSON.stringify({ identity, mac: taken.mac }), 0o600);
  giveRulesPage(paths.rules);
  const start = placeOf(onHost(root, record), paths.tree, record.workingDirectory);
  giveUsersPage(paths.users, record);
  giveClockPage(
    paths.clock,
    runningClock(record.elements, BigInt(Date.parse(launch.startedAt)) * 1_000_000n),
  );
  const clock = [...clockWords(record.elements, launch.startedAt), ...clockPageWords(paths)];
  const log = logWords(paths, record);
  await giveConfinement(paths, onHost(root, record));
  return {
    command: [
      ...[...engineWords(paths, record), ...clock, ...log, ...idWords(record, user)],
      ...[initPath, ...record.command],
    ],
    words: [
      ...(detached ? [] : ["--bound"]),
      ...["--main-file", paths.main, "--directory", ...start, "--environment-file", paths.environment],
      ...becomeWords(record, user),
      ...confineWords(paths, record),
    ],
  };
}

/** By the record alone: what a package's file says later does not change an instance. Nothing of it runs now. */
function writePolicy(input: PolicyInput): void {
  step("policy");
  writeFilePlain(input.paths.policy, encodePolicy(instancePolicy(input)), 0o644);
}

/** Its own engine and what it has to know; a program and its arguments follow. */
export function engineWords(paths: InstancePaths, record: InstanceRecord): string[] {
  const { redirections } = record;
  const copies = (redirections?.rules ?? []).some(({ mode }) => mode === "write-copy");
  return [
    ...[paths.engine, `--policy=${paths.policy}`, "--package=/"],
    // What an earlier version has started knows of none.
    ...(existsSync(paths.rules) ? [`--rules=${paths.rules}`] : []),
    ...(copies ? [`--copies=${paths.redirect}`] : []),
    ...(redirections?.host ?? []).map((path) => `--allow-host=${path}`),
    ...usersWords(paths, record),
  ];
}

/** How the clock runs by now goes before how it began. */
export function clockPageWords({ clock }: InstancePaths): string[] {
  return existsSync(clock) ? [`--clock-page=${clock}`] : [];
}

/** Every user of the instance writes there, and nobody into another one's file. */
export function logWords({ led }: InstancePaths, { logsRedirections }: InstanceRecord): string[] {
  if (logsRedirections !== true) return [];
  if (!existsSync(led)) mkdirSync(led);
  chmodSync(led, 0o1777);
  return [`--log=${led}`];
}

/** The command that a monitor waits for. */
export async function detachedChain(launching: Launching): Promise<Chain> {
  const { command, words } = await prepareEngine(launching);
  return { command: [nativePath("supervise"), "--become", ...words, "--", ...command], lastPart: [] };
}

/** A copy of its own: an upgrade concerns later starts only, and it tells the instance's processes from all others. */
function giveEngine({ engine }: InstancePaths): void {
  const fresh = `${engine}.new`;
  copyFileSync(nativePath("engine"), fresh);
  chmodSync(fresh, 0o755);
  step("engine");
  renameSync(fresh, engine);
}

/** An ordinary user's programs are that user's, whoever the package has them run as, but for what the view of users shows. */
export function userOf(tree: string, wanted: string, view: boolean): User {
  if (process.getuid?.() === 0 || view) return lookUpUser([tree], wanted);
  return { ...lookUpUser([tree], ""), uid: 0 };
}

/** Those of earlier versions were 0711. */
function closeToOthers(directory: string): void {
  try {
    chmodSync(directory, 0o700);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error; // removed a moment ago
  }
}

/** Programs of the package that run as others than root have to come to its files. No other instance is opened by that. */
function letOthersPass(root: StateRoot, paths: InstancePaths, user: User): void {
  for (const id of instanceIds(root)) if (!isInProcess(root, id)) closeToOthers(join(root.instances, id));
  changeBelow((fd) => fchmodSync(fd, 0o700), paths.run, "log");
  chmodSync(paths.directory, 0o711);
  chmodSync(root.instances, 0o711);
  giveRun(paths, user);
}
