// The exercise: an executable of this host that is run inside, beside the application.
import { chmodSync, copyFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { errnoOf, ioError, makeDirectory } from "../../host/files.ts";

/** Where the exercise is inside, and what it is told. */
export const exerciseInside = "/.tranship/run/exercise";
export const exerciseEnvironment = { TRANSHIP_RESULTS: "/.tranship/run/results", TRANSHIP_HOST: "127.0.0.1" };

/**
 * Puts an executable of this host where startSandbox() shows it inside, with a directory for its results. Returns the directory that
 * becomes /.tranship/run.
 */
export function placeExercise(work: string, script: string | undefined): string {
  const run = join(work, "run");
  makeDirectory(run, 0o755);
  if (script === undefined) return run;
  checkExercise(script);
  try {
    copyFileSync(script, join(run, "exercise"));
    chmodSync(join(run, "exercise"), 0o755);
    makeDirectory(join(run, "results"));
    chmodSync(join(run, "results"), 0o1777);
  } catch (cause) {
    throw ioError(`cannot copy the exercise ${script} to ${run}`, cause);
  }
  return run;
}

/** E_USAGE where the file cannot be an exercise: told before anything is started. */
export function checkExercise(script: string): void {
  const problem = exerciseProblem(script);
  if (problem === undefined) return;
  throw new TranshipError("E_USAGE", `cannot use the exercise ${script}: ${problem}`, {
    hint: "--exercise takes an executable file of this host",
  });
}

function exerciseProblem(script: string): string | undefined {
  try {
    const stats = statSync(script);
    if (!stats.isFile()) return "it is not a file";
    return (stats.mode & 0o111) === 0 ? "it is not executable" : undefined;
  } catch (cause) {
    return errnoOf(cause) === "ENOENT" ? "there is no such file" : (cause as Error).message;
  }
}

export function resultsDirectory(run: string): string {
  return join(run, "results");
}
