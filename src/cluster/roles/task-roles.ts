// Task roles in this API: credentials for tasks, who calls with them, and what they may call.
import { EcsError } from "../api/ecs-error.ts";
import type { Call, Control } from "../control/control.ts";
import { definitionOf } from "../control/names.ts";
import { roleOf } from "../control/reconcile-tasks.ts";
import type { TaskCredentials } from "../drivers/driver.ts";
import { allows, type Policy } from "./policy.ts";
import { roleName } from "./role-store.ts";
import { isSessionKey, type Session, Sessions, unknownToken } from "./sessions.ts";

export interface TaskRolesOptions {
  /** Of the state root; whoever knows it can be any role. */
  key: Uint8Array;
  policyOf: (role: string) => Policy;
  /** Milliseconds. Default: an hour. */
  lifetime?: number;
}

export class TaskRoles {
  readonly #sessions: Sessions;
  readonly #policyOf: (role: string) => Policy;

  constructor({ key, policyOf, lifetime = 3_600_000 }: TaskRolesOptions) {
    this.#sessions = new Sessions(key, lifetime);
    this.#policyOf = policyOf;
  }

  /** undefined where the task has no role, has ended, or is not on the node that asks. */
  credentialsOf(control: Control, id: string, node?: string): TaskCredentials | undefined {
    const task = control.state.task.get(id);
    if (node !== undefined && control.state.instance.get(task?.instance ?? "")?.node !== node)
      return undefined;
    const role = task === undefined || task.wire.lastStatus === "STOPPED" ? undefined : roleOf(control, task);
    return role === undefined ? undefined : this.#sessions.issue(id, role, control.clock.now());
  }

  /** Who has a key of a task; undefined for keys of people. Throws where the token is wrong, has expired, or the task has ended. */
  session(control: Control, accessKeyId: string, token: string | undefined): Session | undefined {
    if (!isSessionKey(accessKeyId)) return undefined;
    const session = this.#sessions.open(accessKeyId, token ?? "", control.clock.now());
    const task = control.state.task.get(session.task);
    if (task === undefined || task.wire.lastStatus === "STOPPED" || roleOf(control, task) !== session.role)
      throw unknownToken();
    return session;
  }

  /** Throws AccessDeniedException where the caller is a task whose role does not allow it. */
  authorize(call: Call, operation: string, input: unknown): void {
    if (call.role === undefined) return;
    const policy = this.#policyOf(call.role);
    const action = operation === "ReadLogs" ? "logs:FilterLogEvents" : `ecs:${operation}`;
    if (!allows(policy, action)) throw denied(call, action);
    for (const role of passedRoles(call, operation, input as Passing))
      if (role !== call.role && !allows(policy, "iam:PassRole")) throw denied(call, "iam:PassRole");
  }
}

export function sessionPrincipal(account: string, { role, task }: Pick<Session, "role" | "task">): string {
  return `arn:aws:sts::${account}:assumed-role/${roleName(role).split("/").at(-1)}/${task}`;
}

interface Passing {
  taskDefinition?: string;
  taskRoleArn?: string;
  overrides?: { taskRoleArn?: string };
}

const runsTasks = new Set(["RunTask", "StartTask", "CreateService", "UpdateService", "CreateTaskSet"]);

/** Roles that tasks would get by a call: nobody gives a task more than he may. */
function passedRoles({ control }: Call, operation: string, input: Passing): string[] {
  if (operation === "RegisterTaskDefinition") return [input.taskRoleArn].filter((role) => role !== undefined);
  if (!runsTasks.has(operation) || input.taskDefinition === undefined) return [];
  const { wire } = definitionOf(control.state, input.taskDefinition, "TaskDefinition not found.");
  return [wire.taskRoleArn, input.overrides?.taskRoleArn].filter((role) => role !== undefined);
}

function denied({ principal }: Call, action: string): EcsError {
  return new EcsError(
    "AccessDeniedException",
    `User: ${principal} is not authorized to perform: ${action} on resource: * because no policy of its role allows the ${action} action`,
  );
}
