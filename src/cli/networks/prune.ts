import { listNetworks } from "../../runtime/network/list.ts";
import { removeNetwork } from "../../runtime/network/manage.ts";
import { repairInstances } from "../../runtime/repair.ts";
import type { Context } from "../context.ts";
import { agreedTo } from "../questions.ts";
import { type Call, flag, list } from "../verb.ts";
import { pruneFilter } from "./fits.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const filters = list(options, "filter").map(pruneFilter);
  await repairInstances(context.root, context.log);
  const unused = listNetworks(context.root).filter(
    (network) => !network.predefined && !network.used && filters.every((fits) => fits(network)),
  );
  if (flag(options, "dryRun")) {
    context.print(unused.map(({ name }) => `${name}\n`).join(""));
    return;
  }
  const question = "This will remove all custom networks not used by at least one instance.";
  if (!flag(options, "force") && !(await agreedTo(question, context))) return;
  for (const { name } of unused) await removeNetwork(context.root, name, context.log);
  if (unused.length > 0)
    context.print(`Deleted Networks:\n${unused.map(({ name }) => `${name}\n`).join("")}`);
}
