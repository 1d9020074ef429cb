import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../../base/errors.ts";
import type {
  DescribeServicesResponse,
  DescribeTasksResponse,
  ListTasksResponse,
  Service,
} from "../../cluster/api/shapes.ts";
import { type ClusterClient, isUnreachable } from "../../cluster/client.ts";
import type { Context } from "../context.ts";

/** Anew each time: one that was started again may listen elsewhere. */
export type Reach = () => ClusterClient;

/** Milliseconds that a control plane may be away. */
const patience = 60_000;

export interface Awaited {
  readonly cluster: string;
  readonly service: string;
  /** The task definition that is to run in the end; undefined: whichever the service goes back to. */
  readonly wanted: string | undefined;
}

/**
 * Waits until the newest deployment of a service has been completed, telling what the service says meanwhile. E_CLUSTER_REFUSED
 * where it failed, also where the service went back to another version.
 */
export async function settled(reach: Reach, awaited: Awaited, context: Context): Promise<void> {
  const { service, wanted } = awaited;
  const told = new Set<string>();
  let since: number | undefined;
  for (;;) {
    const found = await seen(reach, awaited, context);
    const [primary, ...others] = found?.deployments ?? [];
    const first = since === undefined;
    // What was said before this deployment began is known. A deployment that is gone back to began earlier.
    since ??= primary?.createdAt ?? 0;
    for (const { id = "", message = "", createdAt = 0 } of (found?.events ?? []).toReversed()) {
      if (!told.has(id) && createdAt >= since) context.say(message);
      told.add(id);
    }
    const done =
      primary?.rolloutState === "COMPLETED" &&
      others.length === 0 &&
      found?.runningCount === found?.desiredCount;
    const runs = primary?.taskDefinition?.split("/").at(-1);
    const back = wanted !== undefined && primary?.taskDefinition !== wanted;
    if (done && back)
      throw failed(
        `the deployment of ${service} failed, and it went back to ${runs}`,
        await lastReason(reach(), awaited),
      );
    if (done && !first) {
      context.print(`${service} runs ${runs}`);
      return;
    }
    if (primary?.rolloutState === "FAILED")
      throw failed(`the deployment of ${service} failed`, await lastReason(reach(), awaited));
    if (context.signal.aborted)
      throw new TranshipError("E_INTERRUPTED", "no longer waiting; the deployment goes on");
    await sleep(500, undefined, { signal: context.signal }).catch(() => {});
  }
}

/** A control plane that is started again goes on with the deployment: it is waited for a while. */
async function seen(
  reach: Reach,
  { cluster, service }: Awaited,
  context: Context,
): Promise<Service | undefined> {
  const until = performance.now() + patience;
  for (let away = false; ; away = true) {
    try {
      const input = { cluster, services: [service] };
      const { services } = await reach().call<DescribeServicesResponse>("DescribeServices", input);
      return services?.[0];
    } catch (error) {
      if (!isUnreachable(error) || performance.now() > until || context.signal.aborted) throw error;
      if (!away) context.log.warn(`${error.message}; trying again`);
    }
    await sleep(500, undefined, { signal: context.signal }).catch(() => {});
  }
}

function failed(what: string, reason: string): TranshipError {
  return new TranshipError("E_CLUSTER_REFUSED", `${what}: ${reason}`, {
    hint: "`tranship cluster events` has the reasons; `tranship logs` what the tasks wrote",
  });
}

/** Why the task of the version that was wanted, or of any, that stopped last did so. */
async function lastReason(client: ClusterClient, { cluster, service, wanted }: Awaited): Promise<string> {
  const listed = await client.call<ListTasksResponse>("ListTasks", {
    cluster,
    serviceName: service,
    desiredStatus: "STOPPED",
  });
  const tasks = listed.taskArns ?? [];
  if (tasks.length === 0) return "its tasks did not start";
  const seen = await client.call<DescribeTasksResponse>("DescribeTasks", { cluster, tasks });
  const ended = (seen.tasks ?? []).filter(
    ({ taskDefinitionArn }) => wanted === undefined || taskDefinitionArn === wanted,
  );
  const last = ended.toSorted((a, b) => (b.stoppedAt ?? 0) - (a.stoppedAt ?? 0))[0];
  const exit = last?.containers?.find(({ exitCode }) => exitCode !== undefined)?.exitCode;
  return `${last?.stoppedReason ?? "its tasks ended"}${exit === undefined ? "" : ` (exit status ${exit})`}`;
}
