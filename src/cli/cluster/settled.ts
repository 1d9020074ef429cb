import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../../base/errors.ts";
import type {
  DescribeServicesResponse,
  DescribeTasksResponse,
  ListTasksResponse,
} from "../../cluster/api/shapes.ts";
import type { ClusterClient } from "../../cluster/client.ts";
import type { Context } from "../context.ts";

/** Waits until the newest deployment of a service has been completed, telling what the service says meanwhile. */
export async function settled(
  client: ClusterClient,
  cluster: string,
  service: string,
  context: Context,
): Promise<void> {
  const told = new Set<string>();
  let first = true;
  for (;;) {
    const { services } = await client.call<DescribeServicesResponse>("DescribeServices", {
      cluster,
      services: [service],
    });
    const found = services?.[0];
    const [primary, ...others] = found?.deployments ?? [];
    for (const { id = "", message = "", createdAt = 0 } of (found?.events ?? []).toReversed()) {
      // What was said before this deployment began is known.
      if (!told.has(id) && createdAt >= (primary?.createdAt ?? 0)) context.say(message);
      told.add(id);
    }
    const done =
      primary?.rolloutState === "COMPLETED" &&
      others.length === 0 &&
      found?.runningCount === found?.desiredCount;
    if (done && !first) {
      context.print(`${service} runs ${primary?.taskDefinition?.split("/").at(-1)}`);
      return;
    }
    if (primary?.rolloutState === "FAILED")
      throw new TranshipError(
        "E_CLUSTER_REFUSED",
        `the deployment of ${service} failed: ${await lastReason(client, cluster, service)}`,
        {
          hint: "`tranship cluster events` has the reasons; `tranship logs` what the tasks wrote",
        },
      );
    first = false;
    if (context.signal.aborted)
      throw new TranshipError("E_INTERRUPTED", "no longer waiting; the deployment goes on");
    await sleep(500, undefined, { signal: context.signal }).catch(() => {});
  }
}

/** Why the task of a service that stopped last did so. */
async function lastReason(client: ClusterClient, cluster: string, serviceName: string): Promise<string> {
  const listed = await client.call<ListTasksResponse>("ListTasks", {
    cluster,
    serviceName,
    desiredStatus: "STOPPED",
  });
  const tasks = listed.taskArns ?? [];
  if (tasks.length === 0) return "its tasks did not start";
  const seen = await client.call<DescribeTasksResponse>("DescribeTasks", { cluster, tasks });
  const last = (seen.tasks ?? []).toSorted((a, b) => (b.stoppedAt ?? 0) - (a.stoppedAt ?? 0))[0];
  const exit = last?.containers?.find(({ exitCode }) => exitCode !== undefined)?.exitCode;
  return `${last?.stoppedReason ?? "its tasks ended"}${exit === undefined ? "" : ` (exit status ${exit})`}`;
}
