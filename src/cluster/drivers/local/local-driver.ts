// Runs tasks on this machine, each container as an instance of our runtime. What runs lives on when the control plane ends, and is adopted by the next one.
import { cpus, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { TranshipError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { run } from "../../../host/process.ts";
import type { StateRoot } from "../../../host/state-root.ts";
import type { Attachment, Container, ContainerDefinition, TaskDefinition } from "../../api/shapes.ts";
import type { Driver, DriverListener, DriverNode, Running, SeenTask, TaskSpec } from "../driver.ts";
import {
  type Action,
  type ContainerState,
  nextActions,
  statusOfTask,
  type TaskState,
} from "../supervisor.ts";
import { instanceName, LocalContainers, type Registries, type SeenContainer } from "./containers.ts";
import { startExec } from "./exec.ts";
import { HealthChecks } from "./health-checks.ts";
import { type HeldTask, TaskRecords } from "./records.ts";
import { refusalOf } from "./refusals.ts";

export interface LocalDriverOptions {
  root: StateRoot;
  log: Log;
  /** Our own command line up to the verb, for `exec`. */
  self: readonly string[];
  /** From which images may be fetched. Default: none. */
  registries?: Registries;
  /** MiB and CPU units that tasks may not have. */
  reserved?: { memory: number; cpu: number };
}

/** Milliseconds between looks at what runs. */
const interval = 250;

export class LocalDriver implements Driver {
  readonly name = "local";
  readonly #options: LocalDriverOptions;
  readonly #containers: LocalContainers;
  readonly #records: TaskRecords;
  readonly #health: HealthChecks;
  readonly #tasks = new Map<string, HeldTask>();
  /** What was last told of each task, so that only changes are. */
  readonly #told = new Map<string, string>();
  /** Starts and stops under way, by instance. */
  readonly #busy = new Map<string, Promise<void>>();
  #listener: DriverListener | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LocalDriverOptions) {
    this.#options = options;
    this.#containers = new LocalContainers(
      options.root,
      options.log,
      options.registries ?? { hosts: [], settings: {} },
    );
    this.#records = new TaskRecords(join(options.root.path, "cluster", "tasks"));
    this.#health = new HealthChecks((name, command, timeout) => this.#exec(name, command, timeout));
  }

  refuses(definition: TaskDefinition): string | undefined {
    return refusalOf(definition);
  }

  nodes(): DriverNode[] {
    const { memory = 256, cpu = 0 } = this.#options.reserved ?? {};
    return [
      {
        name: hostname(),
        cpu: cpus().length * 1024 - cpu,
        memory: Math.floor(totalmem() / 1024 / 1024) - memory,
        reservedPorts: ["22/tcp"],
        attributes: [
          { name: "ecs.os-type", value: "linux" },
          { name: "ecs.cpu-architecture", value: process.arch === "x64" ? "x86_64" : process.arch },
          { name: "ecs.availability-zone", value: "local" },
          { name: "tranship.engines", value: "namespace" },
        ],
        connected: true,
      },
    ];
  }

  watch(listener: DriverListener): void {
    this.#listener = listener;
  }

  async open(): Promise<void> {
    for (const task of this.#records.all()) {
      // A start that was under way when the last control plane ended: the instance tells how far it came.
      for (const container of task.state.containers) {
        const seen = this.#containers.see(instanceName(task.spec.id, container.name));
        if (container.status === "STARTING") this.#unfinished(container, seen);
        if (container.status === "STOPPING") container.status = seen?.running ? "RUNNING" : "STOPPED";
        this.#watchHealth(task, container);
      }
      this.#tasks.set(task.spec.id, task);
      this.#step(task);
      this.#tell(task);
    }
    this.#again();
  }

  #unfinished(container: ContainerState, seen: SeenContainer | undefined): void {
    container.status = seen === undefined ? "PENDING" : "RUNNING";
    if (seen !== undefined) container.startedAt = Date.now();
  }

  start(spec: TaskSpec): void {
    if (this.#tasks.has(spec.id)) return;
    const state: TaskState = {
      createdAt: Date.now(),
      containers: (spec.definition.containerDefinitions ?? []).map(({ name }) => ({
        name: name ?? "",
        status: "PENDING",
        restarts: 0,
      })),
    };
    const task: HeldTask = { spec, state, times: {} };
    this.#records.write(task);
    this.#tasks.set(spec.id, task);
    this.#step(task);
    this.#again();
  }

  stop(id: string): void {
    const task = this.#tasks.get(id);
    if (task === undefined) return;
    if (task.state.ending === undefined) {
      task.state.ending = {};
      this.#records.write(task);
    }
    this.#step(task);
    this.#tell(task);
  }

  forget(id: string): void {
    const task = this.#tasks.get(id);
    this.#tasks.delete(id);
    this.#told.delete(id);
    if (task !== undefined) void this.#remove(task);
  }

  exec({
    task,
    container,
    command,
    interactive,
  }: {
    task: string;
    container: string;
    command: string;
    interactive: boolean;
  }): Running | undefined {
    if (!this.#tasks.has(task)) return undefined;
    return startExec(this.#options.self, instanceName(task, container), command, interactive);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listener = undefined;
    this.#health.close();
    await Promise.all(this.#busy.values());
  }

  /** The instances go first: whoever finds the record finds out which there are. */
  async #remove(task: HeldTask): Promise<void> {
    for (const { name } of task.state.containers) {
      try {
        await this.#containers.remove(instanceName(task.spec.id, name));
      } catch (error) {
        this.#options.log.warn(`cannot remove ${instanceName(task.spec.id, name)}: ${words(error)}`);
      }
    }
    this.#containers.removeVolumes(task.spec);
    this.#records.remove(task.spec.id);
  }

  #again(): void {
    if (this.#timer !== undefined || this.#listener === undefined || this.#tasks.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      for (const task of [...this.#tasks.values()]) this.#look(task);
      this.#again();
    }, interval);
  }

  #look(task: HeldTask): void {
    if (task.state.containers.every(({ status }) => status === "STOPPED")) return;
    for (const container of task.state.containers) this.#lookAt(task, container);
    this.#step(task);
    this.#tell(task);
  }

  #lookAt(task: HeldTask, container: ContainerState): void {
    const name = instanceName(task.spec.id, container.name);
    if (container.status !== "RUNNING" || this.#busy.has(name)) return;
    const seen = this.#containers.see(name);
    if (seen?.running) {
      container.health = this.#health.of(name) ?? container.health ?? "UNKNOWN";
      return;
    }
    this.#ended(container, seen);
    this.#health.stop(name);
    this.#records.write(task);
  }

  #ended(container: ContainerState, seen: SeenContainer | undefined): void {
    container.status = "STOPPED";
    if (seen?.exitCode !== undefined) container.exitCode = seen.exitCode;
    if (seen?.reason !== undefined && /memory/i.test(seen.reason))
      container.reason = `OutOfMemoryError: ${seen.reason}`;
    else if (seen === undefined) container.reason = "The instance of the container is gone.";
  }

  #step(task: HeldTask): void {
    const before = JSON.stringify(task.state);
    const actions = nextActions(task.spec.definition.containerDefinitions ?? [], task.state, Date.now());
    if (JSON.stringify(task.state) !== before) this.#records.write(task);
    for (const action of actions) this.#act(task, action);
  }

  #act(task: HeldTask, action: Action): void {
    const name = instanceName(task.spec.id, action.name);
    const container = task.state.containers.find((each) => each.name === action.name);
    const definition = task.spec.definition.containerDefinitions?.find((each) => each.name === action.name);
    if (container === undefined || definition === undefined) return;
    const work =
      action.do === "start"
        ? this.#startOne(task, container, definition)
        : this.#stopOne(name, container, definition);
    const whole = work.then(() => {
      this.#busy.delete(name);
      this.#records.write(task);
      this.#step(task);
      this.#tell(task);
    });
    this.#busy.set(name, whole);
  }

  async #startOne(task: HeldTask, container: ContainerState, definition: ContainerDefinition): Promise<void> {
    const name = instanceName(task.spec.id, container.name);
    try {
      // Left over from a start before this one (a restart by its policy, or a crash of ours).
      await this.#containers.remove(name);
      task.times.pullStartedAt ??= Date.now() / 1000;
      await this.#containers.fetch(definition.image ?? "");
      task.times.pullStoppedAt = Date.now() / 1000;
      await this.#containers.start(task.spec, definition);
      container.status = "RUNNING";
      container.startedAt = Date.now();
      this.#watchHealth(task, container);
    } catch (error) {
      container.status = "STOPPED";
      container.reason = startFailure(error, definition.image ?? "");
    }
  }

  #watchHealth(task: HeldTask, container: ContainerState): void {
    const check = task.spec.definition.containerDefinitions?.find(
      ({ name }) => name === container.name,
    )?.healthCheck;
    if (check !== undefined && container.status === "RUNNING")
      this.#health.start(instanceName(task.spec.id, container.name), check);
  }

  async #stopOne(name: string, container: ContainerState, definition: ContainerDefinition): Promise<void> {
    this.#health.stop(name);
    try {
      await this.#containers.stop(name, definition.stopTimeout ?? 30);
    } catch (error) {
      this.#options.log.warn(`cannot stop ${name}: ${words(error)}`);
    }
    this.#ended(container, this.#containers.see(name));
  }

  #tell(task: HeldTask): void {
    const seen = this.#seen(task);
    const text = JSON.stringify(seen);
    if (this.#told.get(task.spec.id) === text) return;
    this.#told.set(task.spec.id, text);
    this.#listener?.taskChanged(seen);
  }

  #seen(task: HeldTask): SeenTask {
    const { spec, state, times } = task;
    const definitions = spec.definition.containerDefinitions ?? [];
    const lastStatus = statusOfTask(definitions, state);
    if (lastStatus === "RUNNING") times.startedAt ??= Date.now() / 1000;
    if (lastStatus === "STOPPED") times.executionStoppedAt ??= Date.now() / 1000;
    const attachments: Attachment[] = [];
    const containers = state.containers.map((container) => this.#seenContainer(task, container, attachments));
    return {
      id: spec.id,
      lastStatus,
      containers,
      attachments,
      ...times,
      ...(state.ending?.stopCode === undefined ? {} : { stopCode: state.ending.stopCode }),
      ...(state.ending?.reason === undefined ? {} : { stoppedReason: state.ending.reason }),
    };
  }

  #seenContainer({ spec }: HeldTask, state: ContainerState, attachments: Attachment[]): Container {
    const seen =
      state.status === "PENDING" ? undefined : this.#containers.see(instanceName(spec.id, state.name));
    const own = spec.definition.networkMode === "awsvpc" ? seen : undefined;
    if (own?.address !== undefined) attachments.push(attachmentOf(spec, own.address, own.mac));
    return {
      name: state.name,
      lastStatus:
        state.status === "STARTING" ? "PENDING" : state.status === "STOPPING" ? "RUNNING" : state.status,
      ...(seen === undefined
        ? {}
        : { runtimeId: seen.runtimeId, imageDigest: seen.imageDigest, networkBindings: seen.bindings }),
      ...(own?.address === undefined
        ? {}
        : { networkInterfaces: [{ attachmentId: spec.id, privateIpv4Address: own.address }] }),
      ...(state.exitCode === undefined ? {} : { exitCode: state.exitCode }),
      ...(state.reason === undefined ? {} : { reason: state.reason }),
      ...(state.health === undefined ? {} : { healthStatus: state.health }),
    };
  }

  async #exec(name: string, command: readonly string[], timeout: number): Promise<boolean> {
    const [program = "", ...args] = this.#options.self;
    const { status } = await run(program, [...args, "exec", name, ...command], {
      timeout,
      maxOutput: 1 << 20,
    });
    return status === 0;
  }
}

function attachmentOf(spec: TaskSpec, address: string, mac: string | undefined): Attachment {
  const details = [{ name: "privateIPv4Address", value: address }];
  if (mac !== undefined) details.push({ name: "macAddress", value: mac });
  return { id: spec.id, type: "ElasticNetworkInterface", status: "ATTACHED", details };
}

/** The words of the real agent where clients look for them. */
function startFailure(error: unknown, image: string): string {
  if (error instanceof TranshipError && error.code === "E_IMAGE_NOT_FOUND")
    return `CannotPullContainerError: ${image}: ${error.message}`;
  return `CannotStartContainerError: ${words(error)}`;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
