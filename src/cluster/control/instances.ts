// Operations on container instances, and the registration of the driver's nodes as such.
import { clientError, EcsError, invalidParameter } from "../api/ecs-error.ts";
import type {
  Attribute,
  ContainerInstance,
  DeregisterContainerInstanceRequest,
  DeregisterContainerInstanceResponse,
  DescribeContainerInstancesRequest,
  DescribeContainerInstancesResponse,
  Failure,
  ListContainerInstancesRequest,
  ListContainerInstancesResponse,
  RegisterContainerInstanceRequest,
  RegisterContainerInstanceResponse,
  Resource,
  UpdateContainerInstancesStateRequest,
  UpdateContainerInstancesStateResponse,
} from "../api/shapes.ts";
import type { DriverNode } from "../drivers/driver.ts";
import { parseExpression } from "../placement/expression.ts";
import type { ClusterEntity, InstanceEntity } from "../state/entities.ts";
import type { Call, Control } from "./control.ts";
import { subjectOf } from "./demand.ts";
import { clusterOf, idOf } from "./names.ts";
import { page } from "./pages.ts";
import { countsOf } from "./shown-service.ts";
import { endTask } from "./stop-task.ts";
import { checkTags } from "./tags.ts";

/** Each ACTIVE cluster sees each node of the driver as a container instance of its own, whose room is the node's (decision 85). Nodes that the driver no longer knows are disconnected. */
export function registerNodes(control: Control): void {
  const nodes = new Map(control.driver.nodes().map((node) => [node.name, node]));
  for (const cluster of control.state.cluster.all()) {
    if (cluster.wire.status !== "ACTIVE") continue;
    const known = new Set<string>();
    for (const instance of [...control.state.instance.group(cluster.name)]) {
      if (!instance.own) continue;
      known.add(instance.node);
      refresh(control, instance, nodes.get(instance.node));
    }
    for (const node of nodes.values())
      if (!known.has(node.name)) control.state.instance.put(fromNode(control, cluster, node));
    control.roomChanged(cluster.name);
  }
}

function fromNode(control: Control, cluster: ClusterEntity, node: DriverNode): InstanceEntity {
  const region = cluster.wire.clusterArn.split(":")[3] ?? control.region;
  const made = newInstance(control, region, cluster.name, node.attributes);
  made.wire.agentConnected = node.connected;
  return {
    ...made,
    node: node.name,
    own: true,
    ...(node.connected ? {} : { lostAt: control.clock.now() }),
    cpu: node.cpu,
    memory: node.memory,
    reservedPorts: [...node.reservedPorts],
  };
}

function newInstance(
  control: Control,
  region: string,
  cluster: string,
  attributes: readonly Attribute[],
): Omit<InstanceEntity, "node" | "own" | "cpu" | "memory" | "reservedPorts"> {
  const id = control.newId();
  return {
    id,
    cluster,
    attributes: [...attributes],
    wire: {
      containerInstanceArn: control.arn(region, "container-instance", cluster, id),
      status: "ACTIVE",
      agentConnected: true,
      registeredAt: control.seconds,
      version: 1,
      versionInfo: { agentVersion: "1.0.0" },
      attachments: [],
      tags: [],
    },
  };
}

function refresh(control: Control, instance: InstanceEntity, node: DriverNode | undefined): void {
  const connected = node?.connected ?? false;
  // Of one that is there no task may be given up, whatever was written down before.
  const changed =
    connected === (instance.lostAt !== undefined) ||
    instance.wire.agentConnected !== connected ||
    (node !== undefined && (node.cpu !== instance.cpu || node.memory !== instance.memory));
  if (!changed) return;
  instance.wire.agentConnected = connected;
  if (connected) delete instance.lostAt;
  else instance.lostAt ??= control.clock.now();
  if (node !== undefined && connected) {
    instance.attributes = withAttributes(instance.attributes, node.attributes);
    instance.cpu = node.cpu;
    instance.memory = node.memory;
  }
  instance.wire.version = (instance.wire.version ?? 0) + 1;
  control.state.instance.put(instance);
}

/** What the node says of itself, and what people have put beside it. */
function withAttributes(known: readonly Attribute[], told: readonly Attribute[]): Attribute[] {
  const names = new Set(told.map(({ name }) => name));
  return [...told, ...known.filter(({ name }) => !names.has(name))];
}

export function shownInstance(
  control: Control,
  instance: InstanceEntity,
  withTags: boolean,
): ContainerInstance {
  const taken = control.occupancy.ofNode(instance.node);
  const counts = countsOf(control.occupancy.tasksOf(instance.id));
  const resources = (cpu: number, memory: number, ports: readonly string[]): Resource[] => [
    { name: "CPU", type: "INTEGER", integerValue: cpu },
    { name: "MEMORY", type: "INTEGER", integerValue: memory },
    {
      name: "PORTS",
      type: "STRINGSET",
      stringSetValue: ports.filter((port) => port.endsWith("/tcp")).map((port) => port.split("/")[0] ?? ""),
    },
    {
      name: "PORTS_UDP",
      type: "STRINGSET",
      stringSetValue: ports.filter((port) => port.endsWith("/udp")).map((port) => port.split("/")[0] ?? ""),
    },
  ];
  return {
    ...instance.wire,
    tags: withTags ? instance.wire.tags : [],
    attributes: instance.attributes.map(({ name, value }) => ({
      name,
      ...(value === undefined ? {} : { value }),
    })),
    registeredResources: resources(instance.cpu, instance.memory, instance.reservedPorts),
    remainingResources: resources(instance.cpu - taken.cpu, instance.memory - taken.memory, [
      ...instance.reservedPorts,
      ...taken.ports,
    ]),
    runningTasksCount: counts.running,
    pendingTasksCount: counts.pending,
  };
}

export function describeContainerInstances(
  call: Call,
  input: DescribeContainerInstancesRequest,
): DescribeContainerInstancesResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  if (input.containerInstances.length === 0) throw invalidParameter("Container Instances cannot be empty.");
  if (input.containerInstances.length > 100)
    throw invalidParameter("At most 100 container instances can be described in one call.");
  const { found, failures } = select(call, cluster, input.containerInstances);
  const withTags = input.include?.includes("TAGS") ?? false;
  return {
    containerInstances: found.map((instance) => shownInstance(control, instance, withTags)),
    failures,
  };
}

function select(
  call: Call,
  cluster: ClusterEntity,
  texts: readonly string[],
): { found: InstanceEntity[]; failures: Failure[] } {
  const found: InstanceEntity[] = [];
  const failures: Failure[] = [];
  for (const text of texts) {
    const id = idOf(text, "container-instance");
    const instance = call.control.state.instance.get(id);
    if (instance !== undefined && instance.cluster === cluster.name) found.push(instance);
    else
      failures.push({
        arn: text.startsWith("arn:")
          ? text
          : call.control.arn(call.region, "container-instance", cluster.name, id),
        reason: "MISSING",
      });
  }
  return { found, failures };
}

export function listContainerInstances(
  call: Call,
  input: ListContainerInstancesRequest,
): ListContainerInstancesResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  const test = input.filter === undefined || input.filter === "" ? () => true : parseExpression(input.filter);
  const arns: string[] = [];
  for (const instance of control.state.instance.group(cluster.name)) {
    if (input.status !== undefined && instance.wire.status !== input.status) continue;
    if (test(subjectOf(control.occupancy, instance))) arns.push(instance.wire.containerInstanceArn);
  }
  const { keys, ...more } = page(arns, input, { question: `ListContainerInstances/${cluster.name}` });
  return { containerInstanceArns: keys, ...more };
}

/** Tasks of services move within their minimum healthy percent; tasks that were started alone stay. */
export function updateContainerInstancesState(
  call: Call,
  input: UpdateContainerInstancesStateRequest,
): UpdateContainerInstancesStateResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  if (!["ACTIVE", "DRAINING"].includes(input.status))
    throw invalidParameter("Container instance status is ACTIVE or DRAINING.");
  if (input.containerInstances.length < 1 || input.containerInstances.length > 10)
    throw invalidParameter("Between 1 and 10 container instances are given.");
  const { found, failures } = select(call, cluster, input.containerInstances);
  for (const instance of found) {
    instance.wire.status = input.status;
    instance.wire.version = (instance.wire.version ?? 0) + 1;
    control.state.instance.put(instance);
    for (const task of control.occupancy.tasksOf(instance.id)) control.wakeService(task.service);
  }
  control.roomChanged(cluster.name);
  return { containerInstances: found.map((instance) => shownInstance(control, instance, false)), failures };
}

/** What the agent of a node calls. The node is one that the driver does not bring: its tasks are the agent's. */
export function registerContainerInstance(
  call: Call,
  input: RegisterContainerInstanceRequest,
): RegisterContainerInstanceResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  const amount = (name: string): number => {
    const found = input.totalResources?.find((resource) => resource.name === name);
    return found?.integerValue ?? found?.longValue ?? found?.doubleValue ?? 0;
  };
  const ports = (input.totalResources ?? []).flatMap(({ name, stringSetValue }) =>
    name === "PORTS" || name === "PORTS_UDP"
      ? (stringSetValue ?? []).map((port) => `${port}/${name === "PORTS" ? "tcp" : "udp"}`)
      : [],
  );
  const again =
    input.containerInstanceArn === undefined
      ? undefined
      : control.state.instance.get(idOf(input.containerInstanceArn, "container-instance"));
  if (input.containerInstanceArn !== undefined && again === undefined)
    throw clientError("The container instance to register again was not found.");
  const made = newInstance(control, call.region, cluster.name, input.attributes ?? []);
  const instance: InstanceEntity = {
    ...(again ?? { ...made, node: `registered-${made.id}`, own: false }),
    attributes: [...(input.attributes ?? again?.attributes ?? [])],
    cpu: amount("CPU"),
    memory: amount("MEMORY"),
    reservedPorts: ports,
  };
  instance.wire.tags = checkTags(input.tags);
  if (input.versionInfo !== undefined) instance.wire.versionInfo = input.versionInfo;
  control.state.instance.put(instance);
  control.roomChanged(cluster.name);
  return { containerInstance: shownInstance(control, instance, true) };
}

export function deregisterContainerInstance(
  call: Call,
  input: DeregisterContainerInstanceRequest,
): DeregisterContainerInstanceResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  const instance = control.state.instance.get(idOf(input.containerInstance, "container-instance"));
  if (instance === undefined || instance.cluster !== cluster.name)
    throw new EcsError("InvalidParameterException", "The referenced container instance was not found.");
  const tasks = [...control.occupancy.tasksOf(instance.id)];
  if (tasks.length > 0 && !input.force) throw invalidParameter("Found running tasks on the instance.");
  const shown = { ...shownInstance(control, instance, true), status: "INACTIVE", agentConnected: false };
  for (const task of tasks)
    endTask(control, task, "InfrastructureHealth", "Host EC2 (container instance) deregistered.");
  control.state.instance.delete(instance.id);
  control.roomChanged(cluster.name);
  return { containerInstance: shown };
}
