// ExecuteCommand: a session that the caller opens by its stream within a minute. docs/reference/exec-stream.md has the framing.
import { randomBytes, timingSafeEqual } from "node:crypto";
import { EcsError, invalidParameter } from "../api/ecs-error.ts";
import type { ExecuteCommandRequest, ExecuteCommandResponse } from "../api/shapes.ts";
import type { TaskEntity } from "../state/entities.ts";
import type { Call, Control } from "./control.ts";
import { clusterOf, idOf } from "./names.ts";

/** How long a session waits to be opened, in milliseconds, and how many wait at most. */
const opensWithin = 60_000;
const mostWaiting = 1000;

export interface ExecSession {
  task: string;
  container: string;
  command: string;
  interactive: boolean;
}

interface Waiting extends ExecSession {
  token: string;
  until: number;
}

/** Sessions that were given out and not opened yet: in memory only, a restart forgets them. */
export class ExecSessions {
  readonly #control: Control;
  readonly #waiting = new Map<string, Waiting>();

  constructor(control: Control) {
    this.#control = control;
  }

  add(session: ExecSession): { id: string; token: string } {
    const now = this.#control.clock.now();
    for (const [id, { until }] of this.#waiting) if (until < now) this.#waiting.delete(id);
    if (this.#waiting.size >= mostWaiting)
      throw new EcsError("LimitExceededException", "Too many sessions wait to be opened.");
    const id = `ecs-execute-command-${randomBytes(10).toString("hex")}`;
    const token = randomBytes(32).toString("base64url");
    this.#waiting.set(id, { ...session, token, until: now + opensWithin });
    return { id, token };
  }

  /** Each session can be opened once, by who has its token; a wrong token ends it. */
  open(id: string, token: string): ExecSession | undefined {
    const found = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (found === undefined || found.until < this.#control.clock.now()) return undefined;
    const [wanted, given] = [Buffer.from(found.token), Buffer.from(token)];
    return wanted.length === given.length && timingSafeEqual(wanted, given) ? found : undefined;
  }
}

export function executeCommand(call: Call, input: ExecuteCommandRequest): ExecuteCommandResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  const task = control.state.task.get(idOf(input.task, "task"));
  if (task === undefined || task.cluster !== cluster.name)
    throw invalidParameter("The referenced task was not found.");
  if (!task.wire.enableExecuteCommand)
    throw invalidParameter(
      "The execute command failed because execute command was not enabled when the task was run or the execute command agent isn't running. Wait and try again or run a new task with execute command enabled and try again.",
    );
  if (control.driver.exec === undefined)
    throw new EcsError(
      "UnsupportedFeatureException",
      `The driver ${control.driver.name} cannot execute commands.`,
    );
  const instance = control.state.instance.get(task.instance ?? "");
  if (task.wire.lastStatus !== "RUNNING" || instance?.wire.agentConnected !== true)
    throw new EcsError(
      "TargetNotConnectedException",
      "The execute command failed due to an internal error. Try again later.",
    );
  const container = containerOf(task, input.container);
  if (input.command.trim() === "" || input.command.length > 32_768)
    throw invalidParameter("command is empty or too long.");
  const { id, token } = control.sessions.add({
    task: task.id,
    container: container.name ?? "",
    command: input.command,
    interactive: input.interactive,
  });
  return {
    clusterArn: cluster.wire.clusterArn,
    containerArn: container.containerArn,
    containerName: container.name,
    interactive: input.interactive,
    session: {
      sessionId: id,
      streamUrl: `${call.endpoint.replace(/^http/, "ws")}/v1/exec/${id}`,
      tokenValue: token,
    },
    taskArn: task.wire.taskArn,
  };
}

function containerOf(
  task: TaskEntity,
  name: string | undefined,
): NonNullable<TaskEntity["wire"]["containers"]>[number] {
  const containers = task.wire.containers ?? [];
  if (name === undefined && containers.length > 1)
    throw invalidParameter("The container is missing: the task has more than one.");
  const found = name === undefined ? containers[0] : containers.find((container) => container.name === name);
  if (found === undefined) throw invalidParameter(`The task has no container ${name?.slice(0, 60)}.`);
  return found;
}
