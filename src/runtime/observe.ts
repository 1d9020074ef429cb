// run --observe: the tracer stands outside of the instance, between enter and the OCI runtime. It sees all that comes from the runtime; the
// instance sees no other PID 1, holds no further capability, and cannot reach the record.
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { nativePath } from "../host/native.ts";
import type { Instance } from "./find.ts";
import { initPath } from "./image.ts";
import type { InstancePaths } from "./instance-paths.ts";

/** Bytes of one start's record. Every path is told once, so that it is far more than programs need. */
const mostBytes = 128 << 20;
/** Starts whose records are kept. */
const mostStarts = 4;

/** What goes before the OCI runtime's command line: nothing where the instance is not observed. */
export function observer({ paths, record }: Instance): string[] {
  if (record.observe === undefined) return [];
  const file = nextFile(paths);
  const asks = record.tether === undefined ? [] : ["--ask", paths.tetherSocket, initPath];
  const limit = ["--limit", String(mostBytes)];
  return [nativePath("trace"), "--out", file, ...limit, "--mode", record.observe, ...asks, "--"];
}

function nextFile(paths: InstancePaths): string {
  if (!existsSync(paths.observed)) mkdirSync(paths.observed, { mode: 0o700 });
  const numbers = startsIn(paths.observed);
  for (const old of numbers.slice(0, Math.max(0, numbers.length - mostStarts + 1)))
    rmSync(`${paths.observed}/${old}.trace`, { force: true });
  return `${paths.observed}/${(numbers.at(-1) ?? 0) + 1}.trace`;
}

/** Oldest first. */
function startsIn(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((name) => /^([1-9]\d{0,8})\.trace$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** The records of the last starts, oldest first. */
export function observedFiles({ paths }: Pick<Instance, "paths">): string[] {
  return existsSync(paths.observed)
    ? startsIn(paths.observed).map((n) => `${paths.observed}/${n}.trace`)
    : [];
}
