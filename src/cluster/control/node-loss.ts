// Nodes that go away and come back: what becomes of the tasks that they had.

import { noticedWithin } from "../drivers/agents/protocol.ts";
import type { InstanceEntity, TaskEntity } from "../state/entities.ts";
import type { Control } from "./control.ts";
import { isExclusive } from "./reconcile-tasks.ts";
import { hasStopped } from "./stop-task.ts";

/** Default of a container's stopTimeout, in milliseconds. */
const defaultStop = 30_000;

/** Milliseconds until it is asked again whether a node has tasks that nobody ends. */
const lookAgain = 1_000;

/** Ends the tasks of nodes that have been unreachable for longer than is borne. Returns when it must be called next, in milliseconds since 1970. */
export function loseTasks(control: Control): number | undefined {
  const now = control.clock.now();
  let next: number | undefined;
  for (const instance of control.state.instance.all()) {
    if (instance.lostAt === undefined) continue;
    for (const task of tasksOn(control, instance)) {
      const exclusive = isExclusive(control, task);
      const held = exclusive && (control.driver.orphaned?.(instance.node) ?? false);
      const due = Math.max(
        instance.lostAt +
          (exclusive ? fencedAfter(control.nodeGrace) + endsWithin(control, task) : control.nodeGrace),
        held ? now + lookAgain : 0,
      );
      if (due > now) next = Math.min(next ?? due, due);
      else
        hasStopped(
          control,
          task,
          "InfrastructureHealth",
          `Container instance ${instance.id} is unreachable.`,
        );
    }
  }
  return next;
}

/** Somebody else may know that a node is cut off long before its agent does. */
const fencedAfter = (grace: number): number => Math.max(grace, noticedWithin + grace / 2);

/** What must never be there twice is ended by its node once it has been cut off for half of the grace: that is waited for. */
function endsWithin(control: Control, task: TaskEntity): number {
  const containers = control.state.definition.get(task.definition)?.wire.containerDefinitions ?? [];
  return Math.max(
    ...containers.map(({ stopTimeout }) => (stopTimeout === undefined ? defaultStop : stopTimeout * 1000)),
  );
}

/** A node is there again, with these tasks: what it should have and has not is lost, or is given to it once more. */
export function compareTasks(control: Control, node: string, held: readonly string[]): void {
  const holds = new Set(held);
  for (const instance of control.state.instance.all()) {
    if (instance.node !== node || !instance.own) continue;
    for (const task of tasksOn(control, instance)) {
      if (holds.has(task.id)) {
        control.handed.add(task.id);
        control.wakeTask(task.id);
      } else if (task.seen)
        hasStopped(control, task, "InfrastructureHealth", "The task was lost with its host.");
      else {
        control.handed.delete(task.id);
        control.wakeTask(task.id);
      }
    }
  }
}

function tasksOn(control: Control, instance: InstanceEntity): TaskEntity[] {
  return [...control.occupancy.tasksOf(instance.id)].filter(({ wire }) => wire.lastStatus !== "STOPPED");
}
