// The clock of an instance of the in-process engine: a page that its programs map, so that it changes under those that run. native/engine/clock-page.h reads it.
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { errnoOf, writeFilePlain } from "../../host/files.ts";
import type { RunningClock } from "../elements.ts";

const pageSize = 4096;
const magic = 0x31_4b_4c_43_50_52_54_41n;
/** How often it was changed; of the two places the one with that parity is in force. */
const whichAt = 8;
const placesAt = 16;
const placeSize = 40;
const second = 1_000_000_000n;
const least = -(1n << 63n);
const most = (1n << 63n) - 1n;

/** For a start; none where there is no clock. Anew, as what is left of an earlier start has its own. */
export function giveClockPage(path: string, clock: RunningClock | undefined): void {
  rmSync(path, { force: true });
  if (clock === undefined) return;
  const page = Buffer.alloc(pageSize);
  page.writeBigUInt64LE(magic);
  placeOf(clock).copy(page, placesAt);
  writeFilePlain(path, page, 0o644);
}

/** Under programs that run: the place that is not in force is filled, and then it is. E_INSTANCE_STATE where they have none. */
export function changeClockPage(path: string, clock: RunningClock): void {
  const fd = openPage(path);
  try {
    const count = Buffer.alloc(4);
    readSync(fd, count, 0, 4, whichAt);
    const next = (count.readUInt32LE() + 1) >>> 0;
    writeSync(fd, placeOf(clock), 0, placeSize, placesAt + (next & 1) * placeSize);
    count.writeUInt32LE(next);
    writeSync(fd, count, 0, 4, whichAt);
  } finally {
    closeSync(fd);
  }
}

function openPage(path: string): number {
  try {
    return openSync(path, "r+");
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw cause;
    throw new TranshipError("E_INSTANCE_STATE", "it runs with the clock of this host, which cannot change", {
      hint: "stop it first: the next start has the new clock",
      cause,
    });
  }
}

function placeOf({ kernel, app, rate }: RunningClock): Buffer {
  const place = Buffer.alloc(placeSize);
  const offset = [app - kernel, least, most].sort((a, b) => (a < b ? -1 : 1))[1] ?? 0n;
  const seconds = offset / second - (offset % second < 0n ? 1n : 0n);
  place.writeBigInt64LE(kernel, 0);
  place.writeBigInt64LE(app, 8);
  place.writeBigUInt64LE(rate, 16);
  place.writeBigInt64LE(seconds, 24);
  place.writeBigInt64LE(offset - seconds * second, 32);
  return place;
}
