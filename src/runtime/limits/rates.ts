// The rates at which a running instance may receive and send, on each of its networks: queues of the two ends of its veth pairs.
import { callArguments, joinCall } from "../../host/enter.ts";
import { shapeArguments } from "../../host/enter-network.ts";
import { nativePath } from "../../host/native.ts";
import { runChecked } from "../../host/process.ts";
import { deviceNames } from "../network/devices.ts";
import { devicesSeenBy } from "../network/undo.ts";
import type { InstanceRecord } from "../record.ts";

/** `pid`: of its PID 1. `changed`: names of the limits that are to be put in force. */
export async function setRates(
  record: InstanceRecord,
  pid: number,
  changed: readonly string[],
): Promise<void> {
  const { limits } = record;
  const enter = nativePath("enter");
  // What the host's end sends comes to the instance.
  if (changed.includes("ingress"))
    for (const device of deviceNames(record))
      await runChecked(enter, shapeArguments(device, limits.ingress ?? 0));
  if (!changed.includes("egress")) return;
  for (const device of devicesSeenBy(pid).filter((name) => /^eth\d+$/.test(name))) {
    const argv = [enter, ...shapeArguments(device, limits.egress ?? 0)];
    await runChecked(enter, callArguments(joinCall({ pid, namespaces: ["net"], command: { argv } })));
  }
}
