// The clock of an instance of the in-process engine: a page that its programs map, so that it changes under those that run. native/engine/clock-page.h reads it.
import { rmSync, writeSync } from "node:fs";
import type { RunningClock } from "../elements.ts";
import { changePage, givePage } from "./counted-page.ts";

const magic = 0x31_4b_4c_43_50_52_54_41n;
/** Of two places; the one with the parity of the count is in force. */
const placesAt = 16;
const placeSize = 40;
const second = 1_000_000_000n;
const least = -(1n << 63n);
const most = (1n << 63n) - 1n;

/** For a start; none where there is no clock. */
export function giveClockPage(path: string, clock: RunningClock | undefined): void {
  if (clock === undefined) rmSync(path, { force: true });
  else givePage(path, magic, (page) => placeOf(clock).copy(page, placesAt));
}

/** Under programs of the instance `name` that run: the place that is not in force is filled, and then it is. E_INSTANCE_STATE where they have none. */
export function changeClockPage(path: string, name: string, clock: RunningClock): void {
  const missing = {
    message: `${name} runs with the clock of this host, which cannot change meanwhile`,
    hint: "stop it first: the next start has the new clock",
  };
  changePage(path, missing, (next, fd) => {
    writeSync(fd, placeOf(clock), 0, placeSize, placesAt + (next & 1) * placeSize);
  });
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
