// run --engine inprocess: an instance without namespaces. Its init is started by native/engine, which then is in every process that
// comes of it. docs/internals/engine.md has the engine; decision 55 why it is started so.
import type { Log } from "../../base/log.ts";
import { removeTree } from "../../host/remove-tree.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { encodeInitPlan } from "../../package/init-codec.ts";
import { createInstance, newLaunch } from "../create.ts";
import type { CreateOptions } from "../create-options.ts";
import { type Draft, makeDraft } from "../draft.ts";
import { noteStart } from "../events/note.ts";
import { runForeground } from "../foreground.ts";
import { type OpenPackage, openPackage } from "../image.ts";
import { instancePaths, pathsIn } from "../instance-paths.ts";
import type { InstanceRecord } from "../record.ts";
import { repairInstances } from "../repair.ts";
import { checkOptions, type RunOptions, startDetached, startGuarded } from "../run.ts";
import { checkSecrets } from "../secrets.ts";
import { hasNamespaceInstances } from "./apart.ts";
import { notHeld } from "./not-held.ts";
import { planForOne } from "./one-user.ts";
import { prepareEngine } from "./start.ts";
import { copyPackage, ordinaryUser } from "./tree.ts";
import { viewsUsers } from "./users.ts";
import { prepareVolumes } from "./volumes.ts";

/** In the foreground it does not return: see runForeground(). */
export async function runInProcess(root: StateRoot, options: RunOptions, log: Log): Promise<InstanceRecord> {
  checkOptions(options);
  // Those that were made in a user namespace are for the next command in there.
  if (process.getuid?.() === 0 || !hasNamespaceInstances(root)) await repairInstances(root, log, false);
  const draft = makeDraft(root);
  const opened = await openCopied(root, options, draft, log);
  const chosen: CreateOptions = {
    ...options,
    engine: "inprocess",
    network: "host",
  };
  const mode = options.foreground === undefined ? "detached" : "foreground";
  const launch = newLaunch(mode, true, "engine");
  const { record } = await createInstance(root, chosen, { package: opened, draft }, launch);
  const instance = { paths: instancePaths(root, record.id), record };
  const launching = { root, instance, launch, layers: [instance.paths.tree], log };
  await startGuarded(launching, async () => {
    checkSecrets(record, opened);
    await prepareVolumes(root, instance.paths.tree, record);
    if (options.foreground === undefined) return await startDetached(launching);
    const { command, words } = await prepareEngine(launching);
    noteStart(root, record, launch);
    runForeground(launching, { command, lastPart: [] }, options.foreground, words);
  });
  return record;
}

/** The package, read from the copy of its tree that is made in the draft. What of its wishes is not held is told, and left out. */
async function openCopied(
  root: StateRoot,
  options: CreateOptions,
  draft: Draft,
  log: Log,
): Promise<OpenPackage> {
  const { reference, descriptorFile, linked: chosen = [], services = [] } = options;
  try {
    const { tree } = pathsIn(draft.path);
    const opened = await openPackage(root, reference, log, {
      ...(descriptorFile === undefined ? {} : { descriptorFile }),
      linked: chosen,
      services,
      inProcess: true,
      layers: async (descriptor, linked) => {
        step("copy the package");
        const whole = { reference, below: linked.map(({ digest }) => digest) };
        await copyPackage(root, whole, tree, viewsUsers(options.users, descriptor));
        return [tree];
      },
    });
    for (const words of notHeld(opened, options.health, options.confine)) log.warn(`${reference}: ${words}`);
    const { facts, plan, givenPlan } = opened;
    const one = viewsUsers(options.users, opened.descriptor) ? undefined : ordinaryUser();
    return {
      ...opened,
      // Those that nobody names are in its own copy, which is its alone.
      givenPlan: one === undefined || plan === undefined ? givenPlan : encodeInitPlan(planForOne(plan, one)),
      facts: facts === null ? null : { ...facts, limits: {}, syscalls: { profile: "off" } },
    };
  } catch (error) {
    removeTree(draft.path);
    throw error;
  }
}
