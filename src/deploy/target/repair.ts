// What a killed verb left of a deployment: a deployment that was not completed goes, an update or a rollback goes back, a removal goes on.
import type { DeployedVersion, DeploymentRecord } from "./record.ts";
import { deploymentNames, lockDeployment, readDeployment } from "./record.ts";
import { neverStarted, promote, type Tools } from "./versions.ts";

/** Call with the deployment's lock held. The record as it is then; undefined where nothing is deployed. */
export async function repairDeployment(tools: Tools, name: string): Promise<DeploymentRecord | undefined> {
  const record = readDeployment(tools.root, name);
  if (record?.pending === undefined) return record;
  tools.log.warn(
    `${name}: ${record.pending.verb} was broken off: ${record.pending.verb === "remove" ? "it goes on" : "it is undone"}`,
  );
  switch (record.pending.verb) {
    case "deploy": {
      const { undoDeploy } = await import("./deploy.ts");
      await undoDeploy(tools, record);
      break;
    }
    case "remove": {
      const { goOnRemoving } = await import("./remove.ts");
      await goOnRemoving(tools, record);
      break;
    }
    default: {
      const { goBack } = await import("./update.ts");
      await goBack(tools, record);
    }
  }
  return readDeployment(tools.root, name);
}

/**
 * All of them: after a reboot, before instances are started. What a deployment left to the next start of the machine starts now. Tells those that could not be
 * put right and returns their names: one must not keep the others down.
 */
export async function repairDeployments(tools: Tools): Promise<string[]> {
  const failed: string[] = [];
  for (const name of deploymentNames(tools.root)) {
    const lock = await lockDeployment(tools.root, name, "repair a deployment");
    try {
      const record = await repairDeployment(tools, name);
      if (record?.current !== undefined) await startHeldBack(tools, record, record.current);
    } catch (error) {
      failed.push(name);
      tools.log.error(`the deployment ${name}: ${(error as Error).message}`);
    } finally {
      lock.release();
    }
  }
  return failed;
}

/** An instance that was never started is no business of restart rules. */
async function startHeldBack(
  tools: Tools,
  record: DeploymentRecord,
  current: DeployedVersion,
): Promise<void> {
  const isKept = record.restart.policy === "always" || record.restart.policy === "unless-stopped";
  if (!isKept || !neverStarted(tools.root, current.instance)) return;
  await promote(tools, record, current);
}
