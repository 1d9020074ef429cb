import type { ServiceEntity, TaskEntity } from "../state/entities.ts";
import type { Control } from "./control.ts";

/** As many as the real service keeps. */
const kept = 100;

export const serviceLabel = (service: ServiceEntity): string => `service ${service.name}`;
export const taskList = (tasks: readonly TaskEntity[]): string =>
  tasks.map(({ id }) => `(task ${id})`).join(" ");

/** Newest first; `message` goes on after "(service NAME) ". */
export function serviceEvent(control: Control, service: ServiceEntity, message: string): void {
  const id = control.newId();
  const uuid = [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join("-");
  const event = { id: uuid, createdAt: control.seconds, message: `(${serviceLabel(service)}) ${message}` };
  service.wire.events = [event, ...(service.wire.events ?? [])].slice(0, kept);
  control.state.service.put(service);
  control.onEvent({ cluster: service.cluster, ...event });
}
