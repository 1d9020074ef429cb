// Containers of tasks in an engine beside us, by the Engine API: Docker 20.10 and later.
import { TranshipError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { parseReference } from "../../../formats/oci-reference.ts";
import { CredentialStore } from "../../../image/registry/credentials.ts";
import type { ContainerDefinition, KeyValuePair } from "../../api/shapes.ts";
import {
  assignments,
  type ContainerLine,
  type Containers,
  containerName,
  holderOf,
  type ReadOptions,
  type SeenContainer,
  taskLabel,
  volumesOfTask,
} from "../containers.ts";
import type { RegistryLogin, Running, TaskSpec } from "../driver.ts";
import { type ContainerSpec, containerSpec } from "./container-spec.ts";
import { endpointNetwork, joinEndpoint } from "./endpoint-place.ts";
import type { Engine } from "./engine.ts";
import { startExec } from "./exec.ts";
import { defaultNetwork, startHolder } from "./holder.ts";
import { type Inspected, type Listed, listedHealth, seenOf } from "./inspected.ts";
import { readLogs } from "./logs.ts";
import { keepNetwork } from "./overlay-network.ts";

export interface DockerOptions {
  engine: Engine;
  log: Log;
  /** Hosts from which images may be fetched; others must be on the node. */
  registries: readonly string[];
  /** Network for tasks with a network of their own. Default: the engine's bridge. */
  network?: string;
}

export class DockerContainers implements Containers {
  readonly #engine: Engine;
  readonly #options: DockerOptions;
  readonly #seen = new Map<string, SeenContainer>();
  /** Names that `start`, `stop` or `remove` changed while a list was under way: it may be older. */
  readonly #changed = new Set<string>();
  #kept: Promise<void> = Promise.resolve();

  constructor(options: DockerOptions) {
    this.#engine = options.engine;
    this.#options = options;
  }

  async fetch(image: string, login?: RegistryLogin): Promise<void> {
    if ((await this.#engine.get(`/images/${image}/json`)) !== undefined) return;
    const { registry = "docker.io" } = parseReference(image);
    if (!this.#options.registries.includes(registry))
      throw new TranshipError("E_IMAGE_NOT_FOUND", `${image} is not on the node`, {
        hint: "pull it there, or name its registry with --registry where the agent is started",
      });
    const headers = await credentialsFor(registry, login);
    const query = { fromImage: image };
    for await (const line of this.#engine.lines("POST", "/images/create", {
      query,
      headers,
      timeout: 600_000,
    }))
      if (line.error !== undefined)
        throw new TranshipError("E_IMAGE_NOT_FOUND", `${image}: ${String(line.error)}`);
  }

  /** The holder of the network, where the containers of the task share one. */
  async prepare(spec: TaskSpec): Promise<void> {
    const name = holderOf(spec);
    if (name === undefined) return;
    const { network = defaultNetwork } = this.#options;
    if (network !== defaultNetwork) await this.#keep(network);
    await startHolder(this.#engine, spec, {
      name,
      network,
      endpoint: (await this.#engine.get(`/networks/${endpointNetwork}`)) !== undefined,
    });
  }

  /** One after another: two tasks at once would make the same container. */
  #keep(network: string): Promise<void> {
    const kept = this.#kept.then(() => keepNetwork(this.#engine, network));
    this.#kept = kept.catch(() => {});
    return kept;
  }

  async release(spec: TaskSpec): Promise<void> {
    const holder = holderOf(spec);
    if (holder !== undefined) await this.remove(holder);
  }

  async removeVolumes(spec: TaskSpec): Promise<void> {
    for (const volume of volumesOfTask(spec)) await this.#engine.delete(`/volumes/${volume}`);
  }

  async start(
    spec: TaskSpec,
    definition: ContainerDefinition,
    environment: readonly KeyValuePair[],
  ): Promise<void> {
    const name = containerName(spec.id, definition.name);
    const { Id, Warnings } = await this.#engine.post<{ Id: string; Warnings: string[] | null }>(
      "/containers/create",
      {
        query: { name },
        body: withEnvironment(containerSpec(spec, definition, holderOf(spec)), environment),
      },
    );
    for (const warning of Warnings ?? []) this.#options.log.warn(`${name}: ${warning}`);
    // It has no network of its own otherwise, or the host's.
    if (environment.length > 0 && isBridged(spec)) await joinEndpoint(this.#engine, Id);
    await this.#engine.post(`/containers/${Id}/start`);
    await this.#look(name);
  }

  /** The engine does it all. */
  adopt(): void {}

  async close(): Promise<void> {}

  async refresh(): Promise<void> {
    this.#changed.clear();
    const filters = JSON.stringify({ label: [taskLabel] });
    const all =
      (await this.#engine.get<Listed[]>("/containers/json", { query: { all: "1", filters } })) ?? [];
    const names = new Map(all.map((listed) => [(listed.Names[0] ?? "").slice(1), listed]));
    for (const name of [...this.#seen.keys()])
      if (!names.has(name) && !this.#changed.has(name)) this.#seen.delete(name);
    for (const [name, listed] of names) {
      const known = this.#seen.get(name);
      if (this.#changed.has(name)) continue;
      if (known?.runtimeId !== listed.Id || known.running !== (listed.State === "running"))
        await this.#look(name);
      else {
        const health = known.running ? listedHealth(listed) : undefined;
        if (health !== undefined && health !== known.health) this.#seen.set(name, { ...known, health });
      }
    }
  }

  async #look(name: string): Promise<void> {
    const inspected = await this.#engine.get<Inspected>(`/containers/${name}/json`);
    const holder = inspected?.HostConfig.NetworkMode.startsWith("container:")
      ? await this.#engine.get<Inspected>(
          `/containers/${inspected.HostConfig.NetworkMode.slice("container:".length)}/json`,
        )
      : undefined;
    this.#changed.add(name);
    if (inspected === undefined) this.#seen.delete(name);
    else this.#seen.set(name, seenOf(inspected, holder));
  }

  see(name: string): SeenContainer | undefined {
    return this.#seen.get(name);
  }

  async stop(name: string, seconds: number): Promise<void> {
    try {
      await this.#engine.post(`/containers/${name}/stop`, {
        query: { t: String(seconds) },
        timeout: (seconds + 60) * 1000,
      });
    } finally {
      await this.#look(name);
    }
  }

  async remove(name: string): Promise<void> {
    await this.#engine.delete(`/containers/${name}`, { query: { force: "1", v: "1" } });
    this.#changed.add(name);
    this.#seen.delete(name);
  }

  logs(name: string, options: ReadOptions): AsyncIterable<ContainerLine> {
    return readLogs(this.#engine, name, options);
  }

  exec(name: string, command: string, terminal: boolean): Running {
    return startExec(this.#engine, name, command, terminal);
  }

  async probe(name: string, command: readonly string[], timeout: number): Promise<boolean> {
    const { Id } = await this.#engine.post<{ Id: string }>(`/containers/${name}/exec`, {
      body: { Cmd: command },
    });
    await this.#engine.post(`/exec/${Id}/start`, { body: { Detach: true } });
    for (const until = Date.now() + timeout; Date.now() < until; ) {
      const seen = await this.#engine.get<{ Running: boolean; ExitCode: number | null }>(`/exec/${Id}/json`);
      if (seen?.Running === false) return seen.ExitCode === 0;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
  }
}

function isBridged({ definition: { networkMode = "bridge" } }: TaskSpec): boolean {
  return networkMode === "bridge";
}

function withEnvironment(made: ContainerSpec, more: readonly KeyValuePair[]): ContainerSpec {
  return { ...made, Env: [...made.Env, ...assignments(more)] };
}

async function credentialsFor(registry: string, login?: RegistryLogin): Promise<Record<string, string>> {
  const found = login ?? (await new CredentialStore({}).get(registry));
  if (found === undefined) return {};
  const sent =
    "identityToken" in found
      ? { identitytoken: found.identityToken, serveraddress: registry }
      : { ...found, serveraddress: registry };
  return { "X-Registry-Auth": Buffer.from(JSON.stringify(sent)).toString("base64url") };
}
