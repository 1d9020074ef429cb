// The agent of a far node ends, with its tasks, and all that was put there is removed.

import type { FarNode } from "./far-node.ts";
import { look } from "./join-far.ts";
import { endTasksCommand, removeCommand, stopCommand } from "./scripts.ts";

/** False where there was none. */
export async function leaveFar(
  node: FarNode,
  version: string,
  say: (text: string) => void,
): Promise<boolean> {
  const found = await look(node, version);
  if (!found.home && !found.sums.has("unit")) return false;
  await node.run("end the agent", stopCommand(node.far));
  say(`${node.name}: the agent has ended; its tasks are ended`);
  const { out, err, status } = await node.run("end the tasks", endTasksCommand(node.far));
  if (status !== 0) throw node.failed("end the tasks", { status, out, err });
  await node.must("remove what was put there", removeCommand(node.far));
  return true;
}
