// Operations on tasks.
import { clientError, EcsError, invalidParameter } from "../api/ecs-error.ts";
import type {
  DescribeTasksRequest,
  DescribeTasksResponse,
  Failure,
  ListTasksRequest,
  ListTasksResponse,
  RunTaskRequest,
  RunTaskResponse,
  StartTaskRequest,
  StartTaskResponse,
  StopTaskRequest,
  StopTaskResponse,
  Tag,
  Task,
} from "../api/shapes.ts";
import { place } from "../placement/place.ts";
import type { ClusterEntity, InstanceEntity, TaskDefinitionEntity, TaskEntity } from "../state/entities.ts";
import { providersFor } from "./capacity-providers.ts";
import { checkSizes, plainSizes } from "./check-definition.ts";
import { checkPlacement } from "./check-placement.ts";
import { checkWords } from "./check-words.ts";
import type { Call, Control } from "./control.ts";
import { allConstraints, countByInstance, needsOf } from "./demand.ts";
import { once } from "./idempotency.ts";
import { makeTask } from "./make-task.ts";
import { clusterName, clusterOf, definitionOf, idOf, serviceKey } from "./names.ts";
import { pageByNumber } from "./pages.ts";
import { refuseLaunch, refuseOverrides } from "./refused-fields.ts";
import { endTask } from "./stop-task.ts";
import { checkTags } from "./tags.ts";

export function runTask(call: Call, input: RunTaskRequest): RunTaskResponse {
  const { control } = call;
  const { state } = control;
  const cluster = clusterOf(state, input.cluster);
  const count = input.count ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > 10)
    throw invalidParameter(`count must be between 1 and 10, not ${count}`);
  if (input.launchType !== undefined && (input.capacityProviderStrategy?.length ?? 0) > 0)
    throw invalidParameter(
      "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
    );
  // Before all that may have changed since: who asks again gets what he got.
  const known = once(control, `RunTask/${cluster.name}`, input, (arns) => shownTasks(call, arns));
  if (known.before !== undefined) return { tasks: known.before, failures: [] };
  const definition = usable(call, input.taskDefinition);
  checkOverrides(definition, input);
  checkPlacement(input.placementConstraints, input.placementStrategy);
  const tags = tagsOf(input, definition);
  const needs = needsOf(definition.wire, input.overrides);
  const providers = providersFor(call, cluster, input, count);
  const group = input.group ?? `family:${definition.family}`;
  const { placed, failure } = place(control.candidates.of(cluster.name), count, {
    ...needs,
    constraints: allConstraints(definition.wire, input.placementConstraints),
    strategy: input.placementStrategy ?? [{ type: "random" }],
    groupCounts: needsCounts(input) ? countByInstance(ofGroup(control, cluster.name, group)) : new Map(),
    random: control.random,
  });
  const tasks = placed.flatMap(({ id }, index) => {
    const instance = state.instance.get(id);
    if (instance === undefined) return [];
    return [newTask(call, { cluster, definition, instance, group, input, tags, provider: providers[index] })];
  });
  known.answered(tasks.map(({ wire }) => wire.taskArn));
  const failures: Failure[] = [];
  if (failure !== undefined) failures.push(...failuresOf(call, cluster, failure));
  return { tasks: tasks.map(({ wire }) => wire), failures };
}

/** Only these look at where the group's tasks are; to count them takes the longer the more tasks there are. */
function needsCounts({ placementStrategy, placementConstraints }: RunTaskRequest): boolean {
  return (
    (placementStrategy?.some(({ type }) => type === "spread") ?? false) ||
    (placementConstraints?.some(({ type }) => type === "distinctInstance") ?? false)
  );
}

function ofGroup(control: Control, cluster: string, group: string): Iterable<TaskEntity> {
  return those(control.state.task.group(cluster), ({ wire }) => wire.group === group);
}

function* those(tasks: Iterable<TaskEntity>, are: (task: TaskEntity) => boolean): Generator<TaskEntity> {
  for (const task of tasks) if (are(task)) yield task;
}

export function startTask(call: Call, input: StartTaskRequest): StartTaskResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  if (input.containerInstances.length < 1 || input.containerInstances.length > 10)
    throw invalidParameter("Between 1 and 10 container instances are given.");
  const definition = usable(call, input.taskDefinition);
  checkOverrides(definition, input);
  const tags = tagsOf(input, definition);
  const group = input.group ?? `family:${definition.family}`;
  const tasks: Task[] = [];
  const failures: Failure[] = [];
  // All of them before the first task is made: an ARN of something else refuses the call.
  const ids = input.containerInstances.map((text) => [text, idOf(text, "container-instance")] as const);
  for (const [text, id] of ids) {
    const instance = control.state.instance.get(id);
    if (instance === undefined || instance.cluster !== cluster.name) {
      failures.push({ arn: text, reason: "MISSING" });
      continue;
    }
    const { failure } = place([control.candidates.one(instance)], 1, {
      ...needsOf(definition.wire, input.overrides),
      constraints: [],
      strategy: [],
      groupCounts: new Map(),
      random: control.random,
    });
    if (failure !== undefined) {
      const reason = instance.wire.status === "ACTIVE" ? failure : "INACTIVE";
      failures.push({ arn: instance.wire.containerInstanceArn, reason });
    } else tasks.push(newTask(call, { cluster, definition, instance, group, input, tags }).wire);
  }
  return { tasks, failures };
}

interface Making {
  cluster: ClusterEntity;
  definition: TaskDefinitionEntity;
  instance: InstanceEntity;
  group: string;
  input: Pick<RunTaskRequest, "overrides" | "startedBy" | "enableExecuteCommand" | "launchType">;
  tags: Tag[];
  provider?: string | undefined;
}

function newTask(call: Call, made: Making): TaskEntity {
  return makeTask(call.control, {
    region: call.region,
    cluster: made.cluster.name,
    clusterArn: made.cluster.wire.clusterArn,
    definition: made.definition,
    instance: made.instance,
    needs: needsOf(made.definition.wire, made.input.overrides),
    overrides: { ...made.input.overrides, ...plainSizes(made.input.overrides ?? {}) },
    group: made.group,
    startedBy: made.input.startedBy,
    tags: made.tags,
    enableExecuteCommand: made.input.enableExecuteCommand ?? false,
    capacityProvider: made.provider,
    launchType: made.input.launchType,
  });
}

function usable(call: Call, text: string): TaskDefinitionEntity {
  const definition = definitionOf(call.control.state, text, "TaskDefinition not found.");
  if (definition.wire.status !== "ACTIVE") throw clientError("TaskDefinition is inactive");
  return definition;
}

function checkOverrides(
  { wire }: TaskDefinitionEntity,
  input: Pick<RunTaskRequest, "overrides" | "startedBy" | "group" | "networkConfiguration"> &
    Pick<RunTaskRequest, "volumeConfigurations" | "launchType" | "platformVersion">,
): void {
  if ((input.volumeConfigurations?.length ?? 0) > 0)
    throw clientError("volumeConfigurations is not supported by this control plane.");
  refuseLaunch(input);
  refuseOverrides(input.overrides);
  checkSizes(input.overrides ?? {});
  const names = new Set((wire.containerDefinitions ?? []).map(({ name }) => name));
  for (const override of input.overrides?.containerOverrides ?? []) {
    if (!names.has(override.name))
      throw invalidParameter(
        `Override for container named ${String(override.name).slice(0, 60)} is not a container in the TaskDefinition.`,
      );
    checkWords(override);
  }
  if ((input.startedBy?.length ?? 0) > 128) throw invalidParameter("startedBy has at most 128 characters.");
  if (JSON.stringify(input.overrides ?? {}).length > 8192)
    throw invalidParameter("Container Overrides length must be at most 8192");
  if (input.group?.startsWith("service:"))
    throw invalidParameter("A task group that begins with service: is for services.");
}

function tagsOf(
  input: Pick<RunTaskRequest, "tags" | "propagateTags" | "enableECSManagedTags" | "cluster">,
  definition: TaskDefinitionEntity,
): Tag[] {
  const tags = checkTags(input.tags);
  const names = new Set(tags.map(({ key }) => key));
  if (input.propagateTags === "SERVICE")
    throw invalidParameter("Tags can be propagated from the task definition only.");
  if (input.propagateTags === "TASK_DEFINITION")
    tags.push(...definition.tags.filter(({ key }) => !names.has(key)));
  if (input.enableECSManagedTags)
    tags.push({ key: "aws:ecs:clusterName", value: clusterName(input.cluster) });
  return tags;
}

/** One for each container instance that could not take it, as the real service answers; one without an instance where there is none. */
function failuresOf(call: Call, cluster: ClusterEntity, reason: string): Failure[] {
  const failures: Failure[] = [];
  for (const { wire } of call.control.state.instance.group(cluster.name)) {
    if (failures.length === 10) break;
    failures.push({ arn: wire.containerInstanceArn, reason });
  }
  if (failures.length === 0) throw invalidParameter("No Container Instances were found in your cluster.");
  return failures;
}

function shownTasks(call: Call, arns: readonly string[]): Task[] {
  return arns.flatMap((arn) => call.control.state.task.get(idOf(arn, "task"))?.wire ?? []);
}

export function stopTask(call: Call, input: StopTaskRequest): StopTaskResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  const task = control.state.task.get(idOf(input.task, "task"));
  if (task === undefined || task.cluster !== cluster.name)
    throw invalidParameter("The referenced task was not found.");
  if ((input.reason?.length ?? 0) > 1024) throw invalidParameter("reason has at most 1024 characters.");
  endTask(control, task, "UserInitiated", input.reason ?? "Task stopped by user");
  return { task: task.wire };
}

export function describeTasks(call: Call, input: DescribeTasksRequest): DescribeTasksResponse {
  const { state } = call.control;
  const cluster = clusterOf(state, input.cluster);
  if (input.tasks.length === 0) throw invalidParameter("Tasks cannot be empty.");
  if (input.tasks.length > 100) throw invalidParameter("At most 100 tasks can be described in one call.");
  const tasks: Task[] = [];
  const failures: Failure[] = [];
  for (const text of input.tasks) {
    const id = idOf(text, "task");
    const task = state.task.get(id);
    if (task === undefined || task.cluster !== cluster.name)
      failures.push({
        arn: text.startsWith("arn:") ? text : call.control.arn(call.region, "task", cluster.name, id),
        reason: "MISSING",
      });
    else tasks.push(input.include?.includes("TAGS") ? task.wire : { ...task.wire, tags: [] });
  }
  return { tasks, failures };
}

export function listTasks(call: Call, input: ListTasksRequest): ListTasksResponse {
  const { control } = call;
  const { state } = control;
  const cluster = clusterOf(state, input.cluster);
  if (input.startedBy !== undefined && input.family !== undefined)
    throw invalidParameter("Only one of startedBy and family can be given.");
  const service = input.serviceName === undefined ? undefined : serviceKey(cluster.name, input.serviceName);
  if (service !== undefined && !state.service.get(service))
    throw new EcsError("ServiceNotFoundException", "Service not found.");
  const instance =
    input.containerInstance === undefined ? undefined : idOf(input.containerInstance, "container-instance");
  const wanted = input.desiredStatus ?? "RUNNING";
  const isAsked = (task: TaskEntity): boolean =>
    // PENDING tasks have the desired status RUNNING: asking for PENDING gives none, as with the real service.
    task.wire.desiredStatus === wanted &&
    (input.family === undefined || task.definition.startsWith(`${input.family}:`)) &&
    (input.startedBy === undefined || task.wire.startedBy === input.startedBy) &&
    (instance === undefined || task.instance === instance) &&
    (input.launchType === undefined || task.wire.launchType === input.launchType);
  const tasks = service === undefined ? state.task.group(cluster.name) : control.occupancy.ofService(service);
  const { items, ...more } = pageByNumber(those(tasks, isAsked), ({ id }) => state.task.numberOf(id), input, {
    question: `ListTasks/${cluster.name}`,
  });
  return { taskArns: items.map(({ wire }) => wire.taskArn), ...more };
}
