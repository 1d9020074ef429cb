// Tasks on the nodes that have joined, each by its agent, and on this machine where a driver for it is given.
//
// Theory. An agent keeps what it runs by itself; the control plane may come and go, and so may the connection. Orders that meet no
// connection are dropped: when the agent comes (back), it first tells all that it holds, and the control plane gives it the difference.
import type { TaskDefinition } from "../../api/shapes.ts";
import type { LogQuery } from "../../logs/log-event.ts";
import { refusalOfEngine } from "../docker/refusals.ts";
import type {
  CredentialSource,
  Driver,
  DriverListener,
  DriverNode,
  ExecRequest,
  LogAnswer,
  Running,
  SeenTask,
  TaskCredentials,
  TaskSpec,
} from "../driver.ts";
import { refusalOf } from "../local/refusals.ts";
import type { AgentLink } from "./agent-link.ts";
import type { EngineKind } from "./protocol.ts";

const refusals: Record<EngineKind, (definition: TaskDefinition) => string | undefined> = {
  namespace: refusalOf,
  docker: refusalOfEngine,
};

interface Member {
  node: DriverNode;
  engine: EngineKind;
  link: AgentLink | undefined;
  /** What it told before `opened`. */
  held: string[];
}

/** Of a node, for somebody else who watches it; "agentless": it lives, and its agent has been taken away. */
export type Standing = "ready" | "agentless" | "down";

export class AgentsDriver implements Driver {
  readonly name: Driver["name"];
  readonly #own: Driver | undefined;
  readonly #members = new Map<string, Member>();
  /** By task: the node that it was given to, or that told of it. */
  readonly #places = new Map<string, string>();
  /** As somebody else sees the nodes; undefined: nobody has said yet. */
  #standings: ReadonlyMap<string, Standing> | undefined;
  #listener: DriverListener | undefined;
  #credentials: CredentialSource = async () => undefined;

  constructor(name: Driver["name"], own?: Driver) {
    this.name = name;
    this.#own = own;
  }

  /** What no kind of node here can honour. A node that cannot says so when it is given the task. */
  refuses(definition: TaskDefinition): string | undefined {
    const kinds = new Set([...this.#members.values()].map(({ engine }) => engine));
    const judges = [...kinds].map((kind) => refusals[kind]);
    if (this.#own !== undefined) judges.push((each) => this.#own?.refuses(each));
    if (judges.length === 0) judges.push(...Object.values(refusals));
    const found = judges.map((judge) => judge(definition));
    return found.includes(undefined) ? undefined : found[0];
  }

  nodes(): DriverNode[] {
    return [...(this.#own?.nodes() ?? []), ...[...this.#members.values()].map(({ node }) => node)];
  }

  watch(listener: DriverListener): void {
    this.#listener = listener;
    this.#own?.watch(listener);
  }

  async open(): Promise<void> {
    await this.#own?.open();
  }

  start(spec: TaskSpec): void {
    if (this.#isOwn(spec.node)) {
      this.#own?.start(spec);
      return;
    }
    this.#places.set(spec.id, spec.node);
    this.#members.get(spec.node)?.link?.send({ start: spec });
  }

  letGo(id: string): void {
    const link = this.#linkOf(id);
    if (link !== undefined) link.send({ letGo: id });
    else this.#own?.letGo?.(id);
  }

  stop(id: string): void {
    const link = this.#linkOf(id);
    if (link !== undefined) link.send({ stop: id });
    else this.#own?.stop(id);
  }

  forget(id: string): void {
    const link = this.#linkOf(id);
    this.#places.delete(id);
    if (link !== undefined) link.send({ forget: id });
    else this.#own?.forget(id);
  }

  exec(request: ExecRequest): Running | undefined {
    const place = this.#places.get(request.task);
    if (place === undefined) return this.#own?.exec?.(request);
    return this.#members.get(place)?.link?.exec(request);
  }

  credentialsFrom(source: CredentialSource): void {
    this.#credentials = source;
    this.#own?.credentialsFrom?.(source);
  }

  /** What a node says that it holds does not count: where the task was placed does. */
  credentialsFor(node: string, task: string): Promise<TaskCredentials | undefined> {
    return this.#credentials(task, node);
  }

  logs(query: LogQuery): LogAnswer {
    const { streams, silent } = this.#own?.logs?.(query) ?? { streams: [], silent: [] };
    for (const { node, link } of this.#members.values()) {
      if (link === undefined || !node.connected) silent.push(node.name);
      else streams.push({ node: node.name, running: link.logs(query) });
    }
    return { streams, silent };
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    for (const { link } of this.#members.values()) link?.close("the control plane ends");
    await this.#own?.close();
  }

  /** Whether a node of that name may join: not while another one has it. */
  mayJoin(name: string): boolean {
    return !this.#isOwn(name) && this.#members.get(name)?.link === undefined;
  }

  joined(node: DriverNode, engine: EngineKind, link: AgentLink): void {
    this.#members.set(node.name, { node: { ...node, connected: false }, engine, link, held: [] });
  }

  told(name: string, task: SeenTask): void {
    const member = this.#members.get(name);
    const place = this.#places.get(task.id);
    if (member === undefined || (place !== undefined && place !== name)) return;
    this.#places.set(task.id, name);
    if (!member.node.connected) member.held.push(task.id);
    this.#listener?.taskChanged({ ...task, node: name });
  }

  /** It has told all that it holds: from now on it is a node like any other. */
  opened(name: string): void {
    const member = this.#members.get(name);
    if (member === undefined || member.node.connected) return;
    member.node = { ...member.node, connected: true };
    this.#listener?.nodesChanged();
    this.#listener?.nodeOpened(name, member.held);
    member.held = [];
  }

  left(name: string, link: AgentLink): void {
    const member = this.#members.get(name);
    if (member?.link !== link) return;
    member.link = undefined;
    member.node = { ...member.node, connected: false };
    this.#listener?.nodesChanged();
  }

  /** What somebody else knows of the nodes: one that is down, or whose agent is taken away, is cut off before its connection breaks. */
  sees(standings: ReadonlyMap<string, Standing>): void {
    this.#standings = standings;
    for (const [name, standing] of standings) if (standing !== "ready") this.#members.get(name)?.link?.cut();
  }

  /** Before Swarm has been asked, any node may be one whose agent was taken away. */
  orphaned(name: string): boolean {
    if (this.#standings === undefined) return this.name === "swarm";
    return this.#standings.get(name) === "agentless";
  }

  #isOwn(node: string): boolean {
    return this.#own?.nodes().some(({ name }) => name === node) ?? false;
  }

  #linkOf(task: string): AgentLink | undefined {
    const place = this.#places.get(task);
    return place === undefined ? undefined : this.#members.get(place)?.link;
  }
}
