// tranship cluster leave: this machine, or far ones, are no nodes of a cluster any more.
import { endTasks } from "../../cluster/drivers/end-tasks.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { leaveNodes, usage } from "./far.ts";
import { dockerNode, localNode } from "./node-containers.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const other = call.args.find((word) => !word.startsWith("ssh://"));
  if (other !== undefined)
    throw usage(
      `${other} is not a machine over ssh`,
      "give ssh://[user@]host[:port], or nothing for this machine",
    );
  if (call.args.length > 0) return await leaveNodes(call, context);
  const node = text(call.options, "engine") === "docker" ? dockerNode : localNode;
  const { containers, records } = node(call, context);
  const count = await endTasks(containers, records);
  context.print(`${count} tasks have been ended`);
}
