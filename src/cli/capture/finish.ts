// What every capture ends with: the plan is written, or carried out and told.
import { writeFileSync } from "node:fs";
import { formatSize } from "../../base/units.ts";
import { type Captured, type CaptureTools, packPlan, readPlan } from "../../capture/capture.ts";
import type { PackedImage } from "../../capture/pack.ts";
import { printPlan } from "../../capture/plan.ts";
import { summarizePlan } from "../../capture/plan-summary.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { ioError } from "../../host/files.ts";
import { openStore } from "../../image/store.ts";
import { removeUnreferenced } from "../../image/store-gc.ts";
import type { Machine } from "../../machine/machine.ts";
import { openMachine } from "../../machine/open.ts";
import { listInstances } from "../../runtime/find.ts";
import type { Context } from "../context.ts";
import { flag, type OptionValues, text } from "../verb.ts";

/** Opens the machine, and closes it whatever happens. */
export async function withMachine<T>(address: string, use: (machine: Machine) => Promise<T>): Promise<T> {
  const machine = await openMachine(address);
  try {
    return await use(machine);
  } finally {
    await machine.close();
  }
}

export async function finishCapture(
  machine: Machine,
  captured: Captured,
  options: OptionValues,
  context: Context,
  tools: CaptureTools,
): Promise<void> {
  if (flag(options, "planOnly")) {
    const file = text(options, "output");
    if (file === undefined) {
      context.print(printPlan(captured.plan));
      return;
    }
    try {
      writeFileSync(file, printPlan(captured.plan), { mode: 0o600 });
    } catch (cause) {
      throw ioError(`cannot write the plan ${file}`, cause);
    }
    context.say(`the plan is in ${file}; carry it out with --plan ${file}`);
    return;
  }
  await packAndTell(machine, captured, text(options, "tag") ?? "", context, tools);
}

/** --plan FILE: nothing is run, the plan's own machine is read. */
export async function carryOutPlan(
  file: string,
  options: OptionValues,
  context: Context,
  tools: CaptureTools,
): Promise<void> {
  const planned = readPlan(file, tools);
  await withMachine(planned.plan.source.machine, async (machine) => {
    await packAndTell(
      machine,
      { ...planned, session: undefined },
      text(options, "tag") ?? "",
      context,
      tools,
    );
  });
}

export async function packAndTell(
  machine: Machine,
  captured: Captured,
  reference: string,
  context: Context,
  tools: CaptureTools,
): Promise<PackedImage> {
  for (const line of summarizePlan(captured.plan)) context.say(line);
  const image = await packPlan(machine, reference, captured, tools).catch(async (error: unknown) => {
    await dropUnnamed(context);
    throw error;
  });
  for (const note of image.notes.slice(0, 20)) context.log.warn(`${escapeBytes(note.path)}: ${note.reason}`);
  for (const layer of image.layers) {
    context.say(
      `  layer ${layer.origin.padEnd(9)} ${String(layer.entries).padStart(6)} entries ${formatSize(layer.contentSize).padStart(9)}, stored as ${formatSize(layer.compressedSize)}`,
    );
  }
  context.print(`${image.name}@${image.indexDigest}`);
  return image;
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
