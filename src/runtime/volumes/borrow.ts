// --volumes-from: what another instance has mounted, at the same places.
import { TranshipError } from "../../base/errors.ts";
import { writeFilePlain } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { CreateOptions } from "../create-options.ts";
import { findAny } from "../find.ts";
import type { InstanceMount, InstanceRecord } from "../record.ts";
import { instanceLayers } from "../redirect/mounts.ts";
import { lentMark } from "./lent.ts";
import { prepareMount } from "./volumes.ts";

/** Adds what is borrowed to what is asked for; its own mounts go before, and what was named first. */
export async function withBorrowed(root: StateRoot, options: CreateOptions): Promise<CreateOptions> {
  const taken = new Set((options.mounts ?? []).map(({ target }) => target));
  const mounts: InstanceMount[] = [];
  for (const { instance, readOnly } of options.volumesFrom ?? []) {
    const lender = findAny(root, instance);
    if (lender.record.engine === "inprocess") {
      throw new TranshipError(
        "E_USAGE",
        `--volumes-from: ${lender.record.name} runs in process and has no mounts`,
        {
          hint: "give the directories of this host with -v",
        },
      );
    }
    const layers = await instanceLayers(root, lender);
    for (const mount of borrowed(lender.record, readOnly, taken)) {
      // What the lender's package has there must be in it before anybody else's is.
      if (mount.kind === "volume") {
        await prepareMount(root, { ...mount, seed: seedOf(lender.record, mount) }, layers);
        if (mount.anonymous) writeFilePlain(lentMark(root, mount.source), "");
      }
      mounts.push(mount);
    }
  }
  return { ...options, mounts: [...(options.mounts ?? []), ...mounts] };
}

function seedOf({ mounts }: InstanceRecord, { target }: InstanceMount): boolean {
  return mounts.find((one) => one.target === target)?.seed ?? false;
}

/** `taken`: places that have something already; grows. Pure. */
export function borrowed(
  { mounts }: Pick<InstanceRecord, "mounts">,
  readOnly: boolean,
  taken: Set<string>,
): InstanceMount[] {
  return mounts
    .filter(({ kind, target }) => kind !== "tmpfs" && !taken.has(target) && taken.add(target))
    .map((mount) => ({ ...mount, readOnly: mount.readOnly || readOnly, seed: false }));
}
