// The refusal of what needs a running instance.
import { TranshipError } from "../base/errors.ts";
import type { InstanceRecord } from "./record.ts";
import type { InstanceStatus } from "./state.ts";

/** In the word that `ps` has for the state: one that its rule is about to start again needs nobody to start it. */
export function notRunning({ name }: InstanceRecord, status: InstanceStatus, exitStatus = 1): TranshipError {
  const again = status.state === "starting" && status.launch?.byRule === true;
  return new TranshipError(
    "E_INSTANCE_STATE",
    `the instance ${name} is not running but ${again ? "restarting" : status.state}`,
    {
      hint: again
        ? `its restart rule starts it again in a moment; \`tranship logs ${name}\` shows why it ended`
        : `start it with \`tranship start ${name}\``,
      exitStatus,
    },
  );
}
