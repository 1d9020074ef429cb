import { repairInstances } from "../../runtime/repair.ts";
import { deleteVolume, listVolumes } from "../../runtime/volumes/list.ts";
import { humanSize } from "../amounts.ts";
import type { Context } from "../context.ts";
import { agreedTo } from "../questions.ts";
import { type Call, flag, list } from "../verb.ts";
import { volumeFilter } from "./fits.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const filters = list(options, "filter").map(volumeFilter);
  const all = flag(options, "all");
  await repairInstances(context.root, context.log);
  const unused = listVolumes(context.root).filter(
    (volume) =>
      volume.users.length === 0 && (all || volume.anonymous) && filters.every((fits) => fits(volume)),
  );
  if (flag(options, "dryRun")) {
    context.print(unused.map((volume) => `${volume.name}\n`).join(""));
    return;
  }
  const kind = all ? "volumes" : "anonymous volumes";
  if (
    !flag(options, "force") &&
    !(await agreedTo(`This will remove all ${kind} not used by at least one instance.`, context))
  )
    return;
  let bytes = 0;
  for (const { name } of unused) bytes += await deleteVolume(context.root, name);
  if (unused.length > 0)
    context.print(`Deleted Volumes:\n${unused.map((volume) => `${volume.name}\n`).join("")}\n`);
  context.print(`Total reclaimed space: ${humanSize(bytes)}`);
}
