// Containers of tasks as instances of our runtime: container definitions into what the runtime is asked for, and what it tells.
import { join } from "node:path";
import { TranshipError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { parseReference } from "../../../formats/oci-reference.ts";
import { run } from "../../../host/process.ts";
import type { StateRoot } from "../../../host/state-root.ts";
import { pullImage } from "../../../image/registry/pull.ts";
import type { RegistrySettings } from "../../../image/registry/settings.ts";
import { openStore } from "../../../image/store.ts";
import type { NetworkRedirection } from "../../../package/descriptor.ts";
import { releaseHost } from "../../../runtime/end.ts";
import { inspectInstance, type ListedInstance } from "../../../runtime/find.ts";
import { healthWord } from "../../../runtime/health/seen.ts";
import { logLines } from "../../../runtime/logs.ts";
import { setAliases } from "../../../runtime/network/aliases.ts";
import { chooseSubnet } from "../../../runtime/network/choice.ts";
import { type NetworkDefinition, readDefinition } from "../../../runtime/network/definition.ts";
import { createNetwork } from "../../../runtime/network/manage.ts";
import { gatewayOf } from "../../../runtime/network/subnet.ts";
import type { InstanceMount, InstanceRecord } from "../../../runtime/record.ts";
import { repairInstances } from "../../../runtime/repair.ts";
import { type RunOptions, runInstance } from "../../../runtime/run.ts";
import type { InstanceStatus } from "../../../runtime/state.ts";
import { removeInstance, stopInstance } from "../../../runtime/stop.ts";
import { borrowed } from "../../../runtime/volumes/borrow.ts";
import { createVolume } from "../../../runtime/volumes/list.ts";
import { removeVolume } from "../../../runtime/volumes/volumes.ts";
import type { ContainerDefinition, KeyValuePair } from "../../api/shapes.ts";
import {
  aliasesOf,
  assignments,
  type ContainerLine,
  type Containers,
  containerName,
  holderOf,
  loginFor,
  type ReadOptions,
  type SeenContainer,
  taskVolume,
  volumesOfTask,
} from "../containers.ts";
import type { RegistryLogin, Running, TaskSpec } from "../driver.ts";
import { taskAddress } from "../endpoint/task-server.ts";
import { endpointPort } from "./endpoint-place.ts";
import { startExec } from "./exec.ts";
import { holderOptions, namesOf, networkName, optionsOf, ownNetworkOf } from "./instance-options.ts";
import { LogForwarders } from "./log-forwarders.ts";
import { RunningInstances } from "./running-instances.ts";
import { removeSecrets, writeSecrets } from "./task-secrets.ts";

/** Whoever may register task definitions makes us connect to these hosts, and to no others. */
export interface Registries {
  hosts: readonly string[];
  settings: RegistrySettings;
}

/** Milliseconds. It looks at every instance: done for each of fifty that end, it would take longer than all the rest. */
const repairInterval = 1000;
const releaseDelay = 200;

/** Milliseconds that the monitor of an instance has to look at its end. */
const patience = 30_000;

export class LocalContainers implements Containers {
  readonly #root: StateRoot;
  readonly #log: Log;
  readonly #registries: Registries;
  readonly #self: readonly string[];
  readonly #forwarders: LogForwarders;
  readonly #running: RunningInstances;
  #repairedAt = Number.NEGATIVE_INFINITY;
  #repaired: Promise<number> | undefined;
  #releasing: NodeJS.Timeout | undefined;
  /** Directory of the values that instances are given. */
  readonly #secrets: string;

  /** `self`: our own command line up to the verb, for commands in containers. */
  constructor(root: StateRoot, log: Log, registries: Registries, self: readonly string[]) {
    this.#root = root;
    this.#running = new RunningInstances(root);
    this.#self = self;
    this.#secrets = join(root.path, "cluster", "task-secrets");
    this.#log = log;
    this.#registries = registries;
    const positions = join(root.path, "cluster", "log-positions");
    this.#forwarders = new LogForwarders(positions, (name, options) => this.logs(name, options), log);
  }

  async fetch(image: string, login?: RegistryLogin): Promise<void> {
    const store = openStore(this.#root);
    if (isStored(store, image)) return;
    const { registry } = parseReference(image);
    if (registry === undefined || !this.#registries.hosts.includes(registry))
      throw new TranshipError("E_IMAGE_NOT_FOUND", `${image} is not in the store`, {
        hint: "pull it with `tranship pull`, or name its registry with `cluster serve --registry HOST`",
      });
    const { settings } = this.#registries;
    await pullImage(store, image, login === undefined ? settings : { ...settings, credentials: login });
  }

  /** The instance that holds the network, where containers share one. */
  async prepare(spec: TaskSpec): Promise<void> {
    const name = holderOf(spec);
    const [first] = spec.definition.containerDefinitions ?? [];
    if (name === undefined || first === undefined || this.see(name)?.running) return;
    await this.remove(name);
    await this.fetch(first.image ?? "", loginFor(spec, first));
    const { gateway } = await this.#network(networkName(spec));
    const connect = [endpointRule(gateway)];
    await this.#run({ ...holderOptions(spec, first, name), connect });
  }

  async setFound(spec: TaskSpec, found: boolean): Promise<void> {
    const name = holderOf(spec);
    const aliases = found ? aliasesOf(spec) : [];
    if (name !== undefined && this.see(name) !== undefined)
      await setAliases(this.#root, name, networkName(spec), aliases);
  }

  async start(spec: TaskSpec, definition: ContainerDefinition, more: readonly KeyValuePair[]): Promise<void> {
    const secrets = writeSecrets(this.#secrets, spec, definition);
    const options = optionsOf(spec, definition);
    const environment = [...(options.environment ?? []), ...assignments(more)];
    const connect = namesOf(spec, definition);
    if (options.network === "bridge") {
      const own = ownNetworkOf(spec);
      const gateway =
        own === undefined ? gatewayOf(chooseSubnet(this.#root)) : (await this.#network(own)).gateway;
      if (more.length > 0) connect.push(endpointRule(gateway));
    }
    const mounts = [...(options.mounts ?? []), ...this.#borrowed(spec, definition, options.mounts ?? [])];
    this.#makeVolumes(spec, definition);
    await this.#run({ ...options, environment, secrets, connect, mounts });
    this.adopt(spec, definition);
  }

  /** What other containers of the task have mounted, where they have it; they have started before. Its own goes before. */
  #borrowed(
    spec: TaskSpec,
    { volumesFrom = [] }: ContainerDefinition,
    own: readonly InstanceMount[],
  ): InstanceMount[] {
    const taken = new Set(own.map(({ target }) => target));
    return volumesFrom.flatMap(({ sourceContainer, readOnly = false }) => {
      const { record } = inspectInstance(this.#root, containerName(spec.id, sourceContainer));
      return borrowed(record, readOnly, taken).map((mount) => ({ ...mount, anonymous: false }));
    });
  }

  /** Those with labels; others are made by whoever mounts them first. */
  #makeVolumes({ id, definition }: TaskSpec, { mountPoints = [] }: ContainerDefinition): void {
    for (const volume of definition.volumes ?? []) {
      const { labels = {}, scope } = volume.dockerVolumeConfiguration ?? {};
      const { name = "" } = volume;
      if (Object.keys(labels).length > 0 && mountPoints.some(({ sourceVolume }) => sourceVolume === name))
        createVolume(this.#root, scope === "shared" ? name : taskVolume(id, name), labels);
    }
  }

  adopt(spec: TaskSpec, definition: ContainerDefinition): void {
    const name = containerName(spec.id, definition.name);
    const seen = this.see(name);
    if (seen !== undefined) this.#forwarders.attend(name, seen.runtimeId, definition);
  }

  async close(): Promise<void> {
    if (this.#releasing !== undefined) await this.#release();
    await this.#forwarders.close();
  }

  /** What has changed of the runtime's records is read anew each time. */
  async refresh(): Promise<void> {}

  see(name: string): SeenContainer | undefined {
    let found: ListedInstance;
    try {
      found = this.#running.inspect(name);
    } catch {
      return undefined;
    }
    const { record, status } = found;
    const running = status.state === "running" || status.state === "starting" || isJustKilled(status);
    const reason = status.oomKilled ? "the container ran out of memory" : status.reason;
    const health = healthWord(found);
    return {
      running,
      ...(running ? {} : { exitCode: status.exitStatus ?? undefined, reason }),
      runtimeId: record.id,
      imageDigest: record.image.digest,
      ...this.#addresses(record.network),
      ...(health === undefined ? {} : { health: healthNames[health] }),
      bindings: (status.launch?.ports ?? []).map((port) => ({
        bindIP: port.hostAddress === "" ? "0.0.0.0" : port.hostAddress,
        containerPort: port.containerPort,
        hostPort: port.hostPort,
        protocol: port.protocol,
      })),
    };
  }

  /** Made where it is missing. */
  async #network(name: string): Promise<NetworkDefinition> {
    const known = readDefinition(this.#root, name);
    if (known !== undefined) return known;
    try {
      const wanted = {
        subnets: [],
        gateways: [],
        range: undefined,
        ipv6: false,
        internal: false,
        labels: {},
      };
      return await createNetwork(this.#root, { name, ...wanted });
    } catch (error) {
      const other = readDefinition(this.#root, name); // made in the same moment
      if (other !== undefined) return other;
      throw error;
    }
  }

  /** Its own, or those of the instance whose network it shares. */
  #addresses(network: InstanceRecord["network"]): Pick<SeenContainer, "address" | "mac"> {
    if (network.container !== undefined) {
      const holder = this.see(network.container);
      return { address: holder?.address, mac: holder?.mac };
    }
    return { address: network.address ?? undefined, mac: network.mac ?? undefined };
  }

  async stop(name: string, seconds: number): Promise<void> {
    await this.#repair();
    await stopInstance(this.#root, name, { timeout: seconds * 1000, amongMany: true }, this.#log);
    this.#releaseSoon();
  }

  async release(spec: TaskSpec): Promise<void> {
    const holder = holderOf(spec);
    if (holder !== undefined) await this.remove(holder);
    removeSecrets(this.#secrets, spec);
  }

  async removeVolumes(spec: TaskSpec): Promise<void> {
    for (const volume of volumesOfTask(spec)) removeVolume(this.#root, volume);
  }

  async remove(name: string): Promise<void> {
    await this.#forwarders.leave(name);
    if (this.see(name) === undefined) return;
    this.#running.forget(name);
    await this.#repair();
    await removeInstance(this.#root, name, { force: true, volumes: true, amongMany: true }, this.#log);
    this.#releaseSoon();
  }

  /** What the host keeps for instances goes with the last one: looked for when a while nothing has ended. */
  #releaseSoon(): void {
    clearTimeout(this.#releasing);
    this.#releasing = setTimeout(() => void this.#release(), releaseDelay);
  }

  async #release(): Promise<void> {
    clearTimeout(this.#releasing);
    this.#releasing = undefined;
    try {
      await releaseHost(this.#root, this.#log);
    } catch (error) {
      this.#log.warn(`what the host keeps for instances: ${(error as Error).message}`);
    }
  }

  async #run(options: RunOptions): Promise<void> {
    await this.#repair();
    await runInstance(this.#root, { ...options, amongMany: true }, this.#log);
  }

  /** What commands that died have left unfinished; one look serves all that is started and ended within its time. */
  async #repair(): Promise<void> {
    if (Date.now() - this.#repairedAt >= repairInterval) {
      this.#repairedAt = Date.now();
      this.#repaired = repairInstances(this.#root, this.#log);
    }
    await this.#repaired;
  }

  async *logs(name: string, options: ReadOptions): AsyncGenerator<ContainerLine> {
    if (this.see(name) === undefined) return;
    for await (const { time, stream, text, partial } of logLines(this.#root, name, options))
      yield partial ? { time, stream, text, partial } : { time, stream, text };
  }

  exec(name: string, command: string, terminal: boolean): Running {
    return startExec(this.#self, name, command, terminal);
  }

  async probe(name: string, command: readonly string[], timeout: number): Promise<boolean> {
    const [program = "", ...args] = this.#self;
    const { status } = await run(program, [...args, "exec", name, ...command], {
      timeout,
      maxOutput: 1 << 20,
    });
    return status === 0;
  }
}

/** Why it was killed is known a moment later, when its monitor has looked; who does not look any more is not waited for. */
function isJustKilled({ state, settled, exitStatus, endedAt = "" }: InstanceStatus): boolean {
  const age = Math.abs(Date.now() - Date.parse(endedAt));
  return state === "exited" && !settled && exitStatus === 137 && age < patience;
}

const healthNames = { starting: "UNKNOWN", healthy: "HEALTHY", unhealthy: "UNHEALTHY" } as const;

/** Leads what programs ask about their task to where it is answered. */
function endpointRule(gateway: string): NetworkRedirection {
  return { kind: "connect", from: `${taskAddress}:80`, to: `${gateway}:${endpointPort}` };
}

function isStored(store: ReturnType<typeof openStore>, image: string): boolean {
  try {
    store.image(image);
    return true;
  } catch (error) {
    if (error instanceof TranshipError && error.code === "E_IMAGE_NOT_FOUND") return false;
    throw error;
  }
}
