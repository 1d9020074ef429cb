// A driver that runs nothing: tasks are RUNNING at once and end when told to. For tests of the API and of the control plane.
import type { TaskDefinition } from "../api/shapes.ts";
import type { Driver, DriverListener, DriverNode, SeenTask, TaskSpec } from "./driver.ts";

/** What becomes of a task; tests decide by its definition or at random. */
export type Fate = (spec: TaskSpec) => "runs" | "fails";

export class NullDriver implements Driver {
  readonly name = "null";
  readonly tasks = new Map<string, { spec: TaskSpec; seen: SeenTask }>();
  readonly #nodes: Map<string, DriverNode>;
  readonly #fate: Fate;
  /** Tasks do not end when told to, but when `release` is called. */
  lingering = false;
  /** Ids of tasks that it was told to let go. */
  readonly deactivating = new Set<string>();
  readonly #stopping = new Set<string>();
  #listener: DriverListener | undefined;
  #nextPort = 32768;

  constructor(nodes: readonly DriverNode[] = [plainNode("node-1")], fate: Fate = () => "runs") {
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    this.#fate = fate;
  }

  refuses(_definition: TaskDefinition): string | undefined {
    return undefined;
  }

  nodes(): DriverNode[] {
    return [...this.#nodes.values()];
  }

  watch(listener: DriverListener): void {
    this.#listener = listener;
  }

  async open(): Promise<void> {
    for (const { seen } of this.tasks.values()) this.#tell(seen);
  }

  start(spec: TaskSpec): void {
    if (this.tasks.has(spec.id) || !this.#isThere(spec.node)) return;
    const containers = (spec.definition.containerDefinitions ?? []).map((container) => ({
      name: container.name,
      lastStatus: "PENDING",
      image: container.image,
      networkBindings: (container.portMappings ?? []).map((mapping) => ({
        bindIP: "0.0.0.0",
        containerPort: mapping.containerPort,
        hostPort: mapping.hostPort || this.#nextPort++,
        protocol: mapping.protocol ?? ("tcp" as const),
      })),
    }));
    const seen: SeenTask = { id: spec.id, lastStatus: "PENDING", containers, exclusive: spec.exclusive };
    this.tasks.set(spec.id, { spec, seen });
    if (this.#fate(spec) === "fails") this.end(spec.id, 1);
    else this.#run(spec.id);
  }

  #run(id: string): void {
    const seen = this.tasks.get(id)?.seen;
    if (seen === undefined || seen.lastStatus !== "PENDING") return;
    seen.lastStatus = "RUNNING";
    for (const container of seen.containers) {
      container.lastStatus = "RUNNING";
      container.runtimeId = `null-${id}`;
    }
    this.#tell(seen);
  }

  /** Ends a task as if its essential container had exited. */
  end(id: string, exitCode: number): void {
    this.#stopped(id, exitCode, "EssentialContainerExited", "Essential container in task exited");
  }

  letGo(id: string): void {
    if (this.#isThere(this.tasks.get(id)?.spec.node)) this.deactivating.add(id);
  }

  stop(id: string): void {
    if (!this.#isThere(this.tasks.get(id)?.spec.node)) return;
    if (this.lingering) this.#stopping.add(id);
    else this.#stopped(id, 143);
  }

  /** Ends what was told to stop while `lingering`. */
  release(): void {
    const ids = [...this.#stopping];
    this.#stopping.clear();
    for (const id of ids) this.#stopped(id, 143);
  }

  #stopped(id: string, exitCode: number, stopCode?: SeenTask["stopCode"], stoppedReason?: string): void {
    const seen = this.tasks.get(id)?.seen;
    if (seen === undefined || seen.lastStatus === "STOPPED") return;
    seen.lastStatus = "STOPPED";
    if (stopCode !== undefined) seen.stopCode = stopCode;
    if (stoppedReason !== undefined) seen.stoppedReason = stoppedReason;
    for (const container of seen.containers) {
      container.lastStatus = "STOPPED";
      container.exitCode ??= exitCode;
    }
    this.#tell(seen);
  }

  forget(id: string): void {
    if (this.#isThere(this.tasks.get(id)?.spec.node)) this.tasks.delete(id);
  }

  /** Ids of what runs. */
  running(): string[] {
    return [...this.tasks.values()]
      .filter(({ seen }) => seen.lastStatus === "RUNNING")
      .map(({ spec }) => spec.id);
  }

  /** One that comes back tells what it holds, as the agent of a real one does; what it was told while it was away has not reached it. */
  setNode(node: DriverNode): void {
    const before = this.#nodes.get(node.name)?.connected ?? false;
    this.#nodes.set(node.name, node);
    this.#listener?.nodesChanged();
    if (before || !node.connected) return;
    const held = [...this.tasks.values()].filter(({ spec }) => spec.node === node.name);
    for (const { seen } of held) this.#tell(seen);
    this.#listener?.nodeOpened(
      node.name,
      held.map(({ spec }) => spec.id),
    );
  }

  /** Names of nodes that are away without ending anything. */
  readonly orphans = new Set<string>();

  orphaned(node: string): boolean {
    return this.orphans.has(node);
  }

  /** A node that is away ends what may exist only once. */
  fence(node: string): void {
    for (const { spec } of [...this.tasks.values()])
      if (spec.node === node && spec.exclusive) this.#stopped(spec.id, 143);
  }

  #isThere(node: string | undefined): boolean {
    return node === undefined || (this.#nodes.get(node)?.connected ?? true);
  }

  async close(): Promise<void> {}

  #tell(seen: SeenTask): void {
    const copy = { ...seen, containers: seen.containers.map((container) => ({ ...container })) };
    if (this.#isThere(this.tasks.get(seen.id)?.spec.node)) this.#listener?.taskChanged(copy);
  }
}

export function plainNode(name: string, cpu = 4096, memory = 16_384): DriverNode {
  return { name, cpu, memory, reservedPorts: [], attributes: [], connected: true };
}
