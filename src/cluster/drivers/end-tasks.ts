// A node leaves for good: its tasks end, and what they hold goes.
import type { ContainerDefinition } from "../api/shapes.ts";
import { type Containers, containerName } from "./containers.ts";
import { type HeldTask, TaskRecords } from "./task-records.ts";

/** Returns how many tasks still ran. E_STATE_BUSY where an agent or a control plane of the node still runs. A task's record goes last: what is interrupted is done by the next call. Rejects with the first that could not be ended. */
export async function endTasks(containers: Containers, records: string): Promise<number> {
  const held = new TaskRecords(records);
  const lock = await held.lock();
  try {
    return await endAll(containers, held);
  } finally {
    lock.release();
  }
}

async function endAll(containers: Containers, held: TaskRecords): Promise<number> {
  const tasks = held.all();
  await containers.refresh();
  const ended = await Promise.allSettled(
    tasks.map(async (task) => {
      const ran = await endTask(containers, task);
      held.remove(task.spec.id);
      return ran;
    }),
  );
  const failed = ended.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return ended.filter((result) => result.status === "fulfilled" && result.value).length;
}

async function endTask(containers: Containers, { spec }: HeldTask): Promise<boolean> {
  const definitions = spec.definition.containerDefinitions ?? [];
  const nameOf = ({ name }: ContainerDefinition): string => containerName(spec.id, name);
  const running = definitions.filter((each) => containers.see(nameOf(each))?.running === true);
  await Promise.all(running.map((each) => containers.stop(nameOf(each), each.stopTimeout ?? 30)));
  for (const each of definitions) await containers.remove(nameOf(each));
  await containers.release(spec);
  await containers.removeVolumes(spec);
  return running.length > 0;
}
