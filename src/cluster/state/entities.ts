// What the control plane remembers. `wire` is what clients see, in the shapes of the API; beside it stands what only the reconcilers need.
import type {
  Attribute,
  CapacityProvider,
  Cluster,
  ContainerInstance,
  CreateServiceRequest,
  Deployment,
  PlacementConstraint,
  PlacementStrategy,
  Service,
  ServiceDeployment,
  ServiceRevision,
  Tag,
  Task,
  TaskDefinition,
  TaskSet,
} from "../api/shapes.ts";

export interface ClusterEntity {
  name: string;
  wire: Cluster & { clusterArn: string; clusterName: string };
}

export interface TaskDefinitionEntity {
  /** family:revision */
  key: string;
  family: string;
  revision: number;
  wire: TaskDefinition & { taskDefinitionArn: string };
  tags: Tag[];
}

export interface TaskEntity {
  /** The last part of the ARN. */
  id: string;
  cluster: string;
  /** family:revision */
  definition: string;
  /** It is let go: it answers until then, in milliseconds since 1970, and ends. */
  deactivatingUntil?: number;
  service?: string;
  /** Id of the deployment that wants it. */
  deployment?: string;
  wire: Task & { taskArn: string; lastStatus: string; desiredStatus: string };
  /** Id of the container instance. */
  instance?: string;
  /** What it holds of the container instance until it has STOPPED: CPU units, MiB, host ports ("8080/tcp"). */
  cpu: number;
  memory: number;
  ports: string[];
  /** The driver has told of it: from then on only it can tell the state. */
  seen?: boolean;
  /** When STOPPED tasks are forgotten, in milliseconds. */
  forgetAt?: number;
  protectedUntil?: number;
  /** Its end has been held against its deployment, or not. */
  judged?: boolean;
  /** Ended because its health check failed. */
  unhealthy?: boolean;
  /** Since when it is RUNNING, and healthy where it has a health check; in milliseconds. */
  wellSince?: number;
}

export interface DeploymentEntity {
  id: string;
  wire: Deployment & { id: string; status: string };
  definition: string;
  /** The last part of the ARN of its service deployment, and of its revision. */
  serviceDeployment: string;
  revision: string;
  /** Started for the circuit breaker's or a person's rollback. */
  rollback?: boolean;
  forced?: number;
  /** When further tasks may be started after failures, in milliseconds. */
  notBefore?: number;
  consecutiveFailures?: number;
}

export interface ServiceEntity {
  /** cluster/name */
  key: string;
  cluster: string;
  name: string;
  wire: Service & { serviceArn: string; serviceName: string; status: string; desiredCount: number };
  /** PRIMARY first. */
  deployments: DeploymentEntity[];
  constraints: PlacementConstraint[];
  strategy: PlacementStrategy[];
  network?: CreateServiceRequest["networkConfiguration"];
  tags: Tag[];
  /** "is unable to place", said once until it changes. */
  lastComplaint?: string;
  steady?: boolean;
  inactiveAt?: number;
}

export interface ServiceDeploymentEntity {
  id: string;
  service: string;
  wire: ServiceDeployment & { serviceDeploymentArn: string; status: string };
  /** The deployment that it rolls out, and the one that it came from. */
  deployment: string;
  source?: string;
}

export interface RevisionEntity {
  id: string;
  service: string;
  wire: ServiceRevision & { serviceRevisionArn: string };
}

export interface InstanceEntity {
  id: string;
  cluster: string;
  /** The driver's name for the node. */
  node: string;
  /** Registered by the control plane itself for a node of its driver; goes with the cluster. */
  own: boolean;
  wire: ContainerInstance & { containerInstanceArn: string; status: string };
  attributes: Attribute[];
  /** CPU units and MiB. */
  cpu: number;
  memory: number;
  reservedPorts: string[];
  /** Since when it is not connected, in milliseconds. */
  lostAt?: number;
}

export interface CapacityProviderEntity {
  name: string;
  wire: CapacityProvider & { capacityProviderArn: string };
}

export interface TaskSetEntity {
  id: string;
  service: string;
  wire: TaskSet & { id: string };
}

export interface SettingEntity {
  /** principal/name; the principal "*" is the default of the account. */
  key: string;
  principal: string;
  name: string;
  value: string;
}

export interface TokenEntity {
  /** operation/cluster/token */
  key: string;
  /** Digest of the parameters. */
  parameters: string;
  /** What was answered: ARNs. */
  arns: string[];
  until: number;
}

export interface Kinds {
  cluster: ClusterEntity;
  definition: TaskDefinitionEntity;
  /** Of a family: the last revision number ever given. */
  family: { name: string; last: number };
  task: TaskEntity;
  service: ServiceEntity;
  serviceDeployment: ServiceDeploymentEntity;
  revision: RevisionEntity;
  instance: InstanceEntity;
  capacityProvider: CapacityProviderEntity;
  taskSet: TaskSetEntity;
  setting: SettingEntity;
  token: TokenEntity;
}
