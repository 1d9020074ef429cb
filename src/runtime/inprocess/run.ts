// run --engine inprocess: an instance without namespaces, in the foreground. Its init is started by native/engine, which then is in every process that
// comes of it. docs/internals/engine.md has the engine; decision 55 why it is started so.
import { chmodSync, chownSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../../base/log.ts";
import { errnoOf, writeFilePlain } from "../../host/files.ts";
import { nativePath } from "../../host/native.ts";
import { removeTree } from "../../host/remove-tree.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { encodeInitPlan } from "../../package/init-codec.ts";
import { encodePolicy } from "../../redirect/policy-codec.ts";
import { checkSecrets, environmentOf, givePlan } from "../bundle.ts";
import { type CreateOptions, createInstance, newLaunch } from "../create.ts";
import { type Draft, makeDraft } from "../draft.ts";
import { giveUp } from "../end.ts";
import { noteStart } from "../events/note.ts";
import { type Instance, instanceIds } from "../find.ts";
import { runForeground } from "../foreground.ts";
import { initPath, type OpenPackage, openPackage } from "../image.ts";
import type { Chain } from "../launch.ts";
import { type InstancePaths, instancePaths, pathsIn } from "../record.ts";
import { repairInstances } from "../repair.ts";
import { lookUpUser, type User } from "../user.ts";
import { hasNamespaceInstances, isInProcess } from "./apart.ts";
import { notHeld } from "./not-held.ts";
import { planForOne } from "./one-user.ts";
import { instancePolicy, placeOf } from "./policy.ts";
import { copyPackage, ordinaryUser, writeNames } from "./tree.ts";

/** Does not return: see runForeground(). `self`: our own command line up to the verb. */
export async function runInProcess(
  root: StateRoot,
  options: CreateOptions,
  self: readonly string[],
  log: Log,
): Promise<never> {
  // Those that were made in a user namespace are for the next command in there.
  if (process.getuid?.() === 0 || !hasNamespaceInstances(root)) await repairInstances(root, log, false);
  const draft = makeDraft(root);
  const opened = await openCopied(root, options, draft, log);
  const chosen: CreateOptions = {
    ...options,
    engine: "inprocess",
    network: "host",
    identity: { ...options.identity, fresh: true },
  };
  const launch = newLaunch("foreground", true, "engine");
  const { record } = await createInstance(root, chosen, { package: opened, draft }, launch);
  const instance = { paths: instancePaths(root, record.id), record };
  const launching = { root, instance, launch, layers: [instance.paths.tree], log };
  try {
    checkSecrets(record, opened);
    const { words, chain } = prepareEngine(root, instance, opened);
    noteStart(root, record, launch);
    return runForeground(launching, chain, self, words);
  } catch (error) {
    await giveUp(launching, error);
    throw error;
  }
}

/** The package, read from the copy of its tree that is made in the draft. What of its wishes is not held is told, and left out. */
async function openCopied(
  root: StateRoot,
  options: CreateOptions,
  draft: Draft,
  log: Log,
): Promise<OpenPackage> {
  const { reference, descriptorFile, services = [] } = options;
  try {
    const { tree } = pathsIn(draft.path);
    const opened = await openPackage(root, reference, log, {
      ...(descriptorFile === undefined ? {} : { descriptorFile }),
      services,
      layers: async () => {
        step("copy the package");
        await copyPackage(root, reference, tree);
        return [tree];
      },
    });
    for (const words of notHeld(opened)) log.warn(`${reference}: ${words}`);
    const { facts, descriptor, plan, givenPlan } = opened;
    const one = ordinaryUser();
    return {
      ...opened,
      givenPlan: one === undefined || plan === undefined ? givenPlan : encodeInitPlan(planForOne(plan, one)),
      // They are in its own copy, which is its alone.
      volumes: [],
      facts: facts === null ? null : { ...facts, limits: {}, syscalls: { profile: "off" } },
      descriptor:
        descriptor === undefined
          ? undefined
          : { ...descriptor, redirections: { ...descriptor.redirections, network: [] } },
    };
  } catch (error) {
    removeTree(draft.path);
    throw error;
  }
}

interface Prepared {
  chain: Chain;
  /** For native/supervise. */
  words: readonly string[];
}

function prepareEngine(root: StateRoot, { paths, record }: Instance, opened: OpenPackage): Prepared {
  const user = userOf(paths.tree, record.user);
  writeNames(record, paths.tree);
  givePlan(paths);
  const policy = encodePolicy(instancePolicy({ record, paths, descriptor: opened.descriptor }));
  writeFilePlain(paths.policy, policy, 0o644);
  const variables = environmentOf({ record, forward: !record.terminal, detached: false }, user.home);
  writeFilePlain(paths.environment, variables.map((one) => `${one}\0`).join(""), 0o600);
  // A copy of its own: an upgrade concerns later instances only, and it tells the instance's processes from all others.
  copyFileSync(nativePath("engine"), paths.engine);
  chmodSync(paths.engine, 0o755);
  if (process.getuid?.() === 0) letOthersPass(root, paths, user);
  const start = placeOf(record, paths.tree, record.workingDirectory);
  const command = [paths.engine, `--policy=${paths.policy}`, "--package=/", initPath, ...record.command];
  return {
    chain: { command, lastPart: [] },
    words: [
      ...["--bound", "--directory", ...start, "--environment-file", paths.environment],
      ...(user.uid === 0 ? [] : ["--user", [user.uid, user.gid, ...user.groups].join(":")]),
    ],
  };
}

/** An ordinary user's programs are that user's, whoever the package has them run as. */
function userOf(tree: string, wanted: string): User {
  if (process.getuid?.() === 0) return lookUpUser([tree], wanted);
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
function letOthersPass(root: StateRoot, { directory, run }: InstancePaths, user: User): void {
  for (const id of instanceIds(root)) if (!isInProcess(root, id)) closeToOthers(join(root.instances, id));
  chmodSync(join(run, "log"), 0o700);
  chmodSync(directory, 0o711);
  chmodSync(root.instances, 0o711);
  if (user.uid === 0) return;
  // init is this user then, and writes its log and its records.
  for (const path of [run, join(run, "log")]) chownSync(path, user.uid, user.gid);
}
