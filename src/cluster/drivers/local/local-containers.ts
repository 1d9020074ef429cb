// Containers of tasks as instances of our runtime: container definitions into what the runtime is asked for, and what it tells.
import { TranshipError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { parseReference } from "../../../formats/oci-reference.ts";
import { run } from "../../../host/process.ts";
import type { StateRoot } from "../../../host/state-root.ts";
import { pullImage } from "../../../image/registry/pull.ts";
import type { RegistrySettings } from "../../../image/registry/settings.ts";
import { openStore } from "../../../image/store.ts";
import type { CreateOptions } from "../../../runtime/create.ts";
import { inspectInstance } from "../../../runtime/find.ts";
import type { InstanceMount } from "../../../runtime/record.ts";
import { runInstance } from "../../../runtime/run.ts";
import { removeInstance, stopInstance } from "../../../runtime/stop.ts";
import { removeVolume } from "../../../runtime/volumes/volumes.ts";
import type { ContainerDefinition } from "../../api/shapes.ts";
import { type Containers, containerName, type SeenContainer, taskLabels, taskVolume } from "../containers.ts";
import type { Running, TaskSpec } from "../driver.ts";
import { startExec } from "./exec.ts";

/** Whoever may register task definitions makes us connect to these hosts, and to no others. */
export interface Registries {
  hosts: readonly string[];
  settings: RegistrySettings;
}

export class LocalContainers implements Containers {
  readonly #root: StateRoot;
  readonly #log: Log;
  readonly #registries: Registries;
  readonly #self: readonly string[];

  /** `self`: our own command line up to the verb, for commands in containers. */
  constructor(root: StateRoot, log: Log, registries: Registries, self: readonly string[]) {
    this.#root = root;
    this.#self = self;
    this.#log = log;
    this.#registries = registries;
  }

  async fetch(image: string): Promise<void> {
    const store = openStore(this.#root);
    if (isStored(store, image)) return;
    const { registry } = parseReference(image);
    if (registry === undefined || !this.#registries.hosts.includes(registry))
      throw new TranshipError("E_IMAGE_NOT_FOUND", `${image} is not in the store`, {
        hint: "pull it with `tranship pull`, or name its registry with `cluster serve --registry HOST`",
      });
    await pullImage(store, image, this.#registries.settings);
  }

  async prepare(): Promise<void> {}

  async start(spec: TaskSpec, definition: ContainerDefinition): Promise<void> {
    await runInstance(this.#root, optionsOf(spec, definition), this.#log);
  }

  /** The runtime's records are read anew each time. */
  async refresh(): Promise<void> {}

  see(name: string): SeenContainer | undefined {
    let found: ReturnType<typeof inspectInstance>;
    try {
      found = inspectInstance(this.#root, name);
    } catch {
      return undefined;
    }
    const { record, status } = found;
    const running = status.state === "running" || status.state === "starting";
    return {
      running,
      ...(running ? {} : { exitCode: status.exitStatus ?? undefined, reason: status.reason }),
      runtimeId: record.id,
      imageDigest: record.image.digest,
      address: record.network.address ?? undefined,
      mac: record.network.mac ?? undefined,
      bindings: (status.launch?.ports ?? []).map((port) => ({
        bindIP: port.hostAddress === "" ? "0.0.0.0" : port.hostAddress,
        containerPort: port.containerPort,
        hostPort: port.hostPort,
        protocol: port.protocol,
      })),
    };
  }

  async stop(name: string, seconds: number): Promise<void> {
    await stopInstance(this.#root, name, { timeout: seconds * 1000 }, this.#log);
  }

  /** Volumes that live as long as their task. */
  async release(spec: TaskSpec): Promise<void> {
    for (const { name, host, dockerVolumeConfiguration: docker } of spec.definition.volumes ?? [])
      if (host?.sourcePath === undefined && docker?.scope !== "shared")
        removeVolume(this.#root, taskVolume(spec.id, name));
  }

  async remove(name: string): Promise<void> {
    if (this.see(name) !== undefined)
      await removeInstance(this.#root, name, { force: true, volumes: true }, this.#log);
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

function isStored(store: ReturnType<typeof openStore>, image: string): boolean {
  try {
    store.image(image);
    return true;
  } catch (error) {
    if (error instanceof TranshipError && error.code === "E_IMAGE_NOT_FOUND") return false;
    throw error;
  }
}

function optionsOf(spec: TaskSpec, definition: ContainerDefinition): CreateOptions {
  const override = spec.overrides.containerOverrides?.find(({ name }) => name === definition.name);
  const environment = [...(definition.environment ?? []), ...(override?.environment ?? [])];
  const memory =
    override?.memory ?? definition.memory ?? numeric(spec.overrides.memory ?? spec.definition.memory);
  const cpu = override?.cpu ?? definition.cpu ?? 0;
  const { networkMode = "bridge" } = spec.definition;
  const host = networkMode === "host";
  return {
    reference: definition.image ?? "",
    command: override?.command ?? definition.command ?? [],
    name: containerName(spec.id, definition.name),
    ...(definition.entryPoint === undefined ? {} : { entrypoint: definition.entryPoint }),
    environment: environment.map(({ name, value }) => `${name}=${value ?? ""}`),
    ...(definition.workingDirectory === undefined ? {} : { workingDirectory: definition.workingDirectory }),
    ...(definition.user === undefined ? {} : { user: definition.user }),
    ...(definition.hostname === undefined ? {} : { hostname: definition.hostname }),
    network: host ? "host" : networkMode === "none" || definition.disableNetworking ? "none" : "bridge",
    ports:
      networkMode === "bridge"
        ? (definition.portMappings ?? []).map((mapping) => ({
            hostAddress: "",
            hostPort: mapping.hostPort ?? 0,
            containerPort: mapping.containerPort ?? 0,
            protocol: mapping.protocol ?? "tcp",
          }))
        : [],
    mounts: mountsOf(spec, definition),
    limits: {
      memory: memory === undefined ? null : memory * 1024 * 1024,
      cpus: spec.definition.cpu !== undefined && cpu > 0 ? cpu / 1024 : null,
      pids: null,
    },
    capAdd: definition.linuxParameters?.capabilities?.add ?? [],
    capDrop: definition.linuxParameters?.capabilities?.drop ?? [],
    readOnly: definition.readonlyRootFilesystem ?? false,
    stopTimeout: (definition.stopTimeout ?? 30) * 1000,
    labels: taskLabels(spec, definition),
  };
}

function numeric(text: string | undefined): number | undefined {
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

function mountsOf(spec: TaskSpec, definition: ContainerDefinition): InstanceMount[] {
  const mounts = (definition.mountPoints ?? []).map(
    ({ sourceVolume, containerPath = "/", readOnly = false }): InstanceMount => {
      const volume = spec.definition.volumes?.find(({ name }) => name === sourceVolume);
      const path = volume?.host?.sourcePath;
      if (path !== undefined)
        return { kind: "bind", source: path, target: containerPath, readOnly, anonymous: false, seed: false };
      const shared = volume?.dockerVolumeConfiguration?.scope === "shared";
      return {
        kind: "volume",
        source: shared ? (sourceVolume ?? "") : taskVolume(spec.id, sourceVolume),
        target: containerPath,
        readOnly,
        anonymous: false,
        seed: true,
      };
    },
  );
  for (const { containerPath, size } of definition.linuxParameters?.tmpfs ?? [])
    mounts.push({
      kind: "tmpfs",
      source: `size=${size}m`,
      target: containerPath,
      readOnly: false,
      anonymous: true,
      seed: false,
    });
  return mounts;
}
