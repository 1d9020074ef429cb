import { setTimeout as sleep } from "node:timers/promises";
import { TranshipError } from "../../base/errors.ts";
import type { DescribeServicesResponse } from "../../cluster/api/shapes.ts";
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
        `the deployment of ${service} failed: ${primary.rolloutStateReason}`,
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
