// The package of an installation: what an installer changed on a machine, what that needs, and the services and programs in it.
import { TranshipError } from "../base/errors.ts";
import type { Seed } from "../closure/expand.ts";
import { step } from "../host/steps.ts";
import { makeWorkDirectory } from "../host/work.ts";
import type { Machine } from "../machine/machine.ts";
import { type ApplicationOptions, describeApplication } from "./application/application.ts";
import type { Captured, CaptureTools, Choices } from "./captured.ts";
import { compareMachines, type Difference } from "./install/difference.ts";
import { noiseBecause, removedByInstaller, touchedOnly } from "./install/difference-rules.ts";
import { type Installation, installerCommand, ownFiles, runInstaller } from "./install/installation.ts";
import { describeInstallation, type InstalledParts, installedParts } from "./install/installed-parts.ts";
import { keepInstalled } from "./install/keep-installed.ts";
import { orInterrupted } from "./interrupt.ts";
import type { Exclusion } from "./plan/plan.ts";
import { closedDirectories } from "./plan/whole-machine.ts";
import { plan } from "./plan-capture.ts";
import { checkCommand } from "./sandbox/check-command.ts";
import { explainFullDisk } from "./sandbox/full-disk.ts";
import { openHostRoot } from "./sandbox/staged.ts";

export interface InstallRequest {
  machine: Machine;
  application: ApplicationOptions;
  installer: readonly string[];
  /** Files and directories of this host that the installer needs. */
  with: readonly string[];
  network: "own" | "host";
  /** The file that the plan is written to: what was installed is kept beside it. */
  planFile?: string | undefined;
  choices: Choices;
}

export interface CapturedInstallation extends Captured {
  /** Where the planned files are: the machine after the installation. */
  machine: Machine;
  /** After packing: lets go of what the installer wrote. */
  close(): Promise<void>;
  /** What the difference holds, in a few lines for people. */
  told: string[];
}

/** What would be run, as lines. E_COMMAND_NOT_FOUND, E_USAGE where it could not. */
export async function describeInstaller(request: InstallRequest): Promise<string[]> {
  const { machine, network } = request;
  const command = await installerCommand(machine, request.installer, request.with);
  return [
    `would run on overlays over ${machine.root === undefined ? "a copy here of " : ""}${machine.address}, which stays as it is:`,
    `  ${command.join(" ")}`,
    network === "own" ? "  without a network" : "  with the network of this host",
    ...request.with.map((path) => `  with ${path} in /.tranship/install`),
    "then compare the machine before and after, and package the difference with what it needs",
  ];
}

/** Runs the installer and plans. The source is not changed; the caller closes the result. What is not on this host is staged here first. */
export async function captureInstall(
  request: InstallRequest,
  tools: CaptureTools,
): Promise<CapturedInstallation> {
  const here = await openHostRoot(request.machine, { whole: [], empty: [] }, tools);
  try {
    const captured = await installHere({ ...request, machine: here.machine }, tools);
    const close = async (): Promise<void> => {
      await captured.close();
      await here.close();
    };
    return { ...captured, close };
  } catch (error) {
    await here.close();
    throw error;
  }
}

async function installHere(request: InstallRequest, tools: CaptureTools): Promise<CapturedInstallation> {
  const { machine } = request;
  const work = makeWorkDirectory(tools.root, "install");
  let installation: Installation | undefined;
  try {
    const watching = tools.progress.begin("running the installer", undefined, "files");
    installation = await runInstaller({
      machine,
      work: work.path,
      command: request.installer,
      with: request.with,
      network: request.network,
      signal: tools.signal,
    });
    watching.end();
    const captured = await planDifference(request, installation, tools);
    const { after } = installation;
    const close = async (): Promise<void> => {
      await after.close();
      work.remove();
    };
    return { ...captured, machine: after, close };
  } catch (error) {
    await installation?.after.close();
    const explained = explainFullDisk(error, work.path);
    work.remove();
    throw explained;
  }
}

async function planDifference(
  request: InstallRequest,
  { after, since, roots }: Installation,
  tools: CaptureTools,
): Promise<Omit<CapturedInstallation, "machine" | "close">> {
  const { machine, application } = request;
  step("compare before and after");
  const comparing = tools.progress.begin("comparing before and after", undefined, "files");
  const closed = await closedDirectories({ machine, notOurs: [tools.root.path] });
  const exclude = new Set(closed.keys());
  const { difference, parts } = await orInterrupted(tools.signal, async () => {
    const found = withoutOwn(await compareMachines({ before: machine, after, since, roots, exclude }));
    return { difference: found, parts: await installedParts(machine, after, found) };
  });
  const { seeds, left } = sortDifference(difference);
  comparing.end(`${seeds.length} paths changed`);
  if (seeds.length === 0) {
    throw new TranshipError(
      "E_CAPTURE_FAILED",
      `the installer ${request.installer.join(" ")} changed nothing that counts`,
      {
        hint: "it ended with status 0; does it install somewhere that is not on the machine, or only download?",
        details: { left: left.slice(0, 100) },
      },
    );
  }
  const descriptor = await orInterrupted(tools.signal, () => describe(after, application, parts, tools.log));
  const captured = await plan(
    after,
    descriptor,
    {
      evidence: undefined,
      schedules: descriptor.services.length > 0 || parts.schedules.length > 0,
      brought: new Set(seeds.map((seed) => seed.path)),
      choices: request.choices,
      exercised: [`installed by ${request.installer.join(" ")}`],
      seeds,
      left,
    },
    tools,
  );
  const source = { ...captured.plan.source, installer: [...request.installer] };
  const { planFile } = request;
  const changed = new Set(difference.changed.map(({ entry }) => entry.path));
  const kept =
    planFile === undefined
      ? {}
      : {
          recovered: await orInterrupted(tools.signal, () =>
            keepInstalled(after, captured.plan, changed, planFile),
          ),
        };
  return {
    ...captured,
    plan: { ...captured.plan, source, ...kept },
    told: describeInstallation(difference, parts, left),
  };
}

/** What we put into the installer's view ourselves is no change. */
function withoutOwn(difference: Difference): Difference {
  return { ...difference, changed: difference.changed.filter(({ entry }) => !ownFiles.has(entry.path)) };
}

/** What services and programs the package has: as asked for, else as the installer brought them. */
async function describe(
  after: Machine,
  application: ApplicationOptions,
  parts: InstalledParts,
  log: CaptureTools["log"],
) {
  const asked = application.services.length > 0 || application.command.length > 0;
  const services = asked ? application.services : parts.services;
  const command = await checkCommand(after, application.command, application.workingDirectory);
  const descriptor = await describeApplication(after, { ...application, services, command }, (note) =>
    log.warn(note),
  );
  const taken = new Set(descriptor.programs.map((program) => program.name));
  return {
    ...descriptor,
    programs: [...descriptor.programs, ...parts.programs.filter((program) => !taken.has(program.name))],
  };
}

function sortDifference(difference: Difference): { seeds: Seed[]; left: Exclusion[] } {
  const seeds: Seed[] = [];
  const left: Exclusion[] = [];
  for (const { entry, change } of difference.changed) {
    const because = noiseBecause(entry, change === "added");
    if (because !== undefined) left.push({ path: entry.path, why: because });
    else
      seeds.push({
        path: entry.path,
        reason: { kind: "installer", detail: change === "added" ? "made" : "changed" },
      });
  }
  for (const path of difference.same) left.push({ path, why: touchedOnly });
  for (const entry of difference.removed) left.push({ path: entry.path, why: removedByInstaller });
  return { seeds, left };
}
