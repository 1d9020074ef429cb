// What runs tasks. The control plane decides; a driver carries out and tells what it sees.
import type {
  Attachment,
  Attribute,
  Container,
  KeyValuePair,
  TaskDefinition,
  TaskOverride,
} from "../api/shapes.ts";
import type { LogQuery } from "../logs/log-event.ts";

export interface DriverNode {
  /** Stays the same over restarts of driver and node. */
  name: string;
  /** CPU units (1024 a core) and MiB that tasks may use. */
  cpu: number;
  memory: number;
  /** Ports of the node that tasks may not have. */
  reservedPorts: readonly string[];
  attributes: readonly Attribute[];
  /** false: the node is known but cannot be reached now. */
  connected: boolean;
}

export interface TaskSpec {
  id: string;
  taskArn: string;
  cluster: string;
  /** The node that it has been placed on. */
  node: string;
  /** family:revision, as labels and metadata tell it. */
  family: string;
  revision: number;
  definition: TaskDefinition;
  overrides: TaskOverride;
  group: string;
  enableExecuteCommand: boolean;
  /** By the name of the container. */
  containerArns: Record<string, string>;
  /** By container: what does not stand in the definition. Not to be shown or logged. */
  inputs: Record<string, ContainerInputs>;
  /** Of the role that the task has, where it has one: it may ask for credentials. */
  roleArn?: string;
  /** Must never be there twice: a node that is cut off ends it. */
  exclusive: boolean;
  /** Where the task has an own network: subnets and security groups are accepted and ignored. */
  createdAt: number;
}

export interface ContainerInputs {
  /** A name that begins with / is a path: the value is put there as a file. */
  secrets: { name: string; value: string }[];
  /** From files; what the definition itself says goes before it. */
  environment: KeyValuePair[];
  /** Of the registry that its image is fetched from, where the definition names them. */
  registry?: RegistryLogin;
}

/** Not to be shown or logged. */
export interface RegistryLogin {
  username: string;
  password: string;
}

/** As the real agent answers; not to be logged or kept. */
export interface TaskCredentials {
  AccessKeyId: string;
  SecretAccessKey: string;
  Token: string;
  /** ISO 8601. */
  Expiration: string;
  RoleArn: string;
}

/** By the id of a task, and the node that asks where that is another one; undefined where it has no role, has ended, or was not placed there. */
export type CredentialSource = (task: string, node?: string) => Promise<TaskCredentials | undefined>;

export interface SeenTask {
  id: string;
  /** The node that tells; only of tasks that were placed on it is it believed. Default: whichever. */
  node?: string;
  lastStatus: "PENDING" | "ACTIVATING" | "RUNNING" | "DEACTIVATING" | "STOPPING" | "STOPPED";
  /** Each with name, lastStatus, and what is known of runtimeId, imageDigest, exitCode, reason, healthStatus, networkBindings, networkInterfaces. */
  containers: Container[];
  attachments?: Attachment[];
  stopCode?: "EssentialContainerExited" | "TaskFailedToStart" | "InfrastructureHealth";
  stoppedReason?: string;
  /** Seconds since 1970. */
  pullStartedAt?: number;
  pullStoppedAt?: number;
  startedAt?: number;
  executionStoppedAt?: number;
  /** As it was started. */
  exclusive?: boolean;
}

export interface Driver {
  readonly name: "local" | "agents" | "swarm" | "null";
  /** Why it cannot run such tasks, with the field concerned; undefined where it can. */
  refuses(definition: TaskDefinition): string | undefined;
  nodes(): DriverNode[];
  /** Tells of every change of a task or of the nodes, from now on; also of those that it finds when it starts. */
  watch(listener: DriverListener): void;
  /** Adopts what still runs from before; called once, before `start`. Resolves when every task of the nodes that are connected now has been told. */
  open(): Promise<void>;
  /** Returns at once; what becomes of it is told to the listener. The same id again changes nothing. */
  start(spec: TaskSpec): void;
  /** A task is to end soon and answers until then, but nobody is to find it by name any more. Again changes nothing; absent where names are not the driver's. */
  letGo?(id: string): void;
  /** Returns at once: SIGTERM, and SIGKILL after each container's stopTimeout. Without effect on what has stopped. */
  stop(id: string): void;
  /** The task may be forgotten: it has stopped and that has been written down. */
  forget(id: string): void;
  /** A command in a container of a running task; absent where the driver cannot. */
  exec?(request: ExecRequest): Running | undefined;
  /** What containers wrote, also of tasks that it has forgotten; absent where the driver cannot. */
  logs?(query: LogQuery): LogAnswer;
  /** Whether a node that is not connected may well go on with its tasks, with nobody there who ends what must not be there twice. Absent: never. */
  orphaned?(node: string): boolean;
  /** Where it asks for the credentials of tasks; without it they get none. */
  credentialsFrom?(source: CredentialSource): void;
  close(): Promise<void>;
}

export interface LogAnswer {
  /** One for each node: lines of JSON (LogEvent) on standard output, by their time; with `follow` until they are killed. */
  streams: { node: string; running: Running }[];
  /** Names of nodes that cannot be asked now. */
  silent: string[];
}

export interface ExecRequest {
  task: string;
  container: string;
  command: string;
  /** With a terminal. */
  interactive: boolean;
}

/** A command under way. */
export interface Running {
  write(chunk: Uint8Array): void;
  /** No more input. */
  end(): void;
  /** SIGTERM; without effect on one that has ended. */
  kill(): void;
  /** Holds its output up, for a receiver that is slow. */
  pause(): void;
  resume(): void;
  onOutput(stdout: (chunk: Uint8Array) => void, stderr: (chunk: Uint8Array) => void): void;
  onExit(listener: (status: number) => void): void;
}

export interface DriverListener {
  taskChanged(task: SeenTask): void;
  nodesChanged(): void;
  /** A node has come (back), and these are all the tasks that it holds; each has been told before. */
  nodeOpened(node: string, held: readonly string[]): void;
}
