// Operations on clusters.
import { EcsError, invalidParameter } from "../api/ecs-error.ts";
import type {
  Cluster,
  ClusterSetting,
  CreateClusterRequest,
  CreateClusterResponse,
  DeleteClusterRequest,
  DeleteClusterResponse,
  DescribeClustersRequest,
  DescribeClustersResponse,
  KeyValuePair,
  ListClustersRequest,
  ListClustersResponse,
  PutClusterCapacityProvidersRequest,
  PutClusterCapacityProvidersResponse,
  UpdateClusterRequest,
  UpdateClusterResponse,
  UpdateClusterSettingsRequest,
  UpdateClusterSettingsResponse,
} from "../api/shapes.ts";
import type { ClusterEntity } from "../state/entities.ts";
import type { State } from "../state/state.ts";
import { checkStrategy } from "./capacity-providers.ts";
import type { Call } from "./control.ts";
import { registerNodes } from "./instances.ts";
import { checkName, clusterName, clusterOf } from "./names.ts";
import { page } from "./pages.ts";
import { refuseClusterFields } from "./refused-fields.ts";
import { checkTags } from "./tags.ts";

/** The same name again gives the cluster that is there. */
export function createCluster(call: Call, input: CreateClusterRequest): CreateClusterResponse {
  const { state } = call.control;
  const name = clusterName(input.clusterName);
  checkName(name, "Cluster name");
  const found = state.cluster.get(name);
  if (found?.wire.status === "ACTIVE")
    return { cluster: shown(state, found, ["SETTINGS", "TAGS", "CONFIGURATIONS"]) };
  refuseClusterFields(input);
  checkStrategy(call, input.defaultCapacityProviderStrategy, input.capacityProviders ?? []);
  const cluster: ClusterEntity = {
    name,
    wire: {
      clusterArn: call.control.arn(call.region, "cluster", name),
      clusterName: name,
      status: "ACTIVE",
      tags: checkTags(input.tags),
      settings: withDefaults(input.settings),
      configuration: input.configuration,
      capacityProviders: input.capacityProviders ?? [],
      defaultCapacityProviderStrategy: input.defaultCapacityProviderStrategy ?? [],
    },
  };
  state.cluster.put(cluster);
  registerNodes(call.control);
  return { cluster: shown(state, cluster, ["SETTINGS", "TAGS", "CONFIGURATIONS"]) };
}

export function describeClusters(call: Call, input: DescribeClustersRequest): DescribeClustersResponse {
  const { state } = call.control;
  const names = input.clusters === undefined || input.clusters.length === 0 ? ["default"] : input.clusters;
  if (names.length > 100) throw invalidParameter("At most 100 clusters can be described in one call.");
  const clusters: Cluster[] = [];
  const failures: { arn: string; reason: string }[] = [];
  for (const text of names) {
    const name = clusterName(text);
    const found = state.cluster.get(name);
    if (found !== undefined) clusters.push(shown(state, found, input.include ?? []));
    else
      failures.push({
        arn: text.startsWith("arn:") ? text : call.control.arn(call.region, "cluster", name),
        reason: "MISSING",
      });
  }
  return { clusters, failures };
}

export function listClusters(call: Call, input: ListClustersRequest): ListClustersResponse {
  const arns = [...call.control.state.cluster.all()]
    .filter(({ wire }) => wire.status === "ACTIVE")
    .map(({ wire }) => wire.clusterArn);
  const { keys, ...more } = page(arns, input, { question: "ListClusters" });
  return { clusterArns: keys, ...more };
}

export function deleteCluster(call: Call, input: DeleteClusterRequest): DeleteClusterResponse {
  const { state } = call.control;
  const cluster = clusterOf(state, input.cluster);
  const holds = (what: string): EcsError =>
    new EcsError(
      `ClusterContains${what}Exception`,
      `The Cluster cannot be deleted while ${what.replace(/([a-z])([A-Z])/g, "$1 $2")} are active.`,
    );
  for (const service of state.service.group(cluster.name))
    if (service.wire.status !== "INACTIVE") throw holds("Services");
  for (const task of state.task.group(cluster.name))
    if (task.wire.lastStatus !== "STOPPED") throw holds("Tasks");
  for (const instance of state.instance.group(cluster.name))
    if (!instance.own) throw holds("ContainerInstances");
  for (const instance of [...state.instance.group(cluster.name)]) state.instance.delete(instance.id);
  cluster.wire.status = "INACTIVE";
  state.cluster.put(cluster);
  return { cluster: shown(state, cluster, []) };
}

export function updateCluster(call: Call, input: UpdateClusterRequest): UpdateClusterResponse {
  const { state } = call.control;
  const cluster = clusterOf(state, input.cluster);
  refuseClusterFields(input);
  if (input.settings !== undefined) cluster.wire.settings = withDefaults(input.settings);
  if (input.configuration !== undefined) cluster.wire.configuration = input.configuration;
  state.cluster.put(cluster);
  return { cluster: shown(state, cluster, ["SETTINGS", "TAGS", "CONFIGURATIONS"]) };
}

export function updateClusterSettings(
  call: Call,
  input: UpdateClusterSettingsRequest,
): UpdateClusterSettingsResponse {
  const { state } = call.control;
  const cluster = clusterOf(state, input.cluster);
  cluster.wire.settings = withDefaults(input.settings);
  state.cluster.put(cluster);
  return { cluster: shown(state, cluster, ["SETTINGS", "TAGS"]) };
}

export function putClusterCapacityProviders(
  call: Call,
  input: PutClusterCapacityProvidersRequest,
): PutClusterCapacityProvidersResponse {
  const { state } = call.control;
  const cluster = clusterOf(state, input.cluster);
  checkStrategy(call, input.defaultCapacityProviderStrategy, input.capacityProviders);
  const removed = (cluster.wire.capacityProviders ?? []).filter(
    (name) => !input.capacityProviders.includes(name),
  );
  for (const service of state.service.group(cluster.name)) {
    const used = service.wire.capacityProviderStrategy?.find(({ capacityProvider }) =>
      removed.includes(capacityProvider),
    );
    if (used !== undefined && service.wire.status === "ACTIVE")
      throw new EcsError(
        "ResourceInUseException",
        `The capacity provider ${used.capacityProvider} is in use by the service ${service.name} and cannot be removed.`,
      );
  }
  cluster.wire.capacityProviders = input.capacityProviders;
  cluster.wire.defaultCapacityProviderStrategy = input.defaultCapacityProviderStrategy;
  state.cluster.put(cluster);
  return { cluster: shown(state, cluster, ["SETTINGS", "TAGS"]) };
}

function withDefaults(settings: readonly ClusterSetting[] | undefined): ClusterSetting[] {
  const insights = settings?.findLast(({ name }) => name === "containerInsights")?.value ?? "disabled";
  if (!["enabled", "disabled", "enhanced"].includes(insights))
    throw invalidParameter(
      `containerInsights is enabled, enhanced or disabled, not ${insights.slice(0, 50)}`,
    );
  return [{ name: "containerInsights", value: insights }];
}

/** Settings, tags, statistics and configuration only when asked for. */
function shown(state: State, { name, wire }: ClusterEntity, include: readonly string[]): Cluster {
  const { settings, tags, configuration, ...rest } = wire;
  let running = 0;
  let pending = 0;
  for (const { wire: task } of state.task.group(name)) {
    if (task.lastStatus === "RUNNING") running++;
    else if (["PROVISIONING", "PENDING", "ACTIVATING"].includes(task.lastStatus)) pending++;
  }
  let services = 0;
  for (const service of state.service.group(name)) if (service.wire.status !== "INACTIVE") services++;
  const statistics: KeyValuePair[] = [
    { name: "runningEC2TasksCount", value: String(running) },
    { name: "pendingEC2TasksCount", value: String(pending) },
    { name: "activeEC2ServiceCount", value: String(services) },
  ];
  return {
    ...rest,
    registeredContainerInstancesCount: state.instance.sizeOfGroup(name),
    runningTasksCount: running,
    pendingTasksCount: pending,
    activeServicesCount: services,
    statistics: include.includes("STATISTICS") ? statistics : [],
    tags: include.includes("TAGS") ? tags : [],
    settings: include.includes("SETTINGS") ? settings : [],
    ...(include.includes("CONFIGURATIONS") && configuration !== undefined ? { configuration } : {}),
  };
}
