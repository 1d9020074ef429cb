// Fields of calls that would have no effect here: refused by their name, in the words of the real service where it refuses them as well.
import { clientError, invalidParameter } from "../api/ecs-error.ts";
import type {
  ClusterConfiguration,
  CreateServiceRequest,
  NetworkConfiguration,
  TaskOverride,
  UpdateServiceRequest,
} from "../api/shapes.ts";

/** What tasks are to be launched on. */
interface Launch {
  launchType?: string | undefined;
  platformVersion?: string | undefined;
  networkConfiguration?: NetworkConfiguration | undefined;
}

/** A machine of the vendor's for each task is not ours to give: a task that asks for one is not put beside others. */
export function refuseLaunch({ launchType, platformVersion, networkConfiguration }: Launch): void {
  if (launchType !== undefined && !["EC2", "EXTERNAL"].includes(launchType))
    throw invalidParameter(
      `The launch type ${launchType} is not supported by this control plane: tasks run on the container instances of the cluster (EC2, EXTERNAL).`,
    );
  if (platformVersion !== undefined)
    throw invalidParameter("The platform version must be null when specifying an EC2 launch type.");
  if (networkConfiguration?.awsvpcConfiguration?.assignPublicIp === "ENABLED")
    throw invalidParameter("Assign public IP is not supported for this launch type.");
}

/** Of one task. */
export function refuseOverrides(overrides: TaskOverride = {}): void {
  if ((overrides.inferenceAcceleratorOverrides?.length ?? 0) > 0)
    throw unsupported("overrides.inferenceAcceleratorOverrides");
  if (overrides.ephemeralStorage !== undefined) throw unsupported("overrides.ephemeralStorage");
  for (const { resourceRequirements } of overrides.containerOverrides ?? [])
    if ((resourceRequirements?.length ?? 0) > 0)
      throw unsupported("overrides.containerOverrides.resourceRequirements");
}

/** Of a service that is made or changed. */
export function refuseServiceFields(
  input: Omit<CreateServiceRequest, "serviceName"> | Omit<UpdateServiceRequest, "service">,
): void {
  const { deploymentConfiguration: deployment = {} } = input;
  for (const [field, value] of [
    ["loadBalancers", input.loadBalancers],
    ["serviceRegistries", input.serviceRegistries],
    ["vpcLatticeConfigurations", input.vpcLatticeConfigurations],
    ["volumeConfigurations", input.volumeConfigurations],
    ["gatewayConnectors", input.gatewayConnectors],
    ["deploymentConfiguration.lifecycleHooks", deployment.lifecycleHooks],
  ] as const)
    if ((value?.length ?? 0) > 0) throw unsupported(field);
  for (const [field, value] of [
    ["monitoring", input.monitoring],
    ["role", "role" in input ? input.role : undefined],
    ["deploymentConfiguration.linearConfiguration", deployment.linearConfiguration],
    ["deploymentConfiguration.canaryConfiguration", deployment.canaryConfiguration],
  ] as const)
    if (value !== undefined) throw unsupported(field);
  for (const field of ["alarms", "earlySuccessCriteria"] as const)
    if (deployment[field]?.enable) throw unsupported(`deploymentConfiguration.${field}`);
  if ((deployment.bakeTimeInMinutes ?? 0) > 0) throw unsupported("deploymentConfiguration.bakeTimeInMinutes");
  if (input.serviceConnectConfiguration?.enabled) throw unsupported("serviceConnectConfiguration");
  // Tasks are not moved once they run; `spread` over zones is for those that start.
  if (input.availabilityZoneRebalancing === "ENABLED")
    throw unsupported("availabilityZoneRebalancing ENABLED");
}

/** Of a cluster. Commands in tasks are not written down, so that only what says so is in force. */
export function refuseClusterFields(input: {
  configuration?: ClusterConfiguration | undefined;
  serviceConnectDefaults?: object | undefined;
}): void {
  if (input.serviceConnectDefaults !== undefined) throw unsupported("serviceConnectDefaults");
  const { executeCommandConfiguration: exec, managedStorageConfiguration } = input.configuration ?? {};
  if (managedStorageConfiguration !== undefined)
    throw unsupported("configuration.managedStorageConfiguration");
  const { kmsKeyId, logConfiguration, logging = "NONE" } = exec ?? {};
  const part =
    kmsKeyId !== undefined
      ? "kmsKeyId"
      : logConfiguration !== undefined
        ? "logConfiguration"
        : logging !== "NONE" && `logging ${logging}`;
  if (part !== false) throw unsupported(`configuration.executeCommandConfiguration.${part}`);
}

function unsupported(field: string): Error {
  return clientError(`${field} is not supported by this control plane.`);
}
