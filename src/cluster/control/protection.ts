// Task protection: what is protected survives scaling in and deployments until it expires.
import { invalidParameter } from "../api/ecs-error.ts";
import type {
  Failure,
  GetTaskProtectionRequest,
  GetTaskProtectionResponse,
  ProtectedTask,
  UpdateTaskProtectionRequest,
  UpdateTaskProtectionResponse,
} from "../api/shapes.ts";
import type { TaskEntity } from "../state/entities.ts";
import type { Call } from "./control.ts";
import { clusterOf, idOf } from "./names.ts";

export function updateTaskProtection(
  call: Call,
  input: UpdateTaskProtectionRequest,
): UpdateTaskProtectionResponse {
  const { control } = call;
  const minutes = input.expiresInMinutes ?? 120;
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > 2880)
    throw invalidParameter("expiresInMinutes is between 1 and 2880.");
  if (input.tasks.length < 1 || input.tasks.length > 10)
    throw invalidParameter("Between 1 and 10 tasks are given.");
  const { found, failures } = select(call, input.cluster, input.tasks);
  const protectedTasks = found.map((task) => {
    if (input.protectionEnabled) task.protectedUntil = control.clock.now() + minutes * 60_000;
    else delete task.protectedUntil;
    control.state.task.put(task);
    control.wakeService(task.service);
    return shown(call, task);
  });
  return { protectedTasks, failures };
}

export function getTaskProtection(call: Call, input: GetTaskProtectionRequest): GetTaskProtectionResponse {
  const cluster = clusterOf(call.control.state, input.cluster);
  const texts =
    input.tasks === undefined || input.tasks.length === 0
      ? [...call.control.state.task.group(cluster.name)]
          .filter((task) => isProtected(task, call.control.clock.now()))
          .map(({ id }) => id)
      : input.tasks;
  const { found, failures } = select(call, input.cluster, texts);
  return { protectedTasks: found.map((task) => shown(call, task)), failures };
}

export function isProtected(task: TaskEntity, now: number): boolean {
  return task.protectedUntil !== undefined && task.protectedUntil > now;
}

/** Only tasks of services can be protected. */
function select(
  call: Call,
  clusterText: string | undefined,
  texts: readonly string[],
): { found: TaskEntity[]; failures: Failure[] } {
  const cluster = clusterOf(call.control.state, clusterText);
  const found: TaskEntity[] = [];
  const failures: Failure[] = [];
  for (const text of texts) {
    const task = call.control.state.task.get(idOf(text, "task"));
    if (task === undefined || task.cluster !== cluster.name) failures.push({ arn: text, reason: "MISSING" });
    else if (task.service === undefined)
      failures.push({
        arn: task.wire.taskArn,
        reason: "TASK_NOT_VALID",
        detail: "Only tasks of a service can be protected.",
      });
    else if (task.wire.lastStatus === "STOPPED")
      failures.push({ arn: task.wire.taskArn, reason: "TASK_NOT_VALID", detail: "The task has stopped." });
    else found.push(task);
  }
  return { found, failures };
}

function shown(call: Call, task: TaskEntity): ProtectedTask {
  const on = isProtected(task, call.control.clock.now());
  return {
    taskArn: task.wire.taskArn,
    protectionEnabled: on,
    ...(on ? { expirationDate: (task.protectedUntil ?? 0) / 1000 } : {}),
  };
}
