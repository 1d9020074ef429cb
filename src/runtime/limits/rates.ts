// The rates at which a running instance may receive and send: queues of the two ends of its veth pair.
import { callArguments, joinCall } from "../../host/enter.ts";
import { shapeArguments } from "../../host/enter-network.ts";
import { nativePath } from "../../host/native.ts";
import { runChecked } from "../../host/process.ts";
import { deviceName } from "../network/devices.ts";
import type { InstanceRecord } from "../record.ts";

/** `pid`: of its PID 1. `changed`: names of the limits that are to be put in force. */
export async function setRates(
  { id, limits }: InstanceRecord,
  pid: number,
  changed: readonly string[],
): Promise<void> {
  const enter = nativePath("enter");
  // What the host's end sends comes to the instance.
  if (changed.includes("ingress"))
    await runChecked(enter, shapeArguments(deviceName(id, 0), limits.ingress ?? 0));
  if (!changed.includes("egress")) return;
  const argv = [enter, ...shapeArguments("eth0", limits.egress ?? 0)];
  await runChecked(enter, callArguments(joinCall({ pid, namespaces: ["net"], command: { argv } })));
}
