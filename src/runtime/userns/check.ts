// What an instance with a user namespace of its own cannot have.
import { existsSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import type { InstanceRecord } from "../record.ts";

/** E_USAGE, with the reason. */
export function checkUserns({ userns, network, tether, identity }: InstanceRecord): void {
  if (userns === undefined) return;
  const dmi = (identity?.taken.dmi ?? null) !== null && !existsSync("/sys/devices/virtual/dmi/id");
  const reason =
    network.mode === "container"
      ? "--network container: that network belongs to another user namespace"
      : tether !== undefined
        ? "--tether: what is fetched has owners of this host"
        : dmi
          ? "DMI values on a host that has none: they lie in overlays that only its root may mount"
          : undefined;
  if (reason === undefined) return;
  throw new TranshipError("E_USAGE", `--userns excludes ${reason}`, {
    hint: "leave one of them out",
  });
}
