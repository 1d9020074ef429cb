// Runs tasks on one machine, through what runs its containers. What runs lives on when the control plane or the agent ends, and is adopted by the next one.
import { randomUUID } from "node:crypto";
import type { Log } from "../../base/log.ts";
import type { Lock } from "../../host/lock.ts";
import { randomHex } from "../../host/random.ts";
import type { TaskDefinition } from "../api/shapes.ts";
import { runningLines } from "../logs/line-streams.ts";
import type { LogQuery } from "../logs/log-event.ts";
import type { LogKeeper } from "../logs/log-keeper.ts";
import { TaskLogs } from "../logs/task-logs.ts";
import { ContainerWork, definitionOf, words } from "./container-work.ts";
import { type Containers, containerName, type SeenContainer } from "./containers.ts";
import type {
  CredentialSource,
  Driver,
  DriverListener,
  DriverNode,
  ExecRequest,
  LogAnswer,
  Running,
  TaskSpec,
} from "./driver.ts";
import type { AskingTask, TaskEndpoint } from "./endpoint/task-endpoint.ts";
import { HealthChecks } from "./health-checks.ts";
import { defaultCleanupWait, Leftovers } from "./leftovers.ts";
import { type Action, type ContainerState, nextActions, type TaskState } from "./supervisor.ts";
import { TaskNames } from "./task-names.ts";
import { type HeldTask, TaskRecords } from "./task-records.ts";
import { seenTask } from "./task-view.ts";

export interface TaskDriverOptions {
  endpoint?: TaskEndpoint;
  name: Driver["name"];
  containers: Containers;
  /** Directory of what it holds; made where it is missing. */
  records: string;
  logKeeper: LogKeeper;
  /** Addresses to which logs may be sent, besides the node's own syslog. */
  syslog?: readonly string[];
  /** Milliseconds that the containers of a task stay after its end. Default: an hour. */
  cleanupWait?: number;
  node: DriverNode;
  /** Why what runs the containers cannot honour a definition. */
  refuses: (definition: TaskDefinition) => string | undefined;
  log: Log;
}

/** Milliseconds between looks at what runs. */
const interval = 250;

/** Milliseconds after a start in which an engine may still learn something of a container: its address, its ports. */
const settling = 10_000;

export class TaskDriver implements Driver {
  readonly name: Driver["name"];
  readonly #options: TaskDriverOptions;
  readonly #containers: Containers;
  readonly #records: TaskRecords;
  readonly #leftovers: Leftovers;
  readonly #logs: TaskLogs;
  readonly #health: HealthChecks;
  readonly #names: TaskNames;
  readonly #work: ContainerWork;
  readonly #tasks = new Map<string, HeldTask>();
  /** What was last told of each task, so that only changes are. */
  readonly #told = new Map<string, string>();
  /** Starts and stops under way, by instance. */
  readonly #busy = new Map<string, Promise<void>>();
  #listener: DriverListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lock: Lock | undefined;

  constructor(options: TaskDriverOptions) {
    this.name = options.name;
    this.#options = options;
    this.#containers = options.containers;
    this.#records = new TaskRecords(options.records);
    this.#logs = new TaskLogs(this.#containers, this.#records, options.logKeeper);
    const { cleanupWait: wait = defaultCleanupWait, containers, log } = options;
    this.#leftovers = new Leftovers({ containers, records: this.#records, logs: this.#logs, log, wait });
    this.#names = new TaskNames(containers, log);
    const probe: Containers["probe"] = (...words) => containers.probe(...words);
    this.#health = new HealthChecks(probe, log);
    this.#work = new ContainerWork({
      containers,
      logs: this.#logs,
      health: this.#health,
      names: this.#names,
      endpoint: options.endpoint,
      syslog: options.syslog ?? [],
      log,
    });
  }

  refuses(definition: TaskDefinition): string | undefined {
    return this.#options.refuses(definition);
  }

  nodes(): DriverNode[] {
    return [this.#options.node];
  }

  watch(listener: DriverListener): void {
    this.#listener = listener;
  }

  /** E_STATE_BUSY where somebody else has these tasks: two would each end what the other one started. */
  async open(): Promise<void> {
    this.#lock = await this.#records.lock();
    await this.#containers.refresh();
    await this.#options.endpoint?.open((by, value) => this.#find(by, value));
    for (const task of this.#records.all()) {
      if (task.forgotten !== undefined) {
        this.#adopt(task);
        this.#leftovers.add(task);
        continue;
      }
      // A start that was under way when the last control plane ended: the instance tells how far it came.
      for (const container of task.state.containers) {
        const seen = this.#containers.see(containerName(task.spec.id, container.name));
        if (container.status === "STARTING") this.#unfinished(container, seen);
        if (container.status === "STOPPING") container.status = seen?.running ? "RUNNING" : "STOPPED";
        this.#work.watchHealth(task, container);
        // The record has it as it was when something else changed last.
        if (seen?.running) container.health = seen.health ?? container.health ?? "UNKNOWN";
      }
      this.#adopt(task);
      this.#tasks.set(task.spec.id, task);
      this.#step(task);
      this.#tell(task);
    }
    this.#again();
  }

  /** Also those that have ended: what they wrote last may not be where it is to go. */
  #adopt({ spec }: HeldTask): void {
    for (const definition of spec.definition.containerDefinitions ?? [])
      this.#containers.adopt(spec, definition);
  }

  credentialsFrom(source: CredentialSource): void {
    this.#options.endpoint?.credentialsFrom(source);
  }

  #find(by: "key" | "credentialsKey", value: string): AskingTask | undefined {
    for (const task of this.#tasks.values())
      if (task[by] === value)
        return { task, seen: seenTask(task, this.#containers), addresses: () => this.#addresses(task) };
    return undefined;
  }

  #addresses({ spec, state }: HeldTask): string[] {
    return state.containers.flatMap(({ name }) => {
      const seen = this.#containers.see(containerName(spec.id, name));
      return seen?.asksFrom ?? seen?.address ?? [];
    });
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
    const task: HeldTask = { spec, state, key: randomHex(16), times: {} };
    if (spec.roleArn !== undefined) task.credentialsKey = randomUUID();
    this.#records.write(task);
    this.#tasks.set(spec.id, task);
    this.#step(task);
    this.#again();
  }

  letGo(id: string): void {
    const task = this.#tasks.get(id);
    if (task === undefined || task.letGo) return;
    task.letGo = true;
    this.#records.write(task);
    this.#names.follow(task);
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
    this.#options.endpoint?.forget(id);
    this.#tasks.delete(id);
    this.#told.delete(id);
    this.#names.forget(id);
    if (task === undefined) return;
    task.forgotten = Date.now();
    this.#records.write(task);
    this.#leftovers.add(task);
  }

  exec({ task, container, command, interactive }: ExecRequest): Running | undefined {
    if (!this.#tasks.has(task)) return undefined;
    return this.#containers.exec(containerName(task, container), command, interactive);
  }

  logs(query: LogQuery): LogAnswer {
    const running = runningLines((signal) => this.#logs.read(query, signal));
    return { streams: [{ node: this.#options.node.name, running }], silent: [] };
  }

  async close(): Promise<void> {
    this.#leftovers.close();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listener = undefined;
    this.#health.close();
    await this.#names.close();
    await this.#options.endpoint?.close();
    await Promise.all(this.#busy.values());
    // Last: what has just been started is attended too.
    await this.#containers.close();
    this.#lock?.release();
  }

  #again(): void {
    if (this.#timer !== undefined || this.#listener === undefined || this.#tasks.size === 0) return;
    this.#timer = setTimeout(() => void this.#round(), interval);
  }

  async #round(): Promise<void> {
    try {
      await this.#containers.refresh();
      if (this.#listener === undefined) return;
      for (const task of [...this.#tasks.values()]) this.#look(task);
    } catch (error) {
      // An engine that does not answer now may later; until then nothing is known to have changed.
      this.#options.log.warn(`cannot see the containers: ${words(error)}`);
    }
    this.#timer = undefined;
    this.#again();
  }

  #look(task: HeldTask): void {
    if (task.state.containers.every(({ status }) => status === "STOPPED")) return;
    const steady = task.state.containers.map((container) => this.#lookAt(task, container));
    // A node with many tasks that just run is to cost next to nothing.
    if (task.state.ending === undefined && !steady.includes(false)) return;
    this.#step(task);
    this.#tell(task);
  }

  /** Whether it runs for a while already, and is as it was told. */
  #lookAt(task: HeldTask, container: ContainerState): boolean {
    const name = containerName(task.spec.id, container.name);
    if (container.status !== "RUNNING" || this.#busy.has(name)) return false;
    const seen = this.#containers.see(name);
    if (seen?.running) {
      const before = container.health;
      container.health = this.#health.of(name, seen.health) ?? before ?? "UNKNOWN";
      const age = Date.now() - (container.startedAt ?? 0);
      return container.health === before && age > settling;
    }
    this.#work.ended(container, seen);
    this.#health.stop(name);
    this.#records.write(task);
    return false;
  }

  #step(task: HeldTask): void {
    const before = JSON.stringify(task.state);
    const actions = nextActions(task.spec.definition.containerDefinitions ?? [], task.state, Date.now());
    if (JSON.stringify(task.state) !== before) this.#records.write(task);
    for (const action of actions) this.#act(task, action);
  }

  #act(task: HeldTask, action: Action): void {
    const name = containerName(task.spec.id, action.name);
    const container = task.state.containers.find((each) => each.name === action.name);
    const definition = definitionOf(task, action.name);
    if (container === undefined || definition === undefined) return;
    const work =
      action.do === "start"
        ? this.#work.start(task, container, definition)
        : this.#work.stop(name, container, definition);
    const whole = work.then(() => {
      this.#busy.delete(name);
      this.#records.write(task);
      this.#step(task);
      this.#tell(task);
    });
    this.#busy.set(name, whole);
  }

  #tell(task: HeldTask): void {
    this.#names.follow(task);
    const seen = seenTask(task, this.#containers);
    const text = JSON.stringify(seen);
    if (this.#told.get(task.spec.id) === text) return;
    this.#told.set(task.spec.id, text);
    this.#listener?.taskChanged(seen);
  }
}
