// tranship prune: what runs no more is removed.
import { TranshipError } from "../../base/errors.ts";
import { type ListedInstance, leaveOut, listInstances } from "../../runtime/find.ts";
import { instancePaths } from "../../runtime/instance-paths.ts";
import { repairInstances } from "../../runtime/repair.ts";
import { removeInstance } from "../../runtime/stop.ts";
import { bytesBelow } from "../../runtime/usage/bytes.ts";
import { humanSize } from "../amounts.ts";
import type { Context } from "../context.ts";
import { agreedTo } from "../questions.ts";
import { type Call, flag, list } from "../verb.ts";
import { timeOf } from "./time-of.ts";

export async function run({ options }: Call, context: Context): Promise<undefined> {
  const { root, log } = context;
  const filters = list(options, "filter").map(pruneFilter);
  await repairInstances(root, log);
  const stopped = listInstances(root, leaveOut).filter(
    (one) =>
      (one.status.state === "created" || one.status.state === "exited") && filters.every((fits) => fits(one)),
  );
  if (flag(options, "dryRun")) {
    context.print(stopped.map(({ record }) => `${record.id}\n`).join(""));
    return;
  }
  if (!flag(options, "force") && !(await agreedTo("This will remove all stopped instances.", context)))
    return;
  let bytes = 0;
  for (const { record } of stopped) {
    bytes += bytesBelow(instancePaths(root, record.id).directory);
    await removeInstance(root, record.id, {}, log);
  }
  if (stopped.length > 0)
    context.print(`Deleted Instances:\n${stopped.map(({ record }) => `${record.id}\n`).join("")}\n`);
  context.print(`Total reclaimed space: ${humanSize(bytes)}`);
}

function pruneFilter(entry: string): (one: ListedInstance) => boolean {
  const [, key, value = ""] = /^(until|label!?)=(.*)$/s.exec(entry) ?? [];
  if (key === "until") {
    const time = timeOf("--filter until", value);
    return ({ record }) => Date.parse(record.createdAt) < time;
  }
  if (key === undefined) {
    throw new TranshipError("E_USAGE", `not a filter: ${JSON.stringify(entry)}`, {
      hint: "write until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]",
    });
  }
  const cut = value.indexOf("=");
  const fits = ({ record }: ListedInstance): boolean =>
    cut < 0
      ? record.labels[value] !== undefined
      : record.labels[value.slice(0, cut)] === value.slice(cut + 1);
  return key === "label" ? fits : (one) => !fits(one);
}
