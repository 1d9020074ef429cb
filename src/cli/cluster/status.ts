// tranship cluster status: clusters with their container instances and services.
import type { ContainerInstance, Service } from "../../cluster/api/shapes.ts";
import { allClusters, allInstances, allServices } from "../../cluster/listing.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { clientOf } from "./client.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const client = clientOf(call, context);
  const rows = [];
  for (const cluster of await allClusters(client, call.args[0]))
    rows.push({
      ...cluster,
      containerInstances: await allInstances(client, cluster.clusterArn),
      services: await allServices(client, cluster.clusterArn),
    });
  const format = text(call.options, "format") ?? "table";
  if (format !== "table") context.print(printRows(rows, format));
  else for (const row of rows) context.print(show(row));
}

function show(row: {
  clusterName?: string | undefined;
  status?: string | undefined;
  containerInstances: ContainerInstance[];
  services: Service[];
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
