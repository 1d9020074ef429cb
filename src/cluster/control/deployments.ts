// Deployments of a service: how one begins, and the operations on service deployments and revisions.
import { EcsError, invalidParameter } from "../api/ecs-error.ts";
import type {
  DescribeServiceDeploymentsRequest,
  DescribeServiceDeploymentsResponse,
  DescribeServiceRevisionsRequest,
  DescribeServiceRevisionsResponse,
  Failure,
  ListServiceDeploymentsRequest,
  ListServiceDeploymentsResponse,
  ServiceDeployment,
  ServiceRevision,
  StopServiceDeploymentRequest,
  StopServiceDeploymentResponse,
} from "../api/shapes.ts";
import type {
  DeploymentEntity,
  ServiceDeploymentEntity,
  ServiceEntity,
  TaskDefinitionEntity,
} from "../state/entities.ts";
import type { Call, Control } from "./control.ts";
import { clusterOf, serviceOf } from "./names.ts";
import { page } from "./pages.ts";
import { countsOf } from "./shown-service.ts";

export interface StartOptions {
  reason: string;
  /** It takes back this service deployment: no record of its own. */
  rollbackOf?: ServiceDeploymentEntity;
}

/** Becomes PRIMARY; those before it are ACTIVE until their tasks are gone. */
export function startDeployment(
  control: Control,
  region: string,
  service: ServiceEntity,
  definition: TaskDefinitionEntity,
  options: StartOptions,
): DeploymentEntity {
  const number = control.newNumber(19);
  const revision = makeRevision(control, region, service, definition);
  const before = service.deployments[0];
  const record =
    options.rollbackOf ??
    makeRecord(control, region, service, `ecs-svc/${number}`, before, revision.wire.serviceRevisionArn);
  const deployment: DeploymentEntity = {
    id: `ecs-svc/${number}`,
    definition: definition.key,
    serviceDeployment: record.id,
    revision: revision.id,
    ...(options.rollbackOf === undefined ? {} : { rollback: true }),
    wire: {
      id: `ecs-svc/${number}`,
      status: "PRIMARY",
      taskDefinition: definition.wire.taskDefinitionArn,
      desiredCount: service.wire.desiredCount,
      pendingCount: 0,
      runningCount: 0,
      failedTasks: 0,
      createdAt: control.seconds,
      updatedAt: control.seconds,
      ...(service.wire.launchType === undefined ? {} : { launchType: service.wire.launchType }),
      ...(service.wire.capacityProviderStrategy === undefined
        ? {}
        : { capacityProviderStrategy: service.wire.capacityProviderStrategy }),
      ...(service.network === undefined ? {} : { networkConfiguration: service.network }),
      rolloutState: "IN_PROGRESS",
      rolloutStateReason: `ECS deployment ecs-svc/${number} in progress.`,
    },
  };
  makePrimary(control, service, deployment, record);
  return deployment;
}

/** For a rollback: a deployment whose tasks are still there becomes PRIMARY again, with them. `record`: the service deployment that is taken back. */
export function resumeDeployment(
  control: Control,
  service: ServiceEntity,
  deployment: DeploymentEntity,
  record: ServiceDeploymentEntity,
): void {
  deployment.rollback = true;
  deployment.serviceDeployment = record.id;
  delete deployment.consecutiveFailures;
  delete deployment.notBefore;
  Object.assign(deployment.wire, {
    status: "PRIMARY",
    desiredCount: service.wire.desiredCount,
    failedTasks: 0,
    updatedAt: control.seconds,
    rolloutState: "IN_PROGRESS",
  });
  makePrimary(control, service, deployment, record);
}

function makePrimary(
  control: Control,
  service: ServiceEntity,
  deployment: DeploymentEntity,
  record: ServiceDeploymentEntity,
): void {
  const others = service.deployments.filter((one) => one !== deployment);
  for (const old of others) {
    old.wire.status = "ACTIVE";
    old.wire.desiredCount = 0;
    supersede(control, old, record);
  }
  service.deployments = [deployment, ...others];
  if (deployment.wire.taskDefinition !== undefined)
    service.wire.taskDefinition = deployment.wire.taskDefinition;
  delete service.steady;
  delete service.lastComplaint;
  control.state.service.put(service);
}

/** A rollout that another one overtakes is STOPPED. */
function supersede(control: Control, old: DeploymentEntity, by: ServiceDeploymentEntity): void {
  const record = control.state.serviceDeployment.get(old.serviceDeployment);
  if (record === undefined || record === by || !["PENDING", "IN_PROGRESS"].includes(record.wire.status))
    return;
  record.wire.status = "STOPPED";
  record.wire.statusReason = "Overtaken by a newer service deployment.";
  record.wire.stoppedAt = control.seconds;
  record.wire.finishedAt = control.seconds;
  control.state.serviceDeployment.put(record);
}

function makeRevision(
  control: Control,
  region: string,
  service: ServiceEntity,
  definition: TaskDefinitionEntity,
): { id: string; wire: ServiceRevision & { serviceRevisionArn: string } } {
  const id = control.newNumber(19);
  const revision = {
    id,
    service: service.key,
    wire: {
      serviceRevisionArn: control.arn(region, "service-revision", service.cluster, service.name, id),
      serviceArn: service.wire.serviceArn,
      clusterArn: service.wire.clusterArn,
      taskDefinition: definition.wire.taskDefinitionArn,
      ...(service.wire.launchType === undefined ? {} : { launchType: service.wire.launchType }),
      ...(service.wire.capacityProviderStrategy === undefined
        ? {}
        : { capacityProviderStrategy: service.wire.capacityProviderStrategy }),
      ...(service.network === undefined ? {} : { networkConfiguration: service.network }),
      containerImages: (definition.wire.containerDefinitions ?? []).map(({ name, image }) => ({
        containerName: name,
        image,
      })),
      guardDutyEnabled: false,
      createdAt: control.seconds,
    },
  };
  control.state.revision.put(revision);
  return revision;
}

function makeRecord(
  control: Control,
  region: string,
  service: ServiceEntity,
  deployment: string,
  before: DeploymentEntity | undefined,
  target: string,
): ServiceDeploymentEntity {
  const id = control.newId().slice(0, 21);
  const source =
    before === undefined ? undefined : control.state.revision.get(before.revision)?.wire.serviceRevisionArn;
  const breaker = service.wire.deploymentConfiguration?.deploymentCircuitBreaker;
  const record: ServiceDeploymentEntity = {
    id,
    service: service.key,
    deployment,
    ...(before === undefined ? {} : { source: before.id }),
    wire: {
      serviceDeploymentArn: control.arn(region, "service-deployment", service.cluster, service.name, id),
      serviceArn: service.wire.serviceArn,
      clusterArn: service.wire.clusterArn,
      createdAt: control.seconds,
      startedAt: control.seconds,
      updatedAt: control.seconds,
      status: "IN_PROGRESS",
      sourceServiceRevisions:
        source === undefined
          ? []
          : [
              {
                arn: source,
                requestedTaskCount: service.wire.desiredCount,
                runningTaskCount: 0,
                pendingTaskCount: 0,
              },
            ],
      targetServiceRevision: {
        arn: target,
        requestedTaskCount: service.wire.desiredCount,
        runningTaskCount: 0,
        pendingTaskCount: 0,
      },
      deploymentConfiguration: service.wire.deploymentConfiguration,
      deploymentCircuitBreaker: {
        status: breaker?.enable ? "MONITORING" : "DISABLED",
        failureCount: 0,
        threshold: 0,
      },
      alarms: { status: "DISABLED" },
    },
  };
  control.state.serviceDeployment.put(record);
  return record;
}

export function listServiceDeployments(
  call: Call,
  input: ListServiceDeploymentsRequest,
): ListServiceDeploymentsResponse {
  const { state } = call.control;
  const cluster = clusterOf(state, input.cluster);
  const service = serviceOf(state, cluster.name, input.service);
  const found = [...state.serviceDeployment.group(service.key)].filter(({ wire }) => {
    if (input.status !== undefined && input.status.length > 0 && !input.status.includes(wire.status))
      return false;
    const { after = 0, before = Number.POSITIVE_INFINITY } = input.createdAt ?? {};
    return (wire.createdAt ?? 0) >= after && (wire.createdAt ?? 0) <= before;
  });
  const byArn = new Map(found.map(({ wire }) => [wire.serviceDeploymentArn, wire]));
  // Newest first.
  const created = (arn: string): number => byArn.get(arn)?.createdAt ?? 0;
  const { keys, ...more } = page([...byArn.keys()], input, {
    question: `ListServiceDeployments/${service.key}`,
    compare: (a, b) => created(b) - created(a) || (a < b ? -1 : a > b ? 1 : 0),
  });
  const serviceDeployments = keys.flatMap((arn) => {
    const wire = byArn.get(arn);
    if (wire === undefined) return [];
    const {
      serviceDeploymentArn,
      serviceArn,
      clusterArn,
      startedAt,
      createdAt,
      finishedAt,
      status,
      statusReason,
    } = wire;
    const targetServiceRevisionArn = wire.targetServiceRevision?.arn;
    return [
      {
        serviceDeploymentArn,
        serviceArn,
        clusterArn,
        startedAt,
        createdAt,
        finishedAt,
        status,
        statusReason,
        targetServiceRevisionArn,
      },
    ];
  });
  return { serviceDeployments, ...more };
}

export function describeServiceDeployments(
  call: Call,
  input: DescribeServiceDeploymentsRequest,
): DescribeServiceDeploymentsResponse {
  const { found: serviceDeployments, failures } = described(
    input.serviceDeploymentArns,
    "service deployments",
    (id) => {
      const record = call.control.state.serviceDeployment.get(id);
      return record === undefined ? undefined : withCounts(call.control, record);
    },
  );
  return { serviceDeployments, failures };
}

/** Each by the last part of its ARN; those that `look` does not know are failures. */
function described<Wire>(
  arns: readonly string[],
  what: string,
  look: (id: string) => Wire | undefined,
): { found: Wire[]; failures: Failure[] } {
  if (arns.length > 20) throw invalidParameter(`At most 20 ${what} can be described in one call.`);
  const found: Wire[] = [];
  const failures: Failure[] = [];
  for (const arn of arns) {
    const wire = look(arn.split("/").at(-1) ?? "");
    if (wire === undefined) failures.push({ arn, reason: "MISSING" });
    else found.push(wire);
  }
  return { found, failures };
}

function withCounts(control: Control, record: ServiceDeploymentEntity): ServiceDeployment {
  const tasks = [...control.occupancy.ofService(record.service)].filter(
    ({ deployment }) => deployment === record.deployment,
  );
  const { running, pending } = countsOf(tasks);
  const targetServiceRevision = {
    ...record.wire.targetServiceRevision,
    runningTaskCount: running,
    pendingTaskCount: pending,
  };
  return { ...record.wire, targetServiceRevision };
}

/** Its deployment goes back to the revision before it. */
export function stopServiceDeployment(
  call: Call,
  input: StopServiceDeploymentRequest,
): StopServiceDeploymentResponse {
  const { control } = call;
  const record = control.state.serviceDeployment.get(input.serviceDeploymentArn.split("/").at(-1) ?? "");
  if (record === undefined)
    throw new EcsError("ServiceDeploymentNotFoundException", "Service deployment not found.");
  if (!["PENDING", "IN_PROGRESS"].includes(record.wire.status))
    throw new EcsError(
      "ConflictException",
      `The service deployment is ${record.wire.status} and cannot be stopped.`,
    );
  if ((input.stopType ?? "ROLLBACK") === "ROLLBACK" && record.source === undefined)
    throw invalidParameter("The service deployment has no earlier revision to roll back to.");
  record.wire.status = input.stopType === "ABORT" ? "STOP_REQUESTED" : "ROLLBACK_REQUESTED";
  record.wire.statusReason = "Stop requested by the user.";
  record.wire.updatedAt = control.seconds;
  control.state.serviceDeployment.put(record);
  control.wakeService(record.service);
  return { serviceDeploymentArn: record.wire.serviceDeploymentArn };
}

export function describeServiceRevisions(
  call: Call,
  input: DescribeServiceRevisionsRequest,
): DescribeServiceRevisionsResponse {
  const { found: serviceRevisions, failures } = described(
    input.serviceRevisionArns,
    "service revisions",
    (id) => call.control.state.revision.get(id)?.wire,
  );
  return { serviceRevisions, failures };
}
