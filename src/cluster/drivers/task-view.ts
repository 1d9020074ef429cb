// What a driver tells of a task that it holds: its record, and what is seen of its containers.
import type { Attachment, Container } from "../api/shapes.ts";
import { type Containers, containerName } from "./containers.ts";
import type { SeenTask, TaskSpec } from "./driver.ts";
import { type ContainerState, statusOfTask } from "./supervisor.ts";
import type { HeldTask } from "./task-records.ts";

/** Its times are filled in as they are first seen. */
export function seenTask(task: HeldTask, containers: Containers): SeenTask {
  const { spec, state, times } = task;
  const definitions = spec.definition.containerDefinitions ?? [];
  const lastStatus = statusOfTask(definitions, state);
  if (lastStatus === "RUNNING") times.startedAt ??= Date.now() / 1000;
  if (lastStatus === "STOPPED") times.executionStoppedAt ??= Date.now() / 1000;
  const attachments: Attachment[] = [];
  const all = state.containers.map((container) => seenContainer(task, container, containers, attachments));
  return {
    id: spec.id,
    lastStatus,
    containers: all,
    attachments,
    exclusive: spec.exclusive,
    ...times,
    ...(state.ending?.stopCode === undefined ? {} : { stopCode: state.ending.stopCode }),
    ...(state.ending?.reason === undefined ? {} : { stoppedReason: state.ending.reason }),
  };
}

function seenContainer(
  { spec }: HeldTask,
  state: ContainerState,
  engine: Containers,
  attachments: Attachment[],
): Container {
  const seen = state.status === "PENDING" ? undefined : engine.see(containerName(spec.id, state.name));
  const own = spec.definition.networkMode === "awsvpc" ? seen : undefined;
  if (own?.address !== undefined && attachments.length === 0)
    attachments.push(attachmentOf(spec, own.address, own.mac));
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

function attachmentOf(spec: TaskSpec, address: string, mac: string | undefined): Attachment {
  const details = [{ name: "privateIPv4Address", value: address }];
  if (mac !== undefined) details.push({ name: "macAddress", value: mac });
  return { id: spec.id, type: "ElasticNetworkInterface", status: "ATTACHED", details };
}
