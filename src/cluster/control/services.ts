// Operations on services. They change what is wanted; control/reconcile-service.ts brings it about.
import { clientError, EcsError, invalidParameter, serviceNotFound } from "../api/ecs-error.ts";
import type {
  CreateServiceRequest,
  CreateServiceResponse,
  DeleteServiceRequest,
  DeleteServiceResponse,
  DeploymentConfiguration,
  DescribeServicesRequest,
  DescribeServicesResponse,
  Failure,
  ListServicesRequest,
  ListServicesResponse,
  Service,
  UpdateServiceRequest,
  UpdateServiceResponse,
} from "../api/shapes.ts";
import type { ClusterEntity, ServiceEntity, TaskDefinitionEntity } from "../state/entities.ts";
import { checkStrategy } from "./capacity-providers.ts";
import { checkPlacement } from "./check-placement.ts";
import type { Call } from "./control.ts";
import { startDeployment } from "./deployments.ts";
import { once } from "./idempotency.ts";
import { checkName, clusterOf, definitionOf, serviceKey, serviceOf } from "./names.ts";
import { page } from "./pages.ts";
import { refuseLaunch, refuseServiceFields } from "./refused-fields.ts";
import { shownService } from "./shown-service.ts";
import { checkTags } from "./tags.ts";

export function createService(call: Call, input: CreateServiceRequest): CreateServiceResponse {
  const { control } = call;
  const { state } = control;
  const cluster = clusterOf(state, input.cluster);
  checkName(input.serviceName, "Service name");
  const known = once(control, `CreateService/${cluster.name}`, input, () =>
    shownService(control, serviceOf(state, cluster.name, input.serviceName), true),
  );
  if (known.before !== undefined) return { service: known.before };
  const key = serviceKey(cluster.name, input.serviceName);
  const found = state.service.get(key);
  if (found?.wire.status === "ACTIVE") throw invalidParameter("Creation of service was not idempotent.");
  if (found?.wire.status === "DRAINING")
    throw invalidParameter("Unable to Start a service that is still Draining.");
  checkKind(input);
  checkCommon(call, cluster, input);
  const external = input.deploymentController?.type === "EXTERNAL";
  const definition =
    external && input.taskDefinition === undefined ? undefined : usable(call, input.taskDefinition);
  const daemon = input.schedulingStrategy === "DAEMON";
  const service: ServiceEntity = {
    key,
    cluster: cluster.name,
    name: input.serviceName,
    deployments: [],
    constraints: input.placementConstraints ?? [],
    strategy: input.placementStrategy ?? [],
    network: input.networkConfiguration,
    tags: checkTags(input.tags),
    wire: {
      serviceArn: control.arn(call.region, "service", cluster.name, input.serviceName),
      serviceName: input.serviceName,
      clusterArn: cluster.wire.clusterArn,
      status: "ACTIVE",
      desiredCount: daemon ? 0 : (input.desiredCount ?? 0),
      schedulingStrategy: input.schedulingStrategy ?? "REPLICA",
      ...launchOf(input, cluster.wire.defaultCapacityProviderStrategy),
      deploymentController: input.deploymentController ?? { type: "ECS" },
      deploymentConfiguration: withDefaults(input.deploymentConfiguration, daemon),
      ...(definition === undefined ? {} : { taskDefinition: definition.wire.taskDefinitionArn }),
      ...(input.networkConfiguration === undefined
        ? {}
        : { networkConfiguration: input.networkConfiguration }),
      ...(input.healthCheckGracePeriodSeconds === undefined
        ? {}
        : { healthCheckGracePeriodSeconds: input.healthCheckGracePeriodSeconds }),
      placementConstraints: input.placementConstraints ?? [],
      placementStrategy: input.placementStrategy ?? [],
      availabilityZoneRebalancing: "DISABLED",
      loadBalancers: [],
      serviceRegistries: [],
      createdAt: control.seconds,
      createdBy: call.principal,
      enableECSManagedTags: input.enableECSManagedTags ?? false,
      enableExecuteCommand: input.enableExecuteCommand ?? false,
      propagateTags: input.propagateTags ?? "NONE",
      events: [],
    },
  };
  state.service.put(service);
  if (definition !== undefined && !external)
    startDeployment(control, call.region, service, definition, { reason: "created" });
  known.answered([service.wire.serviceArn]);
  control.wakeService(key);
  return { service: shownService(control, service, true) };
}

export function updateService(call: Call, input: UpdateServiceRequest): UpdateServiceResponse {
  const { control } = call;
  const { state } = control;
  const cluster = clusterOf(state, input.cluster);
  const service = serviceOf(state, cluster.name, input.service);
  if (service.wire.status !== "ACTIVE")
    throw new EcsError("ServiceNotActiveException", "Service was not ACTIVE.");
  const { wire } = service;
  const daemon = wire.schedulingStrategy === "DAEMON";
  checkCommon(call, cluster, { ...input, schedulingStrategy: wire.schedulingStrategy });
  const { type: controller = "ECS" } = wire.deploymentController ?? {};
  if (input.deploymentController !== undefined && input.deploymentController.type !== controller)
    throw invalidParameter("The deployment controller of a service cannot be changed.");
  if (input.desiredCount !== undefined && daemon)
    throw invalidParameter("The daemon scheduling strategy takes no desiredCount.");
  const deploymentConfiguration = withDefaults(
    { ...wire.deploymentConfiguration, ...input.deploymentConfiguration },
    daemon,
  );
  const target = rolledOut(call, service, input);
  // Nothing is refused from here on: what is refused changes nothing.
  wire.deploymentConfiguration = deploymentConfiguration;
  if (input.desiredCount !== undefined) wire.desiredCount = input.desiredCount;
  for (const field of [
    "enableExecuteCommand",
    "enableECSManagedTags",
    "propagateTags",
    "healthCheckGracePeriodSeconds",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
  ] as const)
    if (input[field] !== undefined) Object.assign(wire, { [field]: input[field] });
  service.constraints = wire.placementConstraints ?? [];
  service.strategy = wire.placementStrategy ?? [];
  if (input.networkConfiguration !== undefined) service.network = input.networkConfiguration;
  if (input.capacityProviderStrategy !== undefined) {
    delete wire.launchType;
    wire.capacityProviderStrategy = input.capacityProviderStrategy;
  }
  if (target !== undefined)
    startDeployment(control, call.region, service, target, {
      reason: input.forceNewDeployment ? "forced" : "updated",
    });
  delete service.steady;
  delete service.lastComplaint;
  state.service.put(service);
  control.wakeService(service.key);
  return { service: shownService(control, service, true) };
}

/** What a new deployment is of: there is one where what tasks are made of changes, or where it is asked for. */
function rolledOut(
  call: Call,
  service: ServiceEntity,
  input: UpdateServiceRequest,
): TaskDefinitionEntity | undefined {
  const primary = service.deployments[0];
  const definition = input.taskDefinition === undefined ? undefined : usable(call, input.taskDefinition);
  const changed =
    (definition !== undefined && definition.key !== primary?.definition) ||
    input.networkConfiguration !== undefined ||
    input.capacityProviderStrategy !== undefined;
  if (!changed && input.forceNewDeployment !== true) return undefined;
  if (service.wire.deploymentController?.type === "EXTERNAL")
    throw invalidParameter("A service with the EXTERNAL deployment controller is updated by its task sets.");
  const target = definition ?? call.control.state.definition.get(primary?.definition ?? "");
  if (target === undefined) throw clientError("TaskDefinition not found.");
  return target;
}

export function deleteService(call: Call, input: DeleteServiceRequest): DeleteServiceResponse {
  const { control } = call;
  const { state } = control;
  const cluster = clusterOf(state, input.cluster);
  const service = serviceOf(state, cluster.name, input.service);
  if (service.wire.status === "INACTIVE") throw serviceNotFound();
  const { wire } = service;
  const scaled = wire.schedulingStrategy !== "DAEMON" && wire.desiredCount > 0;
  if (scaled && !input.force)
    throw invalidParameter("The service cannot be stopped while it is scaled above 0.");
  wire.status = "DRAINING";
  wire.desiredCount = 0;
  state.service.put(service);
  control.wakeService(service.key);
  return { service: shownService(control, service, true) };
}

export function describeServices(call: Call, input: DescribeServicesRequest): DescribeServicesResponse {
  const { control } = call;
  const cluster = clusterOf(control.state, input.cluster);
  if (input.services.length === 0) throw invalidParameter("Services cannot be empty.");
  if (input.services.length > 10) throw invalidParameter("At most 10 services can be described in one call.");
  const services: Service[] = [];
  const failures: Failure[] = [];
  for (const text of input.services) {
    const key = serviceKey(cluster.name, text);
    const service = control.state.service.get(key);
    if (service === undefined)
      failures.push({
        arn: text.startsWith("arn:") ? text : control.arn(call.region, "service", key),
        reason: "MISSING",
      });
    else services.push(shownService(control, service, input.include?.includes("TAGS") ?? false));
  }
  return { services, failures };
}

export function listServices(call: Call, input: ListServicesRequest): ListServicesResponse {
  const cluster = clusterOf(call.control.state, input.cluster);
  const arns: string[] = [];
  for (const { wire } of call.control.state.service.group(cluster.name)) {
    if (wire.status === "INACTIVE") continue;
    if (input.launchType !== undefined && wire.launchType !== input.launchType) continue;
    if (input.schedulingStrategy !== undefined && wire.schedulingStrategy !== input.schedulingStrategy)
      continue;
    arns.push(wire.serviceArn);
  }
  const { keys, ...more } = page(arns, input, { question: `ListServices/${cluster.name}` });
  return { serviceArns: keys, ...more };
}

function usable(call: Call, text: string | undefined): TaskDefinitionEntity {
  if (text === undefined) throw invalidParameter("TaskDefinition can not be blank.");
  const definition = definitionOf(call.control.state, text, "Unable to find task definition.");
  if (definition.wire.status !== "ACTIVE") throw clientError("TaskDefinition is inactive");
  return definition;
}

function checkKind(input: CreateServiceRequest): void {
  const daemon = input.schedulingStrategy === "DAEMON";
  if (input.deploymentController?.type === "CODE_DEPLOY")
    throw new EcsError(
      "UnsupportedFeatureException",
      "The deployment controller CODE_DEPLOY is not supported; ECS and EXTERNAL are.",
    );
  if (daemon && input.desiredCount !== undefined)
    throw invalidParameter("The daemon scheduling strategy takes no desiredCount.");
  if (!daemon && input.desiredCount === undefined)
    throw invalidParameter("The replica scheduling strategy needs a desiredCount.");
}

function checkCommon(
  call: Call,
  { wire: { capacityProviders = [] } }: ClusterEntity,
  input: Omit<CreateServiceRequest, "serviceName">,
): void {
  const count = input.desiredCount;
  if (count !== undefined && (!Number.isInteger(count) || count < 0 || count > 5000))
    throw invalidParameter(`desiredCount must be between 0 and 5000, not ${count}`);
  if (input.launchType !== undefined && (input.capacityProviderStrategy?.length ?? 0) > 0)
    throw invalidParameter(
      "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
    );
  checkPlacement(input.placementConstraints, input.placementStrategy);
  checkStrategy(call, input.capacityProviderStrategy, capacityProviders);
  refuseLaunch(input);
  refuseServiceFields(input);
  checkDeployment(input);
  if (input.schedulingStrategy !== "DAEMON") return;
  if ((input.placementStrategy?.length ?? 0) > 0)
    throw invalidParameter("The daemon scheduling strategy takes no placement strategies.");
  if (input.placementConstraints?.some(({ type }) => type === "distinctInstance"))
    throw invalidParameter("The daemon scheduling strategy takes no distinctInstance constraint.");
}

function checkDeployment({
  deploymentConfiguration = {},
  schedulingStrategy,
}: Omit<CreateServiceRequest, "serviceName">): void {
  const {
    strategy,
    minimumHealthyPercent: least,
    maximumPercent: most,
    deploymentCircuitBreaker,
  } = deploymentConfiguration;
  if (strategy !== undefined && strategy !== "ROLLING")
    throw clientError(`The deployment strategy ${strategy} is not supported; ROLLING is.`);
  if (least !== undefined && !(least >= 0 && least <= 100))
    throw invalidParameter("minimumHealthyPercent must be between 0 and 100.");
  // An instance has one task of such a service: there is none beside it while it is replaced.
  if (schedulingStrategy === "DAEMON" && most !== undefined && most !== 100)
    throw invalidParameter("The daemon scheduling strategy has a maximumPercent of 100.");
  if (most !== undefined && !(most >= 100 && most <= 200))
    throw invalidParameter("maximumPercent must be between 100 and 200.");
  const value = deploymentCircuitBreaker?.thresholdConfiguration?.value;
  if (value !== undefined && !(value >= 1))
    throw invalidParameter("The threshold of the deployment circuit breaker is at least 1.");
}

/** Throws where what is given and what is not do not go together. */
function withDefaults(given: DeploymentConfiguration | undefined, daemon: boolean): DeploymentConfiguration {
  const maximumPercent = given?.maximumPercent ?? (daemon ? 100 : 200);
  const minimumHealthyPercent = given?.minimumHealthyPercent ?? (daemon ? 0 : 100);
  // A rollout could neither start a task nor stop one.
  if (minimumHealthyPercent >= maximumPercent)
    throw invalidParameter("minimumHealthyPercent must be lower than maximumPercent.");
  return {
    ...given,
    strategy: "ROLLING",
    maximumPercent,
    minimumHealthyPercent,
    deploymentCircuitBreaker: given?.deploymentCircuitBreaker ?? { enable: false, rollback: false },
  };
}

function launchOf(
  input: CreateServiceRequest,
  byCluster: Service["capacityProviderStrategy"],
): Pick<Service, "launchType" | "capacityProviderStrategy"> {
  if ((input.capacityProviderStrategy?.length ?? 0) > 0)
    return { capacityProviderStrategy: input.capacityProviderStrategy };
  if (input.launchType !== undefined) return { launchType: input.launchType };
  return (byCluster?.length ?? 0) > 0 ? { capacityProviderStrategy: byCluster } : { launchType: "EC2" };
}
