// What every operation and reconciler works with: state, time, chance, the driver, and how things are named.
import { randomBytes } from "node:crypto";
import type { TaskDefinition } from "../api/shapes.ts";
import type { Driver } from "../drivers/driver.ts";
import type { TaskRoles } from "../roles/task-roles.ts";
import type { State } from "../state/state.ts";
import type { ResolveInputs } from "../task-inputs.ts";
import { Candidates } from "./demand.ts";
import { ExecSessions } from "./execute-command.ts";
import { Occupancy } from "./occupancy.ts";

/** Milliseconds since 1970; tests give a simulated one. */
export interface Clock {
  now(): number;
}

export interface ClusterEvent {
  cluster: string;
  id: string;
  /** Seconds since 1970. */
  createdAt: number;
  message: string;
}

export interface ControlOptions {
  state: State;
  driver: Driver;
  clock?: Clock;
  account?: string;
  /** Default of ARNs; the region of a signed call is preferred unless `fixedRegion`. */
  region?: string;
  /** Finds the secrets and environment files of tasks. Default: none are known. */
  resolve?: ResolveInputs;
  /** How long a node may be unreachable before its tasks count as lost, in milliseconds. */
  nodeGrace?: number;
  /** Makes the credentials of tasks and knows what their roles may do. Default: tasks get none. */
  roles?: TaskRoles;
  /** How long tasks with ports answer on when their service lets them go, in milliseconds. Default: not at all. */
  deregistrationDelay?: number;
  /** 0 <= x < 1 */
  random?: () => number;
}

export class Control {
  readonly state: State;
  readonly occupancy: Occupancy;
  readonly candidates: Candidates;
  readonly sessions = new ExecSessions(this);
  readonly driver: Driver;
  readonly clock: Clock;
  readonly account: string;
  readonly region: string;
  readonly random: () => number;
  readonly nodeGrace: number;
  readonly deregistrationDelay: number;
  readonly resolve: ResolveInputs;
  readonly roles: TaskRoles | undefined;
  /** Services that the reconciler has to look at. */
  readonly restless = new Set<string>();
  /** Tasks whose driver has to be told something. */
  readonly pending = new Set<string>();
  /** Tasks that were given to the driver since this control plane began. */
  readonly handed = new Set<string>();
  /** Tasks that the driver may forget once their end is written down. */
  readonly forgettable = new Set<string>();
  /** Tasks that are let go, and when they are to end, in milliseconds since 1970. */
  readonly deactivating = new Map<string, number>();
  /** Told each event of a service, as `cluster events` shows them. */
  onEvent: (event: ClusterEvent) => void = () => {};
  /** Empties everything. */
  onReset: () => void = () => {};
  /** Called when there is something to reconcile. */
  onWake: () => void = () => {};

  constructor(options: ControlOptions) {
    this.state = options.state;
    this.occupancy = new Occupancy(options.state);
    this.candidates = new Candidates(options.state, this.occupancy);
    this.driver = options.driver;
    this.clock = options.clock ?? { now: () => Date.now() };
    this.account = options.account ?? "000000000000";
    this.region = options.region ?? "us-east-1";
    this.random = options.random ?? Math.random;
    this.resolve = options.resolve ?? unresolved;
    this.roles = options.roles;
    this.nodeGrace = options.nodeGrace ?? 20_000;
    this.deregistrationDelay = options.deregistrationDelay ?? 0;
  }

  /** Now, as it stands on the wire: seconds with milliseconds. */
  get seconds(): number {
    return this.clock.now() / 1000;
  }

  arn(region: string, kind: string, ...path: string[]): string {
    return `arn:aws:ecs:${region}:${this.account}:${[kind, ...path].join("/")}`;
  }

  /** 32 hexadecimal digits, as tasks and container instances have them. */
  newId(): string {
    if (this.random === Math.random) return randomId();
    return Array.from({ length: 32 }, () => Math.floor(this.random() * 16).toString(16)).join("");
  }

  /** So many decimal digits, the first not 0, as deployments and revisions have them. */
  newNumber(digits: number): string {
    let text = String(1 + Math.floor(this.random() * 9));
    while (text.length < digits) text += Math.floor(this.random() * 10);
    return text;
  }

  wakeService(key: string | undefined): void {
    if (key === undefined) return;
    this.restless.add(key);
    this.onWake();
  }

  /** Container instances of a cluster have more room, or are other ones: whoever could not place a task may try again. */
  roomChanged(cluster: string): void {
    for (const service of this.state.service.group(cluster))
      if (service.lastComplaint !== undefined || service.wire.schedulingStrategy === "DAEMON")
        this.restless.add(service.key);
    this.onWake();
  }

  wakeTask(id: string): void {
    this.pending.add(id);
    this.onWake();
  }
}

/** Random bytes for many ids at once: to ask the system for each costs more than the rest of making a task. */
let pool = Buffer.alloc(0);

function randomId(): string {
  if (pool.length < 16) pool = randomBytes(4096);
  const id = pool.toString("hex", 0, 16);
  pool = pool.subarray(16);
  return id;
}

/** One call of the API. */
export interface Call {
  control: Control;
  /** ARN of who calls. */
  principal: string;
  /** Of a task that calls with the credentials of its role: its ARN. What it may do, the role says. */
  role?: string;
  region: string;
  /** The URL by which the caller reached us. */
  endpoint: string;
}

function unresolved(definition: TaskDefinition): Record<string, never> | string {
  const asked = definition.containerDefinitions?.some(
    ({ secrets = [], environmentFiles = [], repositoryCredentials }) =>
      secrets.length + environmentFiles.length > 0 || repositoryCredentials !== undefined,
  );
  return asked
    ? "ResourceInitializationError: this control plane knows no secrets and no environment files"
    : {};
}
