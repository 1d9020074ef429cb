// A program that finds the disk full rarely says so in its exit status; we look for it.
import { statfsSync } from "node:fs";
import { constants } from "node:os";
import { type ErrorCode, TranshipError } from "../../base/errors.ts";

const consequences: readonly ErrorCode[] = ["E_CAPTURE_FAILED", "E_CAPTURE_INCOMPLETE", "E_EXERCISE_FAILED"];
const nearlyNone = 256 << 10;

/** The error itself, or E_NO_SPACE where a run failed and what it wrote has filled the file system of `work`. */
export function explainFullDisk(error: unknown, work: string): unknown {
  if (!(error instanceof TranshipError) || !consequences.includes(error.code)) return error;
  if (!isFull(work) && !saysNoSpace(error.cause)) return error;
  return new TranshipError("E_NO_SPACE", `no space left below ${work} for what the application writes: ${error.message}`, {
    hint: "choose a larger file system with --root; what the application wrote has been removed",
    details: error.details,
    cause: error,
  }); // biome-ignore format: short
}

function isFull(path: string): boolean {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  return bavail * bsize < nearlyNone || (files > 0 && ffree === 0);
}

/** What enter could not set up tells its errno. */
function saysNoSpace(cause: unknown): boolean {
  return cause instanceof TranshipError && cause.details.errno === constants.errno.ENOSPC;
}
