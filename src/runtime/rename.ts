// Another name for an instance. The new one is leased before the record says so, and the old one is freed after it: whichever of the
// two a crash leaves over is freed by the next command (freeNames).
import { TranshipError } from "../base/errors.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { nameTaken } from "./create.ts";
import { lockInstance } from "./end.ts";
import { note } from "./events/note.ts";
import { findAny, readInstance } from "./find.ts";
import { checkName } from "./names.ts";
import { hasNames } from "./network/attachments.ts";
import { claim, free, holder } from "./network/lease.ts";
import { refreshNames } from "./network/names.ts";
import { writeRecord } from "./record.ts";

export async function renameInstance(root: StateRoot, text: string, wanted: string): Promise<void> {
  const found = findAny(root, text);
  const { id } = found.record;
  const lock = await lockInstance(found, "rename");
  try {
    const instance = readInstance(root, id);
    if (lock === undefined || instance === undefined) {
      throw new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${text}`, {
        hint: "it was removed a moment ago",
      });
    }
    const { record, paths } = instance;
    if (checkName(wanted) === record.name) {
      throw new TranshipError("E_USAGE", `the instance is called ${wanted} already`, {
        hint: "choose another name",
      });
    }
    // Its own where an earlier one was killed behind this.
    if (!claim(root, "names", wanted, id) && holder(root, "names", wanted) !== id)
      throw nameTaken(root, wanted);
    step("rename record");
    writeRecord(paths, { ...record, name: wanted });
    step("free the old name");
    free(root, "names", record.name, id);
    note(root, { ...record, name: wanted }, "rename", { oldName: record.name });
    if (hasNames(record)) await refreshNames(root);
  } finally {
    lock?.release();
  }
}
