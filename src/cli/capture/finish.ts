// What every capture ends with: the plan is written, or carried out and told.
import { closeSync, openSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import type { Captured, CaptureTools } from "../../capture/captured.ts";
import { type Allowed, packPlan, readPlan } from "../../capture/carry-out.ts";
import { agreementText } from "../../capture/evidence/evidence.ts";
import { recordPlanFile } from "../../capture/evidence/evidence-document.ts";
import { withMisses } from "../../capture/misses/plan-misses.ts";
import type { PackedImage } from "../../capture/pack/pack.ts";
import { currentNeeds } from "../../capture/pack/unmet.ts";
import { mergePlans, type PlanWithEvidence } from "../../capture/plan/merge-plans.ts";
import type { Plan } from "../../capture/plan/plan.ts";
import { describePlan, summarizePlan } from "../../capture/plan/plan-summary.ts";
import { planDigest, planPieces, printPlan } from "../../capture/plan/print-plan.ts";
import { reopenView } from "../../capture/process/process-view.ts";
import { withRecovered } from "../../capture/process/recovered-files.ts";
import { checkRecovered, recoveryOf } from "../../capture/process/recovery-directory.ts";
import { withSnapshots } from "../../capture/sandbox/snapshot-files.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { ioError } from "../../host/files.ts";
import { openStore } from "../../image/store.ts";
import { removeUnreferenced } from "../../image/store-gc.ts";
import type { Machine } from "../../machine/machine.ts";
import { keepIdentity, parseIdentityKinds } from "../../package/identity.ts";
import { listInstances } from "../../runtime/find.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { flag, list, type OptionValues, text } from "../verb.ts";
import { alsoOf } from "./requests.ts";
import { withMachine } from "./with-machine.ts";

interface PlannedCall {
  file: string;
  plan: Plan;
  options: OptionValues;
  context: Context;
}

/** A plan's machine as its paths mean it: by the root of a process, with the recovered files that lie beside the plan. */
async function withPlanned<T>(call: PlannedCall, use: (machine: Machine) => Promise<T>): Promise<T> {
  const { file, plan, options, context } = call;
  return await withMachine({ address: plan.source.machine, options, context }, async (machine) => {
    const { process, recovered } = plan.source;
    const view = process === undefined ? machine : await reopenView(machine, process);
    const directory = join(dirname(file), basename(recovered ?? ""), "files");
    const files = plan.recovered ?? [];
    try {
      if (files.length > 0) await checkRecovered(directory, files);
      const data = withSnapshots(view, plan.source.snapshots ?? []);
      const seen = withRecovered(
        data,
        directory,
        files.map((one) => one.path),
      );
      try {
        return await use(seen);
      } finally {
        await seen.close();
        await data.close();
      }
    } finally {
      if (view !== machine) await view.close();
    }
  });
}

export async function finishCapture(
  machine: Machine,
  captured: Captured,
  options: OptionValues,
  context: Context,
  tools: CaptureTools,
): Promise<void> {
  if (flag(options, "dryRun")) {
    showPlan(captured.plan, options, context);
    return;
  }
  if (flag(options, "planOnly")) {
    const file = text(options, "output");
    if (file === undefined) {
      const format = formatOf(options);
      context.print(
        format === undefined ? printPlan(captured.plan) : printValue(planValue(captured.plan), format),
      );
      return;
    }
    try {
      const recovered =
        (captured.plan.recovered?.length ?? 0) > 0 ? { recovered: basename(recoveryOf(file)) } : {};
      writePlan(file, captured, recovered);
    } catch (cause) {
      throw ioError(`cannot write the plan ${file}`, cause);
    }
    context.say(`the plan is in ${file}; carry it out with --plan ${file}`);
    return;
  }
  const allowed = withAllowed(captured, options);
  const image = await packAndTell(machine, allowed, text(options, "tag") ?? "", context, tools);
  printImage(image, options, context);
}

/** With its evidence beside it, which knows the plan again as long as nobody edits it. */
function writePlan(file: string, { plan, evidence }: Captured, recovered: { recovered?: string }): void {
  const beside = `${file}.evidence.json`;
  const told = { ...plan, source: { ...plan.source, evidence: basename(beside), ...recovered } };
  writePieces(beside, recordPlanFile(evidence, planDigest(told)));
  writePieces(file, planPieces(told));
}

function writePieces(file: string, pieces: Iterable<string>): void {
  const fd = openSync(file, "w", 0o600);
  try {
    for (const piece of pieces) writeFileSync(fd, piece);
  } finally {
    closeSync(fd);
  }
}

/** --format where it is something else than the words for people. */
export function formatOf(options: OptionValues): string | undefined {
  const format = text(options, "format");
  return format === "table" ? undefined : format;
}

/** A plan as a value for --format: paths as texts. */
export function planValue(plan: Plan): unknown {
  const shown = (list: Plan["excluded"]) => list.map((one) => ({ ...one, path: escapeBytes(one.path) }));
  return {
    ...plan,
    groups: plan.groups.map((group) => ({ ...group, files: group.files.map(escapeBytes) })),
    excluded: shown(plan.excluded),
    candidates: shown(plan.candidates),
    missing: shown(plan.missing),
    unmet: shown(plan.unmet),
    ...(plan.edited === undefined ? {} : { edited: shown(plan.edited) }),
    writes: plan.writes.map((one) => ({ ...one, path: escapeBytes(one.path), by: escapeBytes(one.by) })),
    ...(plan.witnesses === undefined ? {} : { witnesses: agreementText(plan.witnesses) }),
    data: plan.data.map((one) => ({ ...one, path: escapeBytes(one.path) })),
    largest: {
      files: plan.largest.files.map((one) => ({ ...one, path: escapeBytes(one.path) })),
      directories: plan.largest.directories.map((one) => ({ ...one, path: escapeBytes(one.path) })),
    },
  };
}

export function showPlan(plan: Plan, options: OptionValues, context: Context): void {
  const format = formatOf(options);
  context.print(format === undefined ? describePlan(plan).join("\n") : printValue(planValue(plan), format));
}

export function imageValue(image: PackedImage) {
  return { reference: image.name, digest: image.indexDigest, layers: image.layers };
}

function printImage(image: PackedImage, options: OptionValues, context: Context): void {
  const format = formatOf(options);
  context.print(
    format === undefined ? `${image.name}@${image.indexDigest}` : printValue(imageValue(image), format),
  );
}

/** --also plan:FILE: what other runs showed comes in. --keep-identity: what licences bind to is taken on. */
export async function joinPlans(
  machine: Machine,
  captured: PlanWithEvidence,
  options: OptionValues,
  tools: CaptureTools,
): Promise<PlanWithEvidence> {
  let joined: PlanWithEvidence = { plan: captured.plan, evidence: captured.evidence };
  for (const file of alsoOf(options, "plan")) {
    const other = readPlan(file, tools);
    refuseInstallation(file, other.plan);
    joined = await mergePlans(machine, joined, { ...other, name: file });
  }
  const kinds = parseIdentityKinds(list(options, "keepIdentity"));
  const { plan } = joined;
  return kinds.length === 0
    ? joined
    : { ...joined, plan: { ...plan, package: keepIdentity(plan.package, kinds) } };
}

/** What decided about a plan when it was made: beside --plan it would be without effect. */
const deciding = [
  "planOnly", "output", "service", "untilPort", "exercise", "for", "installed", "also", "include", "exclude", "filterFrom", "volume", "keepSecret",
  "keepIdentity",   "cmd", "env", "port", "user", "workdir", "pid", "listening", "restart", "inPlace",
]; // biome-ignore format: a list

function refuseBesidePlan(file: string, options: OptionValues): void {
  // Plans may be joined and misses taken in, and what comes of it written.
  const plans = alsoOf(options, "plan").length;
  const allowed =
    grows(options) && plans === list(options, "also").length ? ["also", "planOnly", "output"] : [];
  const given = deciding.filter(
    (name) => (flag(options, name) || list(options, name).length > 0) && !allowed.includes(name),
  );
  if (options.closure === false && list(options, "addMisses").length === 0) given.push("noClosure");
  if (given.length === 0) return;
  throw besidePlan(file, given.map((name) => `--${name.replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`)}`)); // biome-ignore format: short
}

function grows(options: OptionValues): boolean {
  return alsoOf(options, "plan").length > 0 || list(options, "addMisses").length > 0;
}

export function besidePlan(file: string, words: readonly string[]): TranshipError {
  return new TranshipError("E_USAGE", `${words.join(" ")} has no effect beside --plan ${file}, which is carried out as it stands`, {
    hint: "edit the plan, or make it anew with --plan-only",
  }); // biome-ignore format: short
}

/** --plan FILE: nothing is run, the plan's own machine is read. */
export async function carryOutPlan(
  file: string,
  options: OptionValues,
  context: Context,
  tools: CaptureTools,
): Promise<void> {
  refuseBesidePlan(file, options);
  const alone = readPlan(file, tools);
  if (flag(options, "dryRun") && !grows(options)) {
    showPlan(alone.plan, options, context);
    return;
  }
  if (alone.plan.source.recovered === undefined) refuseInstallation(file, alone.plan);
  await withPlanned({ file, plan: alone.plan, options, context }, async (machine) => {
    const joined = await joinPlans(machine, alone, options, tools);
    const planned = await withMisses(machine, joined, options.closure !== false, tools);
    const captured = { ...planned, session: undefined, acceptChanges: flag(options, "acceptChanges") };
    if (flag(options, "dryRun") || flag(options, "planOnly")) {
      await finishCapture(machine, captured, options, context, tools);
      return;
    }
    const { unmet } = await currentNeeds(machine, captured.plan);
    const checked = { ...captured, plan: { ...captured.plan, unmet } };
    const image = await packAndTell(
      machine,
      withAllowed(checked, options),
      text(options, "tag") ?? "",
      context,
      tools,
    );
    printImage(image, options, context);
  });
}

/** What an installer wrote is let go when its capture ends, unless its plan goes to a file: then it is kept beside it. */
export function refuseInstallation(file: string, plan: Plan): void {
  const { installer, machine } = plan.source;
  if (installer === undefined) return;
  throw new TranshipError(
    "E_PLAN_INVALID",
    `${file} is the plan of an installation, whose files are not on ${machine}`,
    {
      hint: `a plan that is written with -o keeps them, and is carried out alone; or run the installer again: tranship capture install -m ${machine} -t REF -- ${installer.join(" ")}`,
    },
  );
}

/** What a person lets pass: who wants no closure wants only what was seen or named. */
export function withAllowed<T extends Captured>(captured: T, options: OptionValues): T & Allowed {
  return { ...captured, allowUnmet: flag(options, "allowUnmet") || options.closure === false };
}

export async function packAndTell(
  machine: Machine,
  captured: Captured & Allowed,
  reference: string,
  context: Context,
  tools: CaptureTools,
): Promise<PackedImage> {
  for (const line of summarizePlan(captured.plan)) context.say(line);
  const image = await packPlan(machine, reference, captured, tools).catch(async (error: unknown) => {
    await dropUnnamed(context);
    throw error;
  });
  tellDeviations(image, context);
  for (const note of image.notes.slice(0, 20)) context.log.warn(`${escapeBytes(note.path)}: ${note.reason}`);
  for (const layer of image.layers) {
    context.say(
      `  layer ${layer.origin.padEnd(9)} ${String(layer.entries).padStart(6)} entries ${formatSize(layer.contentSize).padStart(9)}, stored as ${formatSize(layer.compressedSize)}`,
    );
  }
  return image;
}

function tellDeviations({ deviations }: PackedImage, context: Context): void {
  for (const { path, what } of deviations.filter((one) => !one.data))
    context.say(`  accepted: ${escapeBytes(path)} is ${what} since the plan was made`);
  const data = deviations.filter((one) => one.data);
  if (data.length === 0) return;
  const count = (what: string) => data.filter((one) => one.what === what).length;
  context.say(
    `  volumes are taken as they are now: ${count("changed")} files changed, ${count("new")} new, ${count("gone")} gone since the plan was made`,
  );
}

/** Gives back the space of layers that became no image. The failure that led here is what counts. */
async function dropUnnamed(context: Context): Promise<void> {
  try {
    const keepLayers = new Set(
      listInstances(context.root).flatMap((instance) => instance.record.image.diffIds),
    );
    await removeUnreferenced(openStore(context.root), { keepLayers, log: context.log });
  } catch (error) {
    context.log.debug(`what was stored stays until the next clean-up: ${(error as Error).message}`);
  }
}
