// The names of an instance that others of a network know besides its own, given and taken away while it runs.
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import { lockInstance } from "../end.ts";
import { findInstance, readInstance } from "../find.ts";
import { writeRecord } from "../record.ts";
import { attachmentsOf, withAttachments } from "./attachments.ts";
import { refreshNames } from "./names.ts";

/**
 * Without effect on one that is not on the network, or was removed meanwhile. The record comes first: whatever command is next puts the hosts files right.
 * E_INSTANCE_NOT_FOUND.
 */
export async function setAliases(
  root: StateRoot,
  text: string,
  network: string,
  aliases: readonly string[],
): Promise<void> {
  const found = findInstance(root, text);
  const lock = await lockInstance(found, "names");
  try {
    const instance = readInstance(root, found.record.id);
    if (lock === undefined || instance === undefined) return;
    const { paths, record } = instance;
    const now = attachmentsOf(record);
    const next = now.map((one) => (one.network === network ? { ...one, aliases } : one));
    if (JSON.stringify(next) !== JSON.stringify(now)) {
      step("aliases");
      writeRecord(paths, { ...record, network: withAttachments(record.network, next) });
    }
    await refreshNames(root);
  } finally {
    lock?.release();
  }
}
