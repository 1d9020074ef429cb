// Hooks of a deployment. In the package: those before its services run in the same instance, as its only program, so that what they write
// is there when services start; those after it beside the running services. On the host: only where that was allowed.
import { TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import { run } from "../../host/process.ts";
import { step } from "../../host/steps.ts";
import type { Descriptor, Hook, Hooks } from "../../package/descriptor.ts";
import { startInstance } from "../../runtime/run.ts";
import { stopInstance, waitInstance } from "../../runtime/stop.ts";
import { readLog } from "./last-lines.ts";
import type { DeployedVersion, DeploymentRecord } from "./record.ts";
import { changeRecord, isUp, type Tools } from "./versions.ts";

export type HookStage = keyof Hooks;

export interface HookScene {
  tools: Tools;
  record: DeploymentRecord;
  version: DeployedVersion;
  descriptor: Descriptor;
}

/** E_USAGE before anything is done, where a hook of the host was not allowed. */
export function checkHooks(descriptor: Descriptor, allowed: boolean): void {
  const { preInstall, postInstall, uninstall } = descriptor.hooks;
  const host = [...preInstall, ...postInstall, ...uninstall].filter((hook) => hook.where === "host");
  if (allowed || host.length === 0) return;
  const shown = host.map((hook) => (hook.command ?? []).join(" ")).slice(0, 5);
  throw new TranshipError("E_USAGE", `the package has hooks that run on this host: ${shown.join("; ")}`, {
    hint: "look at them with `tranship package show`, and give --allow-host-hooks",
    details: { hooks: host },
  });
}

/** In their order; the first that fails ends it. `told` is called before the first one of the host runs. */
export async function runHooks(scene: HookScene, stage: HookStage, told: () => void): Promise<void> {
  for (const [index, hook] of scene.descriptor.hooks[stage].entries()) {
    const { signal, log } = scene.tools;
    if (signal.aborted) throw new TranshipError("E_INTERRUPTED", "stopped before its hooks were done");
    const name = `${stage} hook ${index + 1} (${describe(hook)})`;
    log.info(`${scene.record.name}: ${name}`);
    if (hook.where === "host") told();
    step(`run the ${stage} hook`);
    const limit = hook.timeout === undefined ? undefined : parseDuration(hook.timeout);
    const result =
      hook.where === "host"
        ? await onHost(scene, hook, limit)
        : isUp(scene.tools.root, scene.version.instance)
          ? await beside(scene, hook, limit)
          : await alone(scene, hook, limit);
    if (result.status === 0) continue;
    throw new TranshipError(
      "E_HOOK_FAILED",
      `${name} of ${scene.record.name} ended with status ${result.status}`,
      {
        hint: result.said === "" ? "it said nothing" : `it said: ${result.said}`,
        details: { stage, hook, status: result.status },
      },
    );
  }
}

interface HookResult {
  status: number;
  /** Its last lines. */
  said: string;
}

function describe({ program, command }: Hook): string {
  return program === undefined ? (command ?? []).join(" ") : `@${program}`;
}

async function onHost(
  { tools, record, version }: HookScene,
  hook: Hook,
  timeout: number | undefined,
): Promise<HookResult> {
  const [program = "", ...args] = hook.command ?? [];
  const env = {
    ...process.env,
    TRANSHIP_DEPLOYMENT: record.name,
    TRANSHIP_PACKAGE_ID: record.packageId,
    TRANSHIP_PACKAGE_VERSION: version.version,
    TRANSHIP_ROOT: tools.root.path,
  };
  return await collected(program, args, timeout, env);
}

/** In the running instance, as `exec` does it. */
async function beside(
  { tools, record, descriptor, version }: HookScene,
  hook: Hook,
  timeout: number | undefined,
): Promise<HookResult> {
  const program = descriptor.programs.find((one) => one.name === hook.program);
  const command = hook.command ?? program?.command ?? [];
  const flags = [
    ...(program?.user === undefined ? [] : ["--user", program.user]),
    ...(program?.workingDirectory === undefined ? [] : ["--workdir", program.workingDirectory]),
    ...Object.entries(program?.environment ?? {}).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
  ];
  const [self = "", ...words] = tools.self;
  tools.log.debug(`${record.name}: ${command.join(" ")}`);
  return await collected(
    self,
    [...words, "exec", ...flags, version.instance, ...command],
    timeout,
    process.env,
  );
}

async function collected(
  program: string,
  args: readonly string[],
  timeout: number | undefined,
  env: NodeJS.ProcessEnv,
): Promise<HookResult> {
  const limits = { maxOutput: 4 << 20, env, ...(timeout === undefined ? {} : { timeout }) };
  const { status, stdout, stderr } = await run(program, args, limits);
  const said = `${new TextDecoder().decode(stdout)}\n${stderr}`.trim().split("\n").slice(-3).join(" | ");
  return { status, said };
}

/** As the only program of the instance. */
async function alone(
  { tools, version }: HookScene,
  hook: Hook,
  timeout: number | undefined,
): Promise<HookResult> {
  const { root, log, signal } = tools;
  const id = version.instance;
  const command = hook.program === undefined ? (hook.command ?? []) : [`@${hook.program}`];
  await changeRecord(root, id, (record) => ({ ...record, command }));
  let late = false;
  try {
    await startInstance(root, id, log);
    const over = timeout === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
    const status = await waitInstance(root, id, log, over).catch((error: unknown) => {
      if (!over.aborted) throw error;
      late = true;
      return 124;
    });
    if (late) await stopInstance(root, id, { timeout: 1000 }, log);
    return { status, said: late ? "it was stopped: its time was over" : readLog(root, id) };
  } catch (error) {
    if (!(error instanceof TranshipError) || error.code !== "E_RUNTIME") throw error;
    return { status: error.exitStatus, said: error.message };
  } finally {
    await changeRecord(root, id, (record) => ({ ...record, command: [] }));
  }
}
