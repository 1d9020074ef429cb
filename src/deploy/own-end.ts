// An application that ends by itself: a command, which has no port to ask and nothing to exercise. How it ended and what it printed
// is what can be compared.
import { readBelow } from "../host/untrusted.ts";
import { ExerciseOutput } from "./exercise-output.ts";
import type { ParityRequest } from "./parity.ts";

export interface OwnEnd {
  status: number;
  output: string;
}

/** How long an application without ports and exercise is watched for its end, milliseconds. */
export const watchTime = 5000;

/** Nothing is asked of the application, so it may end. */
export function mayEnd({ ports, exercise }: Pick<ParityRequest, "ports" | "exercise">): boolean {
  return ports.length === 0 && exercise === undefined;
}

/** What init keeps of it unless its size was changed, and more. */
const mostLog = 64 << 20;

/** init's log in `run`, where the application may have put something else: no link leads to a file of the host. */
export function logText(run: string): string {
  return readBelow(mostLog, run, "log", "all.log")?.toString("utf8") ?? "";
}

/** What init logged of the application, each stream by itself. */
export function loggedOutput(run: string): string {
  const output = new ExerciseOutput();
  for (const line of logText(run).split("\n")) {
    if (line === "") continue;
    const { log: words, stream } = parse(line);
    if (typeof words === "string" && (stream === "stdout" || stream === "stderr")) output.add(stream, words);
  }
  return output.text();
}

/** The log lies where the application may write: a line may be anything. */
function parse(line: string): { log?: unknown; stream?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
