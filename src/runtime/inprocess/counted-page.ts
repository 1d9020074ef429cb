// A page that programs in process map: a magic number, a count of changes, and what it is about. It is written under programs that run: what is new is whole
// before the count says so.
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { errnoOf, writeFilePlain } from "../../host/files.ts";

const pageSize = 4096;
const countAt = 8;

/** For a start. Anew, as what is left of an earlier start has its own. `fill` writes what belongs behind the count. */
export function givePage(path: string, magic: bigint, fill: (page: Buffer) => void = () => {}): void {
  rmSync(path, { force: true });
  const page = Buffer.alloc(pageSize);
  page.writeBigUInt64LE(magic);
  fill(page);
  writeFilePlain(path, page, 0o644);
}

/** `prepare` makes the change of that number ready; then it counts. E_INSTANCE_STATE, in the words of `missing`, where programs have no page. */
export function changePage(
  path: string,
  missing: { message: string; hint: string },
  prepare: (next: number, fd: number) => void,
): void {
  const fd = openPage(path, missing);
  try {
    const count = Buffer.alloc(4);
    readSync(fd, count, 0, 4, countAt);
    const next = (count.readUInt32LE() + 1) >>> 0;
    prepare(next, fd);
    count.writeUInt32LE(next);
    writeSync(fd, count, 0, 4, countAt);
  } finally {
    closeSync(fd);
  }
}

function openPage(path: string, { message, hint }: { message: string; hint: string }): number {
  try {
    return openSync(path, "r+");
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
    throw new TranshipError("E_INSTANCE_STATE", message, { hint, cause });
  }
}
