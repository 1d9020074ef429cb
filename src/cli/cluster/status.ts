// tranship cluster status: clusters with their container instances and services.
import type {
  DescribeClustersResponse,
  DescribeContainerInstancesResponse,
  DescribeServicesResponse,
  ListClustersResponse,
  ListContainerInstancesResponse,
  ListServicesResponse,
} from "../../cluster/api/shapes.ts";
import type { ClusterClient } from "../../cluster/client.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { clientOf } from "./client.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const client = clientOf(call, context);
  const only = call.args[0];
  const { clusterArns: clusters = [] } =
    only === undefined
      ? await client.call<ListClustersResponse>("ListClusters", {})
      : { clusterArns: [only] };
  const seen = await client.call<DescribeClustersResponse>("DescribeClusters", { clusters });
  const rows = [];
  for (const cluster of seen.clusters ?? [])
    rows.push({
      ...cluster,
      containerInstances: await instances(client, cluster.clusterArn),
      services: await services(client, cluster.clusterArn),
    });
  const format = text(call.options, "format") ?? "table";
  if (format !== "table") context.print(printRows(rows, format));
  else for (const row of rows) context.print(show(row));
}

async function instances(
  client: ClusterClient,
  cluster: string | undefined,
): Promise<NonNullable<DescribeContainerInstancesResponse["containerInstances"]>> {
  const { containerInstanceArns: containerInstances = [] } =
    await client.call<ListContainerInstancesResponse>("ListContainerInstances", { cluster });
  if (containerInstances.length === 0) return [];
  const seen = await client.call<DescribeContainerInstancesResponse>("DescribeContainerInstances", {
    cluster,
    containerInstances,
  });
  return seen.containerInstances ?? [];
}

async function services(
  client: ClusterClient,
  cluster: string | undefined,
): Promise<NonNullable<DescribeServicesResponse["services"]>> {
  const { serviceArns = [] } = await client.call<ListServicesResponse>("ListServices", { cluster });
  const found = [];
  for (let at = 0; at < serviceArns.length; at += 10) {
    const seen = await client.call<DescribeServicesResponse>("DescribeServices", {
      cluster,
      services: serviceArns.slice(at, at + 10),
    });
    found.push(...(seen.services ?? []));
  }
  return found;
}

function show(row: {
  clusterName?: string | undefined;
  status?: string | undefined;
  containerInstances: Awaited<ReturnType<typeof instances>>;
  services: Awaited<ReturnType<typeof services>>;
}): string {
  const left = (
    resources: { name?: string | undefined; integerValue?: number | undefined }[] | undefined,
    name: string,
  ): string => String(resources?.find((resource) => resource.name === name)?.integerValue ?? "");
  const hosts = row.containerInstances.map((instance) => [
    instance.containerInstanceArn?.split("/").at(-1)?.slice(0, 12) ?? "",
    instance.agentConnected ? (instance.status ?? "") : "disconnected",
    `${left(instance.remainingResources, "CPU")}/${left(instance.registeredResources, "CPU")}`,
    `${left(instance.remainingResources, "MEMORY")}/${left(instance.registeredResources, "MEMORY")}`,
    String(instance.runningTasksCount ?? 0),
  ]);
  const lines = row.services.map((service) => [
    service.serviceName ?? "",
    service.status ?? "",
    `${service.runningCount}/${service.desiredCount}`,
    service.taskDefinition?.split("/").at(-1) ?? "",
    service.deployments?.[0]?.rolloutState ?? "",
  ]);
  const parts = [
    `cluster ${row.clusterName} ${row.status}\n`,
    printTable(["INSTANCE", "STATUS", "CPU LEFT", "MIB LEFT", "TASKS"], hosts),
  ];
  if (lines.length > 0)
    parts.push(printTable(["SERVICE", "STATUS", "RUNNING", "TASK DEFINITION", "ROLLOUT"], lines));
  return parts.join("\n");
}
