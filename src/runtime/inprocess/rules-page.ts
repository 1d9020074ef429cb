// The rules of an instance of the in-process engine, which change under programs that run: a page counts the changes, and the table of the N-th is a file beside it.
// native/engine/rules.h reads both.
import { closeSync, openSync, readdirSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { errnoOf, writeFilePlain } from "../../host/files.ts";
import { step } from "../../host/steps.ts";

const pageSize = 4096;
const magic = 0x31_4c_55_52_50_52_54_41n;
const changesAt = 8;

/** For a start, which has the table of its policy. Anew, as what is left of an earlier start has its own page. */
export function giveRulesPage(path: string): void {
  const tables = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path)))
    if (name.startsWith(tables)) rmSync(join(dirname(path), name), { force: true });
  rmSync(path, { force: true });
  const page = Buffer.alloc(pageSize);
  page.writeBigUInt64LE(magic);
  writeFilePlain(path, page, 0o644);
}

/** Under programs that run: each has the new table from its next call on. Tables of before stay, as a program may be about to open one. E_INSTANCE_STATE where there is no page. */
export function changeRules(path: string, table: Uint8Array): void {
  const fd = openPage(path);
  try {
    const count = Buffer.alloc(4);
    readSync(fd, count, 0, 4, changesAt);
    const next = (count.readUInt32LE() + 1) >>> 0;
    const file = `${path}.${next}`;
    writeFilePlain(`${file}.new`, table, 0o644);
    renameSync(`${file}.new`, file);
    step("table of rules");
    count.writeUInt32LE(next);
    writeSync(fd, count, 0, 4, changesAt);
  } finally {
    closeSync(fd);
  }
}

function openPage(path: string): number {
  try {
    return openSync(path, "r+");
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
    throw new TranshipError("E_INSTANCE_STATE", "it was started by a version whose rules do not change", {
      hint: "stop it first: the next start has the new rules",
      cause,
    });
  }
}
