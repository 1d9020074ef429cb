// tranship cluster rollback: stops a rollout under way, or goes back to the version before the one that runs.
import { TranshipError } from "../../base/errors.ts";
import type {
  DescribeServiceDeploymentsResponse,
  DescribeServiceRevisionsResponse,
  DescribeServicesResponse,
  ListServiceDeploymentsResponse,
} from "../../cluster/api/shapes.ts";
import type { ClusterClient } from "../../cluster/client.ts";
import type { Context } from "../context.ts";
import { type Call, flag, text } from "../verb.ts";
import { clientOf } from "./client.ts";
import { settled } from "./settled.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const client = clientOf(call, context);
  const service = text(call.options, "service") ?? "";
  if (service === "")
    throw new TranshipError("E_USAGE", "--service is missing", { hint: "name the service" });
  const cluster = text(call.options, "cluster") ?? "default";
  const { services } = await client.call<DescribeServicesResponse>("DescribeServices", {
    cluster,
    services: [service],
  });
  const found = services?.[0];
  if (found?.status !== "ACTIVE") throw none(`no service ${service} in the cluster ${cluster}`);
  const underWay =
    found.deployments?.[0]?.rolloutState === "IN_PROGRESS" && found.currentServiceDeployment !== undefined;
  const wanted = underWay ? undefined : await before(client, cluster, service, found.taskDefinition);
  if (underWay)
    await client.call("StopServiceDeployment", {
      serviceDeploymentArn: found.currentServiceDeployment,
      stopType: "ROLLBACK",
    });
  else await client.call("UpdateService", { cluster, service, taskDefinition: wanted });
  if (!flag(call.options, "detach"))
    await settled(() => clientOf(call, context), { cluster, service, wanted }, context);
}

/** The task definition of the newest completed deployment that is not the one in force. */
async function before(
  client: ClusterClient,
  cluster: string,
  service: string,
  now: string | undefined,
): Promise<string> {
  const listed = await client.call<ListServiceDeploymentsResponse>("ListServiceDeployments", {
    cluster,
    service,
  });
  for (const { serviceDeploymentArn = "", status } of listed.serviceDeployments ?? []) {
    if (status !== "SUCCESSFUL" && status !== "ROLLBACK_SUCCESSFUL") continue;
    const { serviceDeployments } = await client.call<DescribeServiceDeploymentsResponse>(
      "DescribeServiceDeployments",
      { serviceDeploymentArns: [serviceDeploymentArn] },
    );
    const record = serviceDeployments?.[0];
    const arn = record?.rollback?.serviceRevisionArn ?? record?.targetServiceRevision?.arn ?? "";
    const { serviceRevisions } = await client.call<DescribeServiceRevisionsResponse>(
      "DescribeServiceRevisions",
      { serviceRevisionArns: [arn] },
    );
    const definition = serviceRevisions?.[0]?.taskDefinition;
    if (definition !== undefined && definition !== now) return definition;
  }
  throw none(`the service ${service} has no earlier version that worked`);
}

function none(message: string): TranshipError {
  return new TranshipError("E_CLUSTER_REFUSED", message, {
    hint: "`tranship cluster status` shows what there is",
  });
}
