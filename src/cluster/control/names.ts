// How calls name things: by name or by ARN; and the clusters, services and task definitions that they mean.
import { clientError, clusterNotFound, invalidParameter, serviceNotFound } from "../api/ecs-error.ts";
import type { ClusterEntity, ServiceEntity, TaskDefinitionEntity } from "../state/entities.ts";
import type { State } from "../state/state.ts";

/** What stands behind "cluster/", "service/", ... of an ARN; a name as it is. Throws where the ARN names something else. */
export function resource(text: string, kind: string): string {
  if (!text.startsWith("arn:")) return text;
  const [, , , , , ...rest] = text.split(":");
  const [type = "", ...path] = rest.join(":").split("/");
  if (type !== kind || path.length === 0)
    throw invalidParameter(`Identifier is for ${type}. Your identifier should be for ${kind}.`);
  return path.join("/");
}

export function clusterName(text: string | undefined): string {
  return text === undefined || text === "" ? "default" : resource(text, "cluster");
}

/** An ACTIVE cluster; ClusterNotFoundException. */
export function clusterOf(state: State, text: string | undefined): ClusterEntity {
  const cluster = state.cluster.get(clusterName(text));
  if (cluster === undefined || cluster.wire.status !== "ACTIVE") throw clusterNotFound();
  return cluster;
}

/** Of a service, in a cluster: cluster/name from a name or either form of ARN. */
export function serviceKey(cluster: string, text: string): string {
  return `${cluster}/${resource(text, "service").split("/").at(-1)}`;
}

export function serviceOf(state: State, cluster: string, text: string): ServiceEntity {
  const service = state.service.get(serviceKey(cluster, text));
  if (service === undefined) throw serviceNotFound();
  return service;
}

/** The last part of a task's or an instance's id. */
export function idOf(text: string, kind: "task" | "container-instance"): string {
  return resource(text, kind).split("/").at(-1) ?? "";
}

/** By family (its latest ACTIVE revision), family:revision or ARN. `what` is said when there is none. */
export function definitionOf(state: State, text: string, what: string): TaskDefinitionEntity {
  const name = resource(text, "task-definition");
  const [family = "", revision, ...rest] = name.split(":");
  if (rest.length > 0) throw clientError(`Invalid task definition identifier: ${name.slice(0, 100)}`);
  if (revision === undefined) {
    // From the newest: a family that is deployed often has thousands of revisions.
    for (let number = state.family.get(family)?.last ?? 0; number > 0; number--) {
      const found = state.definition.get(`${family}:${number}`);
      if (found?.wire.status === "ACTIVE") return found;
    }
    throw clientError(what);
  }
  if (!/^[0-9]{1,9}$/.test(revision))
    throw clientError(`Invalid revision number. Number: ${revision.slice(0, 100)}`);
  const found = state.definition.get(`${family}:${Number(revision)}`);
  if (found === undefined) throw clientError(what);
  return found;
}

/** Names of clusters, services and families. */
export function checkName(text: string, what: string): void {
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(text))
    throw invalidParameter(
      `${what} '${text.slice(0, 100)}' is invalid: up to 255 letters, numbers, underscores and hyphens.`,
    );
}
