// The rules of an instance of the in-process engine, which change under programs that run: a page counts the changes, and the table of the N-th is a file beside it.
// native/engine/rules.h reads both.
import { readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { writeFilePlain } from "../../host/files.ts";
import { step } from "../../host/steps.ts";
import { changePage, givePage } from "./counted-page.ts";

const magic = 0x31_4c_55_52_50_52_54_41n;

/** For a start, which has the table of its policy. */
export function giveRulesPage(path: string): void {
  const tables = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path)))
    if (name.startsWith(tables)) rmSync(join(dirname(path), name), { force: true });
  givePage(path, magic);
}

/** Under programs that run: each has the new table from its next call on. Tables of before stay, as a program may be about to open one. E_INSTANCE_STATE where there is no page. */
export function changeRules(path: string, table: Uint8Array): void {
  const missing = {
    message: "it was started by a version whose rules do not change",
    hint: "stop it first: the next start has the new rules",
  };
  changePage(path, missing, (next) => {
    const file = `${path}.${next}`;
    writeFilePlain(`${file}.new`, table, 0o644);
    renameSync(`${file}.new`, file);
    step("table of rules");
  });
}
